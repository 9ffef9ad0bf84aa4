//! Writes records and manifests in the order in which they were made, on a thread of its own: what the driver is asked
//! for is answered when it is written, so that it must not wait for a thread while others hash and read.

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
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;

/// Does its jobs one after another. Unbounded, but each job is one step of one resource.
#[derive(Debug)]
pub struct Saver {
    jobs: mpsc::Sender<Job>,
    /// The resources whose record on disk is not what it should be.
    unsaved: Arc<Mutex<BTreeSet<SwarmKey>>>,
    /// Is dropped when the thread has done everything.
    ended: oneshot::Receiver<()>,
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
    ///
    /// # Panics
    /// When the system has no thread for it.
    pub fn start() -> Saver {
        let (jobs, received) = mpsc::channel::<Job>();
        let (until, ended) = oneshot::channel();
        let work = move || {
            let _until = until;
            for job in received {
                // a panic in one job must not keep the others from being done
                if let Err(error) = caught(job) {
                    tracing::error!(%error, "a write to the shared folder was not made");
                }
            }
        };
        let thread = std::thread::Builder::new().name("saver".to_owned()).spawn(work);
        thread.expect("a daemon that cannot have a thread for its records cannot work");
        Saver { jobs, unsaved: Arc::default(), ended }
    }

    /// Writes a resource's place; the answer tells how it went.
    pub fn shelve(&self, shelf: Shelf) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        let unsaved = self.unsaved.clone();
        self.job(move || {
            let put = caught(|| shelf.put());
            let put = put.unwrap_or_else(|panic| Err(panic.at("make the place of", &shelf.slot.part())));
            note(&unsaved, shelf.record.key, put.is_ok());
            if let Err(error) = &put {
                tracing::error!(resource = %shelf.record.key, %error, "cannot remember a resource");
            }
            let _ = done.send(put);
        });
        answer
    }

    /// Writes a resource's record anew.
    pub fn save(&self, slot: &Slot, record: &Record) {
        let (slot, record, unsaved) = (slot.clone(), record.clone(), self.unsaved.clone());
        self.job(move || {
            let saved = caught(|| slot.save(&record));
            let saved = saved.unwrap_or_else(|panic| Err(panic.at("save the record of", &slot.part())));
            note(&unsaved, record.key, saved.is_ok());
            if let Err(error) = saved {
                tracing::error!(resource = %record.key, %error, "cannot save a resource's record; it is tried again");
            }
        });
    }

    /// The resources that are to be written once more.
    pub fn unsaved(&self) -> Vec<SwarmKey> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whatever was not saved of a resource is of no interest any more.
    pub fn give_up(&self, key: SwarmKey) {
        note(&self.unsaved, key, true);
    }

    /// Takes away what only an unfinished download needs.
    pub fn tidy(&self, slot: &Slot) {
        let slot = slot.clone();
        self.job(move || {
            if let Err(error) = slot.tidy() {
                tracing::warn!(%error, "what a finished download needed is still there");
            }
        });
    }

    /// Syncs a download and then persists its have map.
    pub fn sync(&self, download: Arc<Download>, slot: &Slot, have: HaveMap) {
        let slot = slot.clone();
        self.job(move || {
            if let Err(error) = download.sync().and_then(|()| slot.write_have_of(&download.file, &have)) {
                tracing::error!(resource = %download.manifest.key(), %error, "cannot remember what has arrived");
            }
        });
    }

    /// Persists a have map whose chunks are synced; the driver hears of it, and whether it was only a probe of the disk.
    pub fn note(
        &self,
        context: Arc<Context>,
        download: Arc<Download>,
        slot: &Slot,
        have: HaveMap,
        is_probe: bool,
    ) {
        let slot = slot.clone();
        self.job(move || {
            let noted = caught(|| slot.write_have_of(&download.file, &have));
            let noted = noted.unwrap_or_else(|panic| Err(panic.at("note what is in", download.file.path())));
            context.tell_blocking(Input::Task(TaskInput::Noted { download, have, is_probe, noted }));
        });
    }

    /// Forgets the have map of a download that is about to be checked: should that be broken off, what was found
    /// wrong is not believed again.
    pub fn doubt(&self, slot: &Slot) {
        let slot = slot.clone();
        self.job(move || {
            if let Err(error) = slot.doubt() {
                tracing::warn!(%error, "a have map that may be wrong is still there");
            }
        });
    }

    /// Forgets a resource.
    pub fn forget(&self, key: SwarmKey, slot: &Slot) {
        let slot = slot.clone();
        self.job(move || {
            if let Err(error) = slot.remove() {
                tracing::error!(resource = %key, %error, "cannot forget a resource");
            }
        });
    }

    /// Removes a visible manifest, if it is the one that we wrote.
    pub fn hide_manifest(&self, home: Arc<Home>, manifest: Manifest) {
        self.job(move || {
            let path = home.manifest_file(manifest.name());
            let ours = manifest.to_text();
            let mut text = Vec::new();
            let file = open_regular(&path).map_err(|error| error.source);
            let read = file.and_then(|file| file.take(ours.len() as u64 + 1).read_to_end(&mut text));
            if read.is_ok() && text == ours.as_bytes() {
                log_removal(home.remove(&[path]));
            }
        });
    }

    /// Removes a file of the folder, if it is still the one that was hashed.
    pub fn remove_file(&self, home: Arc<Home>, name: ResourceName, identity: FileIdentity) {
        self.job(move || {
            let path = home.file(&name);
            match FileIdentity::at(&path) {
                Ok(now) if identity.is_same(&now) => log_removal(home.remove(&[path])),
                Ok(_) => tracing::warn!(path = %path.display(),
                    "the file has changed since it was shared, so it is not deleted"),
                Err(_) => {} // it is gone
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
        let _ = self.ended.await;
    }

    fn job(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.jobs.send(Box::new(job));
    }
}

fn note(unsaved: &Mutex<BTreeSet<SwarmKey>>, key: SwarmKey, saved: bool) {
    let mut unsaved = unsaved.lock().unwrap_or_else(PoisonError::into_inner);
    if saved {
        unsaved.remove(&key);
    } else {
        unsaved.insert(key);
    }
}

fn log_removal(removed: Result<(), StoreError>) {
    if let Err(error) = removed {
        tracing::error!(%error, "a file is left behind");
    }
}
