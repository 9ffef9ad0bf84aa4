//! Takes a download to its end: notes what is stored, syncs it, hashes the whole, publishes.

use super::{Driver, Input};
use crate::library::{
    Blocked, Download, Failure, Fetching, Frontier, HashedWhole, Phase, Published, Recent, Source,
};
use crate::store::{FileIdentity, PartFile, PublishError, StoreError, open_regular, write_have};
use crate::tasks::TaskInput;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::ErrorKind;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many chunks are written at most before they are synced, whatever the time.
const DIRTY_MAX: u32 = 32;

/// How long a download that found no room, or a disk that failed, waits before it looks again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Driver {
    /// The phase of a download whose part file is open.
    pub(super) fn fetching(&self, manifest: Manifest, file: PartFile, have: HaveMap) -> Fetching {
        let download = Arc::new(Download { manifest, file, recent: Recent::new(self.room.clone()) });
        let (context, key) = (self.context.clone(), download.manifest.key());
        let done = move |whole| {
            tokio::spawn(async move { context.tell(Input::Task(TaskInput::Whole { key, whole })).await });
        };
        let contiguous = have.first_missing().map_or(have.len(), |index| index.0);
        let frontier = Frontier::follow(download.clone(), done);
        frontier.advance(contiguous);
        Fetching {
            download,
            have,
            contiguous,
            frontier,
            dirty: 0,
            syncing: false,
            synced_at: Instant::now(),
            publishing: false,
            blocked: None,
        }
    }

    /// A chunk is verified and written.
    pub(super) fn stored(&mut self, key: SwarmKey, index: ChunkIndex) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        if !fetching.have.insert(index) {
            return;
        }
        fetching.dirty += 1;
        if index.0 == fetching.contiguous {
            while fetching.have.contains(ChunkIndex(fetching.contiguous)) {
                fetching.contiguous += 1;
            }
            fetching.frontier.advance(fetching.contiguous);
        }
        if fetching.dirty >= DIRTY_MAX && !fetching.syncing {
            self.sync(key);
        }
    }

    /// Every chunk is there. The hash of the whole follows, unless there is nothing to hash in order.
    pub(super) fn complete(&mut self, key: SwarmKey) {
        if let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        {
            fetching.publishing = true;
            self.changed();
        }
    }

    // -- syncing

    pub(super) fn sync_due(&mut self, now: Instant) {
        let is_due = |fetching: &Fetching| {
            fetching.dirty > 0
                && !fetching.syncing
                && now.duration_since(fetching.synced_at) >= self.settings.sync_every
        };
        let due: Vec<SwarmKey> = self
            .library
            .iter()
            .filter(|(_, resource)| matches!(&resource.phase, Phase::Fetching(fetching) if is_due(fetching)))
            .map(|(key, _)| key)
            .collect();
        due.into_iter().for_each(|key| self.sync(key));
    }

    /// Syncs the data, and then the have map as it was before the data was synced.
    fn sync(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        (fetching.dirty, fetching.syncing) = (0, true);
        let (download, have, path) = (fetching.download.clone(), fetching.have.clone(), resource.slot.have());
        let context = self.context.clone();
        tokio::task::spawn_blocking(move || {
            let synced = download.file.sync().and_then(|()| write_have(&path, &have));
            context.tell_blocking(Input::Task(TaskInput::Synced { key, synced }));
        });
    }

    pub(super) fn synced(&mut self, key: SwarmKey, synced: Result<(), StoreError>) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        (fetching.syncing, fetching.synced_at) = (false, Instant::now());
        if let Err(error) = synced {
            fetching.dirty += 1; // try again with the next tick that is due
            let (message, no_space) = (error.to_string(), error.is_no_space());
            self.write_failed(key, message, no_space);
        }
    }

    /// Before the end: what has arrived need not be fetched again.
    pub(super) fn sync_all(&mut self) {
        for (_, resource) in self.library.iter() {
            if let Phase::Fetching(fetching) = &resource.phase {
                self.saver.sync(fetching.download.clone(), &resource.slot, fetching.have.clone());
            }
        }
    }

    // -- publishing

    /// The hash of the whole file is there: publish it, or find out what is wrong.
    pub(super) fn whole(&mut self, key: SwarmKey, whole: HashedWhole) {
        let Some(resource) = self.library.get_mut(key) else { return };
        if !matches!(resource.phase, Phase::Fetching(_)) {
            return;
        }
        match whole {
            Ok(id) if id == key.resource => self.publish(key),
            Ok(_) => {
                tracing::error!(resource = %key, error = "the hash of the whole is wrong", "checking every chunk");
                self.check(key, None);
            }
            Err(error) => self.write_failed(key, error, false),
        }
    }

    /// Publishes a complete download under the first of its names that has no file yet.
    pub(super) fn publish(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let Some(source) = resource.source() else { return };
        let Some(record) = resource.record.names.iter().find(|record| record.published.is_none()) else {
            return;
        };
        let record = record.clone();
        let manifest = resource.manifest.with_name(record.name.clone());
        let (home, publisher, context) = (self.home.clone(), self.publisher.clone(), self.context.clone());
        let temporary = self.home.temporary();
        tokio::task::spawn_blocking(move || {
            let published = match &source {
                Source::Download(download) => {
                    publisher.publish(&home, download.file.path(), &manifest, record.replace)
                }
                Source::Published(published) => copy(&published.path, &temporary)
                    .map_err(PublishError::from)
                    .and_then(|()| publisher.publish(&home, &temporary, &manifest, record.replace)),
            };
            let _ = std::fs::remove_file(&temporary);
            context.tell_blocking(Input::Task(TaskInput::Published { key, name: record.name, published }));
        });
    }

    pub(super) fn published(
        &mut self,
        key: SwarmKey,
        name: &ResourceName,
        published: Result<FileIdentity, PublishError>,
    ) {
        let file = self.home.file(name);
        let Some(resource) = self.library.get_mut(key) else { return };
        let identity = match published {
            Ok(identity) => identity,
            Err(error) => return self.not_published(key, name, &error),
        };
        if let Some(record) = resource.record.names.iter_mut().find(|record| record.name == *name) {
            record.published = Some(identity);
        }
        resource.troubles.remove(name);
        if matches!(resource.phase, Phase::Fetching(_)) {
            let manifest = resource.manifest.clone();
            resource.phase = Phase::Seeding(Arc::new(Published { manifest, path: file, identity }));
            tracing::info!(resource = %key, %name, bytes = identity.bytes, "complete, verified and published");
        }
        self.saver.save(&resource.slot, &resource.record);
        self.saver.tidy(&resource.slot);
        self.announce(key);
        self.changed();
        self.publish(key); // the next name, if there is one
    }

    fn not_published(&mut self, key: SwarmKey, name: &ResourceName, error: &PublishError) {
        tracing::error!(resource = %key, %name, %error, "cannot publish a finished download");
        let Some(resource) = self.library.get_mut(key) else { return };
        let (reason, kind) = match error {
            PublishError::NameTaken(_) => (
                format!("{error}; move it away and resume, or get this one with --replace"),
                ErrorKind::Refused,
            ),
            PublishError::Store(store) if store.is_no_space() => {
                (format!("no space: {error}"), ErrorKind::NoSpace)
            }
            PublishError::Store(_) => (error.to_string(), ErrorKind::Internal),
        };
        match &mut resource.phase {
            Phase::Fetching(fetching) => {
                fetching.blocked = Some(Blocked { reason, kind, retry_at: Instant::now() + RETRY_AFTER });
            }
            _ => drop(resource.troubles.insert(name.clone(), reason)),
        }
        self.changed();
    }

    // -- what stands in the way

    /// The disk refuses: the download waits, and nothing is lost.
    pub(super) fn write_failed(&mut self, key: SwarmKey, message: String, no_space: bool) {
        let kind = if no_space { ErrorKind::NoSpace } else { ErrorKind::Internal };
        let reason = if no_space { format!("no space: {message}") } else { message };
        self.block(key, reason, kind);
    }

    pub(super) fn block(&mut self, key: SwarmKey, reason: String, kind: ErrorKind) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        let is_new = fetching.blocked.is_none();
        let retry_at = Instant::now() + RETRY_AFTER;
        if is_new {
            tracing::warn!(resource = %key, error = %reason, "a download waits");
        }
        fetching.blocked = Some(Blocked { reason, kind, retry_at });
        if is_new {
            self.leave(key);
        }
    }

    /// Looks again whether blocked downloads can go on.
    pub(super) fn retry_blocked(&mut self, now: Instant) {
        let due = |phase: &Phase| matches!(phase, Phase::Fetching(f) if f.blocked.as_ref().is_some_and(|b| b.retry_at <= now));
        let keys: Vec<SwarmKey> = self
            .library
            .iter()
            .filter(|(_, resource)| due(&resource.phase) && !resource.record.paused)
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            self.unblock(key);
        }
    }

    /// Goes on with a blocked download, if nothing stands in its way any more.
    pub(super) fn unblock(&mut self, key: SwarmKey) {
        let lacking = self.lacking_space(key);
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        if let Some(reason) = lacking.filter(|_| !fetching.publishing) {
            let retry_at = Instant::now() + RETRY_AFTER;
            fetching.blocked = Some(Blocked { reason, kind: ErrorKind::NoSpace, retry_at });
            return;
        }
        let was_complete = fetching.publishing;
        let is_full = fetching.have.is_full();
        if let Some(blocked) = &mut fetching.blocked
            && was_complete
            && is_full
        {
            // the data is whole: what failed was to publish it
            blocked.retry_at = Instant::now() + RETRY_AFTER;
            return self.publish(key);
        }
        fetching.blocked = None;
        tracing::info!(resource = %key, "a download goes on");
        self.join(key);
    }

    /// Why there is no room for what a download has still to fetch, beside all others that run.
    pub(super) fn lacking_space(&self, key: SwarmKey) -> Option<String> {
        let rest = |phase: &Phase| match phase {
            Phase::Fetching(f) => u64::from(f.have.count().get() - f.have.len()) * u64::from(CHUNK_BYTES),
            _ => 0,
        };
        let runs = |phase: &Phase| matches!(phase, Phase::Fetching(f) if f.blocked.is_none());
        let own = rest(&self.library.get(key)?.phase);
        let others = self.library.iter().filter(|(other, resource)| *other != key && runs(&resource.phase));
        let needed = own + others.map(|(_, resource)| rest(&resource.phase)).sum::<u64>();
        let free = match self.home.free_bytes() {
            Ok(free) => free.saturating_sub(self.settings.min_free_bytes),
            Err(error) => return Some(error.to_string()),
        };
        (own > 0 && needed > free).then(|| {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let (needed, free, kept) = (mib(needed), mib(free), mib(self.settings.min_free_bytes));
            format!("no space: {needed} MiB needed, {free} MiB free (beside min_free_space, {kept} MiB)")
        })
    }

    /// A resource cannot go on without help.
    pub(super) fn fail_resource(&mut self, key: SwarmKey, reason: String, kind: ErrorKind) {
        tracing::error!(resource = %key, error = %reason, "a resource cannot go on");
        self.leave(key);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Failed(Failure { reason, kind });
        }
        self.changed();
    }
}

/// Copies a finished file. (Cheap where the file system can share blocks.)
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut from = open_regular(from)?;
    let copied = File::create(to).and_then(|mut file| io::copy(&mut from, &mut file));
    copied.map(drop).map_err(|source| StoreError { doing: "copy to", path: to.to_owned(), source })
}
