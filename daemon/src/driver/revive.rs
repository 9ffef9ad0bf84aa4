//! Handles requests for resources that are here: one that stands still continues, and the answer describes the file
//! that is there now, not what was known before.

use super::Driver;
use crate::inbox::{Input, Reply, TaskInput, Wanted};
use crate::jobs;
use crate::library::Phase;
use crate::snapshot::Snapshot;
use crate::store::{Edited, FileIdentity, Lying, NameState, NotHere, PublishedFile};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;
use std::sync::Arc;

impl Driver {
    /// Continues a resource that stands still, because somebody asks for it.
    ///
    /// # Errors
    /// When something lies under its name that cannot be replaced.
    pub(super) fn revive(
        &mut self,
        key: SwarmKey,
        wanted: &Wanted,
        place: &NameState,
    ) -> Result<(), ControlError> {
        let (name, replaces) = (wanted.manifest.name(), self.directory_to_replace(wanted, place));
        let Some(resource) = self.library.get_mut(key) else { return Ok(()) };
        let has_trouble = matches!(resource.phase, Phase::Failed(_))
            || resource.troubles.contains_key(name)
            || resource.edited.is_some();
        let is_edited = resource.edited.is_some();
        let is_origin = resource.record.origin;
        let Some(record) = resource.record.names.iter_mut().find(|record| record.name == *name) else {
            return Ok(());
        };
        let Some(identity) = record.published.filter(|identity| !identity.is_unsure()) else {
            let is_same = match (record.replaces, replaces) {
                (Some(before), Some(now)) => before.is_same(&now),
                (before, now) => before.is_none() && now.is_none(),
            };
            let is_news = wanted.replace && !(record.replace && is_same);
            if is_news {
                record.may_replace(replaces);
                self.saver.save(&resource.slot, &resource.record);
            }
            self.must_be_replaceable(name, place)?;
            if !(is_news && self.give_it_its_name(key)) {
                self.go_on(key, name);
            }
            return Ok(());
        };
        let is_other = place.file.is_other_than(&identity);
        if place.file == Lying::Nothing {
            self.must_be_replaceable(name, place)?;
            self.make_anew(key, wanted, None);
        } else if wanted.replace && (is_other || has_trouble) && !(is_origin && (is_other || is_edited)) {
            self.must_be_replaceable(name, place)?;
            self.make_anew(key, wanted, Some(replaces));
        } else if is_other {
            self.check_other_file(key, name, identity);
        } else {
            self.go_on(key, name);
        }
        Ok(())
    }

    fn go_on(&mut self, key: SwarmKey, name: &ResourceName) {
        let Some(resource) = self.library.get_mut(key) else { return };
        if resource.record.paused {
            let _ = self.resume(name.as_str());
        } else if resource.is_disproved() {
            self.make_place(key); // nothing of it is on the disk any more
        } else if matches!(resource.phase, Phase::Failed(_)) {
            resource.troubles.remove(name); // the check will tell
            self.check(key);
        } else if matches!(resource.phase, Phase::Checking(_)) {
            self.checks.hurry(key);
        } else if matches!(resource.phase, Phase::Seeding(_)) {
            self.forgive(key); // a copy under this name is tried again
            self.publish(key);
        } else {
            self.unblock_now(key);
        }
    }

    /// The file under a name is not the one that was hashed: checks it.
    fn check_other_file(&mut self, key: SwarmKey, name: &ResourceName, identity: FileIdentity) {
        let Some(resource) = self.library.get_mut(key) else { return };
        if matches!(resource.phase, Phase::Failed(_)) {
            resource.troubles.remove(name);
            return self.check(key);
        }
        let published = resource.published_file(&self.home, name, identity);
        self.source_changed(key, &Arc::new(published), None);
    }

    /// The file under the name is gone, or is wrong and may be replaced. Makes it again: from the file of another name
    /// if one is right, otherwise from the matching chunks of the present file and from the swarm. `lying` is what lies
    /// there: a directory, or a file (`None`).
    fn make_anew(&mut self, key: SwarmKey, wanted: &Wanted, lying: Option<Option<FileIdentity>>) {
        let name = wanted.manifest.name();
        let home = self.home.clone();
        let Some(resource) = self.library.get_mut(key) else { return };
        let file = resource.path(&home, name);
        resource.troubles.remove(name);
        resource.edited = None;
        resource.record.paused = false;
        resource.record.no_reuse = !wanted.reuse;
        let is_served_elsewhere =
            matches!(&resource.phase, Phase::Seeding(published) if published.path != file);
        let published = (lying.is_some() && !is_served_elsewhere).then(FileIdentity::unknown);
        let names = resource.record.names.iter_mut();
        for record in names.filter(|record| record.name == *name) {
            (record.published, record.damaged) = (published, false);
            (record.replace, record.replaces) = (lying.is_some(), lying.flatten());
        }
        self.saver.save(&resource.slot, &resource.record);
        if is_served_elsewhere {
            self.join(key);
            self.publish(key);
            self.changed();
        } else {
            self.check(key);
        }
    }

    /// Answers with the state of resources after a look at their files.
    pub(super) fn inspect(&mut self, what: String, reply: Reply<Arc<Snapshot>>) {
        let mut files: Vec<(SwarmKey, PublishedFile)> = Vec::new();
        for (name, key) in self.library.find(&what) {
            let Some(resource) = self.library.get(key) else { continue };
            let is_served = matches!(resource.phase, Phase::Seeding(_));
            let published = resource.published_files(&self.home).filter(|_| is_served);
            files.extend(published.filter(|file| *file.manifest.name() == name).map(|file| (key, file)));
        }
        let (home, context) = (self.home.clone(), self.context.clone());
        let look = move || {
            let (mut changed, mut edited) = (Vec::new(), Vec::new());
            for (key, published) in files {
                match published.edited() {
                    Ok(edits) if published.tree.is_some() => edited.push((key, Arc::new(published), edits)),
                    Ok(_) if published.is_unchanged() => {}
                    Ok(_) | Err(_) => changed.push((key, Arc::new(published))),
                }
            }
            let here = home.must_be_here();
            Input::Task(TaskInput::Inspected { what, here, changed, edited, reply })
        };
        jobs::run_and_tell(look, move |looked| context.tell_blocking(looked));
    }

    pub(super) fn inspected(
        &mut self,
        what: &str,
        here: Result<(), NotHere>,
        changed: &[(SwarmKey, Arc<PublishedFile>)],
        edited: Vec<(SwarmKey, Arc<PublishedFile>, Option<Edited>)>,
        reply: Reply<Arc<Snapshot>>,
    ) {
        match here {
            Err(why) => self.folder_lost(why),
            Ok(()) => {
                changed.iter().for_each(|(key, published)| self.source_changed(*key, published, None));
                for (key, published, edited) in edited {
                    self.note_all_edits(key, &published, edited);
                }
            }
        }
        let _ = reply.send(self.snapshot_for(Some(what)));
    }
}
