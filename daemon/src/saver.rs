//! Writes records and manifests in the order in which they were made, on a thread of its own: what the driver is asked
//! for is answered when it is written, so that it must not wait for a thread while others hash and read.

mod job;

pub use job::Shelf;

use crate::inbox::Context;
use crate::library::Download;
use crate::panicked::caught;
use crate::store::{FileIdentity, Home, Record, Slot, StoreError};
use job::{Job, Unsaved};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// Does its jobs one after another. Unbounded, but each job is one step of one resource.
#[derive(Debug)]
pub struct Saver {
    jobs: mpsc::Sender<Job>,
    unsaved: Unsaved,
    /// Is dropped when the thread has done everything.
    ended: oneshot::Receiver<()>,
}

impl Saver {
    /// A saver with nothing to do.
    ///
    /// # Panics
    /// When the system has no thread for it.
    pub fn start() -> Saver {
        let (jobs, received) = mpsc::channel();
        let (until, ended) = oneshot::channel();
        let unsaved = Unsaved::default();
        let saver = Saver { jobs, unsaved: unsaved.clone(), ended };
        let work = move || {
            let _until = until;
            perform(&received, &unsaved);
        };
        let thread = std::thread::Builder::new().name("saver".to_owned()).spawn(work);
        thread.expect("a daemon that cannot have a thread for its records cannot work");
        saver
    }

    /// Writes a resource's place; the answer tells how it went.
    pub fn shelve(&self, shelf: Shelf) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Shelve { shelf: Box::new(shelf), done });
        answer
    }

    /// Writes a resource's record anew.
    pub fn save(&self, slot: &Slot, record: &Record) {
        self.job(Job::Save { slot: slot.clone(), record: Box::new(record.clone()) });
    }

    /// The resources that are to be written once more.
    pub fn unsaved(&self) -> Vec<SwarmKey> {
        self.unsaved.keys()
    }

    /// Whatever was not saved of a resource is of no interest any more.
    pub fn give_up(&self, key: SwarmKey) {
        self.unsaved.note(key, true);
    }

    /// Takes away what only an unfinished download needs.
    pub fn tidy(&self, slot: &Slot) {
        self.job(Job::Tidy { slot: slot.clone() });
    }

    /// Syncs a download and then persists its have map.
    pub fn sync(&self, download: Arc<Download>, slot: &Slot, have: HaveMap) {
        self.job(Job::Sync { download, slot: slot.clone(), have });
    }

    /// Persists a have map whose chunks are synced; the driver hears of it, and whether it was only a probe of the disk.
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

    /// Forgets the have map of a download that is about to be checked: should that be broken off, what was found
    /// wrong is not believed again.
    pub fn forget_have(&self, slot: &Slot) {
        self.job(Job::ForgetHave { slot: slot.clone() });
    }

    /// Forgets a resource.
    pub fn forget(&self, key: SwarmKey, slot: &Slot) {
        self.job(Job::Forget { key, slot: slot.clone() });
    }

    /// Removes a visible manifest, if it is the one that we wrote.
    pub fn hide_manifest(&self, home: Arc<Home>, manifest: Manifest) {
        self.job(Job::HideManifest { home, manifest: Box::new(manifest) });
    }

    /// Removes a file of the folder, if it is still the one that was hashed.
    pub fn remove_file(&self, home: Arc<Home>, name: ResourceName, identity: FileIdentity) {
        self.job(Job::RemoveFile { home, name, identity });
    }

    /// Waits until everything that was asked for so far is written.
    pub fn idle(&self) -> impl Future<Output = ()> + use<> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Answer { done });
        async move { drop(answer.await) }
    }

    /// Waits until everything is written, and ends.
    pub async fn end(self) {
        drop(self.jobs);
        let _ = self.ended.await;
    }

    fn job(&self, job: Job) {
        let _ = self.jobs.send(job); // the thread ends after the last of its senders
    }
}

/// Does jobs in the order in which they come, until nobody can ask for more.
fn perform(jobs: &mpsc::Receiver<Job>, unsaved: &Unsaved) {
    for job in jobs {
        // a panic in one job must not keep the others from being done
        if let Err(error) = caught(|| job.perform(unsaved)) {
            tracing::error!(%error, "a write to the shared directory was not made");
        }
    }
}

#[cfg(test)]
mod tests;
