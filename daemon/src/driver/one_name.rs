//! The name of a directory. It gets its name only if nothing else has it, which is found out as soon as a download is
//! known to be a directory: then nothing is fetched in vain. And it has one name, because the files of one directory
//! are served.

use super::Driver;
use super::blocked::RETRY_AFTER;
use crate::inbox::{Input, NameTaken, TaskInput};
use crate::library::{Blocked, Download, Phase, Resource, Source, Why};
use crate::store::{FileIdentity, Lying, NameRecord};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::shell;
use shared::tree::TreeName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

impl Driver {
    /// Looks whether something else has the names of a download that is a directory.
    pub(super) fn look_at_its_name(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let Phase::Fetching(fetching) = &resource.phase else { return };
        if !fetching.download.file.is_tree() {
            return;
        }
        let waiting = resource.record.names.iter().filter(|record| record.published.is_none());
        let waiting: Vec<(ResourceName, PathBuf)> =
            waiting.map(|record| (record.name.clone(), resource.path(&self.home, &record.name))).collect();
        let download = fetching.download.clone();
        let look = move || waiting.into_iter().filter_map(|(name, path)| taken(name, path)).collect();
        self.work(look, move |taken| {
            let taken = taken.unwrap_or_default(); // then it is found out at the end
            Input::Task(TaskInput::NamesLookedAt { download, taken })
        });
    }

    /// Blocks a download if something else has all its names, and continues one that was blocked because of that.
    pub(super) fn names_looked_at(&mut self, download: &Arc<Download>, taken: Vec<NameTaken>) {
        let key = download.manifest.key();
        if !self.is_current(download) {
            return;
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let why_not = |record: &NameRecord| {
            let found = taken.iter().find(|taken| taken.name == record.name)?;
            let may_lose_it = found.directory.zip(record.replaces).is_some_and(|(now, it)| it.is_same(&now));
            (!may_lose_it).then(|| found.why.clone())
        };
        let waiting = resource.record.names.iter().filter(|record| record.published.is_none());
        let reasons: Option<Vec<Why>> = waiting.map(why_not).collect();
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        if fetching.verified {
            return; // its publication finds out by itself, and may have looked later
        }
        match (reasons.and_then(|reasons| reasons.into_iter().next()), &mut fetching.blocked) {
            (Some(why), None) => self.block(key, Blocked::new(why)),
            (Some(why), Some(blocked)) if is_taken(&blocked.why) => *blocked = Blocked::new(why),
            (None, Some(blocked)) if is_taken(&blocked.why) => {
                fetching.blocked = None;
                tracing::info!(name = %download.manifest.name(), id = %key, "the download continues: its name is free");
                self.start_or_wait(key);
            }
            _ => {}
        }
        self.changed();
    }

    /// Has the state not say any more that something else has the name of a download, until that was looked at again.
    pub(super) fn doubt_taken_name(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) else {
            return;
        };
        if let Some(blocked) = fetching.blocked.as_mut().filter(|it| is_taken(&it.why)) {
            blocked.probing = true;
            self.changed();
        }
    }

    /// Looks again at the names of a download that is blocked because something else has them. Returns whether it is.
    pub(super) fn waits_for_its_name(&mut self, key: SwarmKey) -> bool {
        let Some(resource) = self.library.get_mut(key) else { return false };
        let Phase::Fetching(fetching) = &mut resource.phase else { return false };
        let Some(blocked) = fetching.blocked.as_mut().filter(|blocked| is_taken(&blocked.why)) else {
            return false;
        };
        if fetching.verified {
            return false; // it is published, or finds out why not
        }
        blocked.retry_at = Instant::now() + RETRY_AFTER;
        self.look_at_its_name(key);
        true
    }

    /// Ends the wait of a download for its name, because it may replace now what has it. Returns whether it waited.
    pub(super) fn give_it_its_name(&mut self, key: SwarmKey) -> bool {
        let Some(resource) = self.library.get_mut(key).filter(|resource| !resource.record.paused) else {
            return false;
        };
        let Phase::Fetching(fetching) = &mut resource.phase else { return false };
        let waits = |blocked: &mut Blocked| {
            matches!(blocked.why, Why::NameTaken(_) | Why::DirectoryTaken { what: None, .. })
        };
        if fetching.blocked.take_if(waits).is_none() {
            return false;
        }
        if fetching.verified {
            self.forgive(key);
            self.publish(key);
        } else if !self.suppose_it_is(key) {
            self.start_or_wait(key);
        }
        true
    }

    /// Refuses another name for what is here as a directory.
    pub(super) fn must_be_its_name(&self, key: SwarmKey, name: &ResourceName) -> Result<(), ControlError> {
        let Some(resource) = self.library.get(key).filter(|resource| resource.is_tree) else { return Ok(()) };
        let Some(first) = other_name(resource, name) else { return Ok(()) };
        let path = resource.path(&self.home, first);
        Err(ControlError {
            kind: ErrorKind::Refused,
            message: format!(
                "{name} has the same content as {first}, which is here as the directory {}; a directory has one name",
                path.display()
            ),
            hint: Some(format!(
                "to have a copy, `ttctl get {0} -o PATH`; to have it as {name} instead, first `ttctl remove {0}`",
                shell::word(first.as_str())
            )),
        })
    }

    /// Notes why a name waits in vain: the resource turned out to be a directory, and it has another name. Returns
    /// whether that is so.
    pub(super) fn note_other_name(&mut self, key: SwarmKey, source: &Source, name: &ResourceName) -> bool {
        let is_tree = matches!(source, Source::Published(published) if published.tree.is_some());
        let Some(resource) = self.library.get_mut(key).filter(|_| is_tree) else { return false };
        let Some(first) = other_name(resource, name).cloned() else { return false };
        resource.troubles.insert(name.clone(), Why::OtherName { name: name.clone(), first });
        self.changed();
        true
    }
}

/// Whether a download is blocked because it cannot have its name.
fn is_taken(why: &Why) -> bool {
    matches!(why, Why::DirectoryTaken { .. } | Why::NoDirectoryName(_))
}

/// Another name under which it is here as a directory, or will be.
fn other_name<'a>(resource: &'a Resource, name: &ResourceName) -> Option<&'a ResourceName> {
    let may_have = |record: &&NameRecord| TreeName::of_resource(&record.name).is_some();
    let others = || resource.record.names.iter().filter(|it| it.name != *name).filter(may_have);
    let published = others().find(|record| record.published.is_some());
    published.or_else(|| others().next()).map(|record| &record.name)
}

/// What is at the path of a name, if something is; or that a directory cannot have the name.
fn taken(name: ResourceName, path: PathBuf) -> Option<NameTaken> {
    if TreeName::of_resource(&name).is_none() {
        let why = Why::NoDirectoryName(name.clone());
        return Some(NameTaken { name, directory: None, why });
    }
    let what = match Lying::tree_at(&path, 0) {
        Lying::Other(what) => Some(what),
        Lying::File(_) => None,
        Lying::Nothing | Lying::Unknown => return None,
    };
    let directory = FileIdentity::of_directory_at(&path);
    let why = Why::DirectoryTaken { name: name.clone(), path, what };
    Some(NameTaken { name, directory, why })
}
