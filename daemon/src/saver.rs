//! Writes records and manifests in the order in which they were made, off the driver.

use crate::context::Context;
use crate::driver::Input;
use crate::library::Download;
use crate::store::{Home, Publisher, Record, Slot, StoreError, write_have};
use crate::tasks::TaskInput;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Does its jobs one after another. Unbounded, but each job is one step of one resource.
#[derive(Debug)]
pub struct Saver {
    jobs: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

type Job = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.slot.fmt(f)
    }
}

/// A resource that is to be remembered from now on.
pub struct Shelf {
    /// Where.
    pub slot: Slot,
    /// What survives a restart.
    pub record: Record,
    /// Its manifest.
    pub manifest: Manifest,
    /// Where its visible manifests belong; none while it is being fetched.
    pub show: Option<(Arc<Home>, Publisher)>,
}

impl Shelf {
    fn put(&self) -> Result<(), StoreError> {
        self.slot.create(&self.record, &self.manifest)?;
        if let Some((home, publisher)) = &self.show {
            for record in self.record.names.iter().filter(|record| record.published.is_some()) {
                publisher.show_manifest(home, &self.manifest.with_name(record.name.clone()))?;
            }
        }
        Ok(())
    }
}

impl Saver {
    /// A saver with nothing to do.
    pub fn start() -> Saver {
        let (jobs, mut received) = mpsc::unbounded_channel::<Job>();
        let task = tokio::spawn(async move {
            while let Some(job) = received.recv().await {
                if let Err(error) = tokio::task::spawn_blocking(job).await {
                    tracing::error!(%error, "a write to the shared folder was not made");
                }
            }
        });
        Saver { jobs, task }
    }

    /// Writes a resource's place; the answer tells how it went.
    pub fn shelve(&self, shelf: Shelf) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.job(move || {
            let put = shelf.put();
            if let Err(error) = &put {
                tracing::error!(resource = %shelf.record.key, %error, "cannot remember a resource");
            }
            let _ = done.send(put);
        });
        answer
    }

    /// Writes a resource's record anew.
    pub fn save(&self, slot: &Slot, record: &Record) {
        let (slot, record) = (slot.clone(), record.clone());
        self.job(move || log(&record, slot.save(&record)));
    }

    /// Takes away what only an unfinished download needs.
    pub fn tidy(&self, slot: &Slot) {
        let slot = slot.clone();
        self.job(move || slot.tidy());
    }

    /// Syncs a download and then persists its have map.
    pub fn sync(&self, download: Arc<Download>, slot: &Slot, have: HaveMap) {
        let path = slot.have();
        self.job(move || {
            if let Err(error) = download.file.sync().and_then(|()| write_have(&path, &have)) {
                tracing::error!(resource = %download.manifest.key(), %error, "cannot remember what has arrived");
            }
        });
    }

    /// Persists a have map whose chunks are synced; the driver hears of it.
    pub fn note(&self, context: Arc<Context>, download: Arc<Download>, slot: &Slot, have: HaveMap) {
        let path = slot.have();
        self.job(move || {
            let noted = write_have(&path, &have);
            context.tell_blocking(Input::Task(TaskInput::Noted { download, noted }));
        });
    }

    /// Forgets a resource, and removes files that are ours to remove.
    pub fn forget(&self, key: SwarmKey, slot: &Slot, files: Vec<PathBuf>) {
        let slot = slot.clone();
        self.job(move || {
            if let Err(error) = slot.remove() {
                tracing::error!(resource = %key, %error, "cannot forget a resource");
            }
        });
        self.remove(files);
    }

    /// Removes files.
    pub fn remove(&self, files: Vec<PathBuf>) {
        self.job(move || {
            for path in files {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        tracing::error!(path = %path.display(), %error, "cannot remove a file");
                    }
                    _ => {}
                }
            }
        });
    }

    /// Waits until everything that was asked for so far is written.
    pub fn idle(&self) -> impl Future<Output = ()> + use<> {
        let (done, answer) = oneshot::channel();
        self.job(move || _ = done.send(()));
        async move { drop(answer.await) }
    }

    /// Waits until everything is written, and ends.
    pub async fn end(self) {
        drop(self.jobs);
        let _ = self.task.await;
    }

    fn job(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.jobs.send(Box::new(job));
    }
}

fn log(record: &Record, saved: Result<(), StoreError>) {
    if let Err(error) = saved {
        tracing::error!(resource = %record.key, %error, "cannot save a resource's record");
    }
}
