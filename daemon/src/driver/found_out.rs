//! What a check of files has found: what is right is served or kept, and the rest is fetched again or has a reason.

use super::Driver;
use super::blocked::REREAD_AFTER;
use super::reasons::words_of;
use super::wanted::record_of;
use crate::inbox::CheckedFile;
use crate::library::{Failure, Phase, Resource, Sources, Why};
use crate::store::{At, Edited, FileIdentity, LayOutError, NameRecord, NotHere};
use shared::have::HaveMap;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use std::io;
use std::sync::Arc;
use std::time::Instant;

impl Driver {
    /// The result of a check of the file of a name, or of the download without a name.
    pub(super) fn found_out(
        &mut self,
        key: SwarmKey,
        of: Option<ResourceName>,
        checked: io::Result<CheckedFile>,
        here: Result<(), NotHere>,
    ) {
        let Some(resource) = self.library.get(key) else { return };
        let is_whole = checked.as_ref().is_ok_and(|checked| checked.unreadable.is_empty());
        if let Err(why) = here
            && !is_whole
        {
            return self.folder_lost(why); // the check is made when the folder is back
        }
        let record = of.as_ref().and_then(|name| record_of(resource, name)).cloned();
        if of.is_some() && record.is_none() {
            return self.check(key); // its name was removed meanwhile; other names' files are still to be checked
        }
        match (record, checked) {
            (Some(record), Ok(checked)) if checked.whole => {
                if let Some(resource) = self.library.get_mut(key) {
                    resource.is_tree = checked.tree.is_some();
                }
                self.seed_again(key, &record, checked.identity);
            }
            (Some(record), Ok(checked)) if self.is_edited(key, &record, &checked) => {
                if let Some(edited) = checked.edited {
                    self.seed_rest(key, &record, edited);
                }
            }
            (Some(record), Ok(checked)) if checked.tree.is_some() && is_stray(&record) => {
                self.keep_different_tree(key, &record, checked);
            }
            (Some(record), checked) if record.published.is_some_and(|identity| identity.is_unsure()) => {
                self.forget_supposed_file(key, &record, checked);
            }
            (Some(record), checked) => self.file_differs(key, &record, checked),
            (None, Ok(checked)) => self.keep_what_is_good(key, checked),
            (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => self.fetch_anew(key),
            // A chunk that was on its way when the check began was written during it. No further ones will come.
            (None, Err(error)) if error.kind() == io::ErrorKind::InvalidData => self.check_in_turn(key),
            (None, Err(error)) => match LayOutError::bad_in(&error) {
                Some(why) => self.refuse_no_tree(key, why),
                None => self.cannot_read(key, Why::PartUnreadable(Arc::new(error))),
            },
        }
    }

    /// A directory that lies beside a manifest is not what the manifest describes. It stays as it is.
    pub(super) fn keep_different_tree(&mut self, key: SwarmKey, record: &NameRecord, checked: CheckedFile) {
        if let Some(resource) = self.library.get_mut(key) {
            resource.is_tree = true;
        }
        self.file_differs(key, record, Ok(checked));
    }

    /// Whether a check found a directory that was edited: it is there, and somebody wrote to its files.
    fn is_edited(&self, key: SwarmKey, record: &NameRecord, checked: &CheckedFile) -> bool {
        let Some(resource) = self.library.get(key).filter(|resource| resource.is_tree) else { return false };
        let is_there = |identity| resource.published_file(&self.home, &record.name, identity).is_unchanged();
        checked.identity.is_unsure() && record.published.is_some_and(is_there)
    }

    /// Serves what is right of a directory that was edited.
    fn seed_rest(&mut self, key: SwarmKey, record: &NameRecord, edited: Edited) {
        let Some(identity) = record.published else { return };
        let home = self.home.clone();
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.phase = Phase::Seeding(Arc::new(resource.served_file(&home, &record.name, identity)));
        resource.troubles.remove(&record.name);
        resource.former = None;
        resource.edited = Some(edited);
        self.join(key);
        self.changed();
    }

    /// The latest look at the file found it right and under its name: it is served again.
    fn seed_again(&mut self, key: SwarmKey, record: &NameRecord, identity: FileIdentity) {
        let home = self.home.clone();
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.phase = Phase::Seeding(Arc::new(resource.served_file(&home, &record.name, identity)));
        resource.troubles.remove(&record.name);
        resource.edited = None;
        resource.former = None;
        resource.sources = Sources::default(); // no download is under way
        if record.published.is_some_and(|before| before.is_unsure()) {
            resource.fetched = None; // it was here
        }
        let names = resource.record.names.iter_mut();
        for record in names.filter(|other| other.name == record.name) {
            record.note_published(identity);
        }
        let Some(resource) = self.library.get(key) else { return };
        if record.published.is_some_and(|before| before.is_unsure()) {
            drop(self.shelve(resource, true)); // its visible manifest may never have been written
            self.saver.tidy(&resource.slot); // nothing of it must be fetched
        } else {
            self.saver.save(&resource.slot, &resource.record);
        }
        self.join(key);
        self.publish(key);
    }

    /// The file under a name is not the resource any more; another name may still have it.
    fn file_differs(&mut self, key: SwarmKey, record: &NameRecord, checked: io::Result<CheckedFile>) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let name = &record.name;
        let is_as_it_was =
            |checked: &CheckedFile| record.published.is_some_and(|it| it.is_same(&checked.identity));
        let is_damaged = checked.as_ref().is_ok_and(is_as_it_was);
        if is_damaged {
            // Nobody wrote to the file, so the disk damaged it. It is not served after a restart either.
            let names = resource.record.names.iter_mut().filter(|other| other.name == *name);
            names.for_each(|record| record.damaged = true);
            self.saver.save(&resource.slot, &resource.record);
        }
        let why = why_differs(resource, name, checked, is_damaged);
        tracing::warn!(%name, id = %key, error = %words_of(&why), "no longer served");
        resource.troubles.insert(name.clone(), why.clone());
        let home = &self.home;
        let is_there = |record: &&NameRecord| {
            record
                .published
                .is_some_and(|identity| resource.published_file(home, &record.name, identity).is_unchanged())
        };
        let mut others =
            resource.record.names.iter().filter(|other| !resource.troubles.contains_key(&other.name));
        if let Some(record) = others.find(is_there).cloned() {
            let identity = record.published.expect("it was compared just now");
            return self.seed_again(key, &record, identity);
        }
        let has_hope = |record: &NameRecord| !resource.troubles.contains_key(&record.name);
        if resource.record.names.iter().any(has_hope) {
            return self.check(key); // another name's file, or the part file
        }
        let may_pass = matches!(why, Why::FileUnreadable(_));
        let retry_at = may_pass.then(|| Instant::now() + REREAD_AFTER);
        resource.phase = Phase::Failed(Failure { why, retry_at });
        self.changed();
    }

    /// Keeps the right chunks. Chunks that the disk cannot read are written again once; if they cannot be read then
    /// either, the disk is failing.
    pub(super) fn keep_what_is_good(&mut self, key: SwarmKey, checked: CheckedFile) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let chunks = checked.unreadable.len();
        for index in &checked.unreadable {
            if *resource.unreadable.entry(*index).or_insert(false) {
                return self.cannot_read(key, Why::ChunkUnreadable(*index));
            }
        }
        if chunks > 0 {
            let name = resource.manifest.name();
            tracing::error!(%name, id = %key, "the disk cannot read parts of the download (chunks: {chunks}); they are fetched again");
        }
        self.fetch_again(key, checked);
    }

    /// Keeps a download's right chunks and fetches the others again.
    fn fetch_again(&mut self, key: SwarmKey, checked: CheckedFile) {
        // An empty resource has all its chunks even where no file is.
        let is_empty = checked.good.count().get() == 0 && key.resource == ResourceId::of(b"");
        if checked.good.is_full() && !checked.whole && !is_empty {
            self.fail_resource(key, Why::FalseManifest);
            return self.disprove(key);
        }
        let Some(resource) = self.library.get(key) else { return };
        match resource.is_tree {
            true => self.reopen(key, checked),
            false => self.fetch_rest(key, resource.slot.open_part(resource.count()), checked),
        }
    }

    /// Begins a download from nothing.
    fn fetch_anew(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let good = HaveMap::empty(resource.count());
        let identity = FileIdentity::at(self.home.folder()).at("access", self.home.folder());
        match identity {
            Ok(identity) => {
                self.fetch_again(
                    key,
                    CheckedFile {
                        good,
                        whole: false,
                        bytes: 0,
                        unreadable: Vec::new(),
                        identity,
                        content: None,
                        tree: None,
                        edited: None,
                    },
                );
            }
            Err(error) => self.fail_resource(key, error.into()),
        }
    }
}

/// Whether nothing was being fetched under a name of which it is not known what lies there: it was found at a start.
fn is_stray(record: &NameRecord) -> bool {
    !record.replace && record.published.is_some_and(|identity| identity.is_unsure())
}

/// Why the file under a name is not served any more. `is_damaged` means that nobody wrote to it.
fn why_differs(
    resource: &Resource,
    name: &ResourceName,
    checked: io::Result<CheckedFile>,
    is_damaged: bool,
) -> Why {
    let name = name.clone();
    match checked {
        Ok(checked) if resource.is_tree && !resource.published_tree().is_some_and(|it| it.is_noted()) => {
            Why::TreeDiffers { name, right: checked.good.len(), total: resource.count().get() }
        }
        Ok(checked) => {
            let total = resource.count().get();
            let differing = total - checked.good.len();
            match resource.record.origin {
                true => Why::OriginalDiffers { name, differing, total, is_damaged },
                false => Why::CopyDiffers { name, differing, total },
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Why::Gone(name),
        Err(error) => Why::FileUnreadable(Arc::new(error)),
    }
}
