//! The saver's jobs, and how each is done.

use crate::inbox::{Context, Input, TaskInput};
use crate::library::Download;
use crate::panicked::caught;
use crate::store::{FileIdentity, Home, Publisher, Record, Slot, StoreError, open_regular};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// One step of one resource. This is the complete list of what the saver does.
#[derive(Debug)]
pub(super) enum Job {
    /// Creates a resource's folder; `done` receives the result.
    Shelve { shelf: Box<Shelf>, done: oneshot::Sender<Result<(), StoreError>> },
    /// Replaces a resource's record.
    Save { slot: Slot, record: Box<Record> },
    /// Removes the files that only an unfinished download needs.
    Tidy { slot: Slot },
    /// Syncs a download and then persists its have map.
    Sync { download: Arc<Download>, slot: Slot, have: HaveMap },
    /// Persists a have map whose chunks are synced; the driver receives the result.
    WriteHave { context: Arc<Context>, download: Arc<Download>, slot: Slot, have: HaveMap, is_probe: bool },
    /// Removes the have map of a download that is about to be checked.
    ForgetHave { slot: Slot },
    /// Removes a resource's folder.
    Forget { key: SwarmKey, slot: Slot },
    /// Removes a visible manifest and its signature, unless somebody has changed the manifest.
    HideManifest { home: Arc<Home>, manifest: Box<Manifest> },
    /// Removes a file of the shared directory, unless it has changed since it was hashed.
    RemoveFile { home: Arc<Home>, name: ResourceName, identity: FileIdentity },
    /// Removes what is ours in a directory of the shared directory, unless another one is in its place. What is ours is
    /// what the slot says, or else what a download has just made.
    RemoveTree {
        home: Arc<Home>,
        name: ResourceName,
        identity: FileIdentity,
        slot: Slot,
        made: Option<Arc<Download>>,
    },
    /// Tells `done` that all jobs before this one are done.
    Answer { done: oneshot::Sender<()> },
}

impl Job {
    /// Does the job. A resource whose record could not be written is added to `unsaved`.
    pub(super) fn perform(self, unsaved: &Unsaved) {
        match self {
            Job::Shelve { shelf, done } => shelve(&shelf, done, unsaved),
            Job::Save { slot, record } => save(&slot, &record, unsaved),
            Job::Tidy { slot } => tidy(&slot),
            Job::Sync { download, slot, have } => sync(&download, &slot, &have),
            Job::WriteHave { context, download, slot, have, is_probe } => {
                write_have(&context, download, &slot, have, is_probe);
            }
            Job::ForgetHave { slot } => forget_have(&slot),
            Job::Forget { key, slot } => forget(key, &slot),
            Job::HideManifest { home, manifest } => hide_manifest(&home, &manifest),
            Job::RemoveFile { home, name, identity } => remove_file(&home, &name, &identity),
            Job::RemoveTree { home, name, identity, slot, made } => {
                let made = made.as_ref().map(|download| &download.file);
                log_removal(home.remove_tree(&name, &identity, &slot, made.map(|made| &**made)));
            }
            Job::Answer { done } => _ = done.send(()), // the caller may have gone
        }
    }
}

/// The resources whose record on disk is out of date because it could not be written. Clones share one set.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsaved(Arc<Mutex<BTreeSet<SwarmKey>>>);

impl Unsaved {
    /// The keys of these resources.
    pub(super) fn keys(&self) -> Vec<SwarmKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Says whether a resource's record was written.
    pub(super) fn note(&self, key: SwarmKey, is_saved: bool) {
        let mut unsaved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_saved {
            unsaved.remove(&key);
        } else {
            unsaved.insert(key);
        }
    }
}

/// A resource that is new in the shared directory, with everything that is written for it.
pub struct Shelf {
    /// Its folder.
    pub slot: Slot,
    /// The state that survives a restart.
    pub record: Record,
    /// Its manifest.
    pub manifest: Manifest,
    /// The folder for its visible manifests, and their mode and group; `None` while the resource is being fetched.
    pub show: Option<(Arc<Home>, Publisher)>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.slot.fmt(f)
    }
}

impl Shelf {
    fn put(&self) -> Result<(), StoreError> {
        self.slot.create(&self.record, &self.manifest)?;
        if let Some((home, publisher)) = &self.show {
            for record in self.record.names.iter().filter(|record| record.published.is_some()) {
                publisher.show_manifest(home, &record.manifest(&self.manifest))?;
                publisher.show_signature(home, &record.name, record.signature())?;
            }
        }
        Ok(())
    }
}

fn shelve(shelf: &Shelf, done: oneshot::Sender<Result<(), StoreError>>, unsaved: &Unsaved) {
    let put = caught(|| shelf.put());
    let put = put.unwrap_or_else(|panic| Err(panic.at("create the files of", &shelf.slot.part())));
    unsaved.note(shelf.record.key, put.is_ok());
    if let Err(error) = &put {
        tracing::error!(name = %shelf.manifest.name(), id = %shelf.record.key, %error, "cannot save its record");
    }
    let _ = done.send(put);
}

fn save(slot: &Slot, record: &Record, unsaved: &Unsaved) {
    let saved = caught(|| slot.save(record));
    let saved = saved.unwrap_or_else(|panic| Err(panic.at("save the record of", &slot.part())));
    unsaved.note(record.key, saved.is_ok());
    if let Err(error) = saved {
        let name = record.names.first().map(|record| record.name.as_str());
        tracing::error!(name, id = %record.key, %error, "cannot save its record; trying again");
    }
}

fn tidy(slot: &Slot) {
    if let Err(error) = slot.tidy() {
        tracing::warn!(%error, "cannot delete the working files of a finished download");
    }
}

fn sync(download: &Download, slot: &Slot, have: &HaveMap) {
    if let Err(error) = download.sync().and_then(|()| slot.write_have_of(&download.file, have)) {
        let name = download.manifest.name();
        tracing::error!(%name, id = %download.manifest.key(), %error, "cannot save which chunks have arrived");
    }
}

fn write_have(context: &Context, download: Arc<Download>, slot: &Slot, have: HaveMap, is_probe: bool) {
    let noted = caught(|| slot.write_have_of(&download.file, &have));
    let noted = noted.unwrap_or_else(|panic| Err(panic.at("note what is in", download.file.path())));
    context.tell_blocking(Input::Task(TaskInput::Noted { download, have, is_probe, noted }));
}

fn forget_have(slot: &Slot) {
    if let Err(error) = slot.forget_have() {
        tracing::warn!(%error, "cannot delete a have map that may be wrong");
    }
}

fn forget(key: SwarmKey, slot: &Slot) {
    if let Err(error) = slot.remove() {
        tracing::error!(id = %key, %error, "cannot delete the record of a file that was removed");
    }
}

fn hide_manifest(home: &Home, manifest: &Manifest) {
    let path = home.manifest_file(manifest.name());
    let ours = manifest.to_text();
    let mut text = Vec::new();
    let file = open_regular(&path).map_err(|error| error.source);
    let read = file.and_then(|file| file.take(ours.len() as u64 + 1).read_to_end(&mut text));
    if read.is_ok() && text == ours.as_bytes() {
        log_removal(home.remove(&[path, home.signature_file(manifest.name())]));
    }
}

fn remove_file(home: &Home, name: &ResourceName, identity: &FileIdentity) {
    let path = home.file(name);
    match FileIdentity::at(&path) {
        Ok(now) if identity.is_same(&now) => log_removal(home.remove(&[path])),
        Ok(_) => tracing::warn!(path = %path.display(),
            "the file has changed since it was shared and was not deleted"),
        Err(_) => {} // it is gone
    }
}

fn log_removal(removed: Result<(), StoreError>) {
    if let Err(error) = removed {
        tracing::error!(%error, "cannot delete a file that was removed");
    }
}
