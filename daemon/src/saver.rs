//! Writes records and manifests in the order in which they were made, on a thread of its own. The driver answers a
//! caller when such a write is done; on the shared pool of threads the write could wait behind hashing and reading.

mod job;

pub use job::Shelf;

use crate::inbox::Context;
use crate::jobs::Line;
use crate::library::Download;
use crate::panicked::caught;
use crate::store::{FileIdentity, Home, Record, Slot, StoreError};
use job::{Job, Unsaved};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The handle of the thread that does the jobs one after another. The queue has no bound, but each job is one step of
/// one resource.
#[derive(Debug)]
pub struct Saver {
    line: Line<Job>,
    unsaved: Unsaved,
}

impl Saver {
    /// Starts the thread.
    ///
    /// # Panics
    /// When the system has no thread for it.
    pub fn start() -> Saver {
        let unsaved = Unsaved::default();
        let noted = unsaved.clone();
        let line = Line::start("saver", move |job| perform(job, &noted));
        let line = line.expect("a daemon that cannot have a thread for its records cannot work");
        Saver { line, unsaved }
    }

    /// Creates a resource's folder under `.tinytorrent`; the returned channel brings the result.
    pub fn shelve(&self, shelf: Shelf) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Shelve { shelf: Box::new(shelf), done });
        answer
    }

    /// Replaces a resource's record.
    pub fn save(&self, slot: &Slot, record: &Record) {
        self.job(Job::Save { slot: slot.clone(), record: Box::new(record.clone()) });
    }

    /// The resources whose record could not be written and must be written again.
    pub fn unsaved(&self) -> Vec<SwarmKey> {
        self.unsaved.keys()
    }

    /// Forgets that a resource's record was not written, because the resource is going away.
    pub fn give_up(&self, key: SwarmKey) {
        self.unsaved.note(key, true);
    }

    /// Removes the files that only an unfinished download needs.
    pub fn tidy(&self, slot: &Slot) {
        self.job(Job::Tidy { slot: slot.clone() });
    }

    /// Syncs a download and then persists its have map.
    pub fn sync(&self, download: Arc<Download>, slot: &Slot, have: HaveMap) {
        self.job(Job::Sync { download, slot: slot.clone(), have });
    }

    /// Persists a have map whose chunks are synced. The driver hears the result, together with `is_probe`: whether this
    /// was only a probe of the disk.
    pub fn write_have(
        &self,
        context: Arc<Context>,
        download: Arc<Download>,
        slot: &Slot,
        have: HaveMap,
        is_probe: bool,
    ) {
        self.job(Job::WriteHave { context, download, slot: slot.clone(), have, is_probe });
    }

    /// Removes the have map of a download that is about to be checked. If the check is interrupted, the next start does
    /// not trust chunks that may be wrong.
    pub fn forget_have(&self, slot: &Slot) {
        self.job(Job::ForgetHave { slot: slot.clone() });
    }

    /// Removes a resource's folder under `.tinytorrent`.
    pub fn forget(&self, key: SwarmKey, slot: &Slot) {
        self.job(Job::Forget { key, slot: slot.clone() });
    }

    /// Removes a visible manifest, unless somebody has changed it.
    pub fn hide_manifest(&self, home: Arc<Home>, manifest: Manifest) {
        self.job(Job::HideManifest { home, manifest: Box::new(manifest) });
    }

    /// Removes a file of the shared directory, unless it has changed since it was hashed.
    pub fn remove_file(&self, home: Arc<Home>, name: ResourceName, identity: FileIdentity) {
        self.job(Job::RemoveFile { home, name, identity });
    }

    /// Removes what is ours in a directory of the shared directory, unless another one is in its place. Its slot must
    /// not be forgotten before; if it is, `made` is the download that has just made the directory.
    pub fn remove_tree(
        &self,
        home: Arc<Home>,
        name: ResourceName,
        identity: FileIdentity,
        slot: &Slot,
        made: Option<Arc<Download>>,
    ) {
        self.job(Job::RemoveTree { home, name, identity, slot: slot.clone(), made });
    }

    /// Waits until all jobs up to now are done.
    pub fn idle(&self) -> impl Future<Output = ()> + use<> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Answer { done });
        async move { drop(answer.await) }
    }

    /// Waits until all jobs are done and the thread has ended.
    pub async fn end(self) {
        self.line.end().await;
    }

    fn job(&self, job: Job) {
        self.line.send(job);
    }
}

fn perform(job: Job, unsaved: &Unsaved) {
    // a panic in one job must not keep the others from being done
    if let Err(error) = caught(|| job.perform(unsaved)) {
        tracing::error!(%error, "cannot write to the shared directory");
    }
}

#[cfg(test)]
mod tests;
