//! Takes a download to its end: notes what is stored, syncs it, hashes the whole, publishes.

use super::{Driver, Input, Publishing};
use crate::library::{
    Blocked, Download, Failure, Fetching, Frontier, HashedWhole, Phase, Published, Source, TakeError, Whole,
};
use crate::store::{
    FileIdentity, Home, NameRecord, PartFile, PublishError, Publisher, StoreError, open_regular,
};
use crate::tasks::TaskInput;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::host::hashing::{hash_file, silent};
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::ErrorKind;
use shared::swarm::{Event, PeerAddr};
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
        let download = Arc::new(Download { manifest, file, whole: Whole::new(self.room.clone()) });
        let (context, hashed) = (self.context.clone(), download.clone());
        let done = move |whole| {
            let input = Input::Task(TaskInput::Whole { download: hashed, whole });
            tokio::spawn(async move { context.tell(input).await });
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
            verified: false,
            blocked: None,
        }
    }

    /// A chunk that came from a peer is verified and written, or not.
    pub(super) fn taken(
        &mut self,
        download: &Arc<Download>,
        index: ChunkIndex,
        peer: PeerAddr,
        taken: Result<(), TakeError>,
    ) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        let event = match taken {
            Ok(()) => Event::Stored { key, index },
            Err(TakeError::Corrupt) => Event::Corrupt { key, index, peer },
            Err(error) => {
                tracing::warn!(resource = %key, chunk = %index, %peer, %error, "a chunk was not stored");
                if let TakeError::Store(error) = error {
                    self.write_failed(key, &error);
                }
                Event::NotStored { key, index }
            }
        };
        self.event(event);
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

    /// Whether this is still what is being fetched: what comes from a download that was removed, or checked since
    /// then, says nothing of the one that took its place.
    fn is_current(&self, download: &Arc<Download>) -> bool {
        let phase = self.library.get(download.manifest.key()).map(|resource| &resource.phase);
        matches!(phase, Some(Phase::Fetching(fetching)) if Arc::ptr_eq(&fetching.download, download))
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
        let (download, have, context) =
            (fetching.download.clone(), fetching.have.clone(), self.context.clone());
        tokio::task::spawn_blocking(move || {
            let synced = download.file.sync();
            context.tell_blocking(Input::Task(TaskInput::Synced { download, have, synced }));
        });
    }

    /// The data is safe. The have map is written in its turn: its place may be removed and made anew at any time.
    pub(super) fn synced(&mut self, download: &Arc<Download>, have: HaveMap, synced: Result<(), StoreError>) {
        if synced.is_err() {
            return self.noted(download, synced);
        }
        if let Some(resource) =
            self.library.get(download.manifest.key()).filter(|_| self.is_current(download))
        {
            self.saver.note(self.context.clone(), download.clone(), &resource.slot, have);
        }
    }

    pub(super) fn noted(&mut self, download: &Arc<Download>, noted: Result<(), StoreError>) {
        let key = download.manifest.key();
        if !self.is_current(download) {
            return;
        }
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        (fetching.syncing, fetching.synced_at) = (false, Instant::now());
        if let Err(error) = noted {
            fetching.dirty += 1; // try again with the next tick that is due
            self.write_failed(key, &error);
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
    pub(super) fn whole(&mut self, download: &Arc<Download>, whole: HashedWhole) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        match whole {
            Ok(id) if id == key.resource => {
                if let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) {
                    fetching.verified = true;
                }
                self.publish(key);
            }
            Ok(_) => {
                tracing::error!(resource = %key, error = "the hash of the whole is wrong", "checking every chunk");
                self.check(key, None);
            }
            Err(error) => {
                tracing::error!(resource = %key, %error, "cannot hash the whole; checking every chunk");
                self.check(key, None);
            }
        }
    }

    /// Publishes a resource whose bytes are all there and right under the first of its names that waits for it.
    /// When that is done the next one follows: two at once would get into each other's way.
    pub(super) fn publish(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let Some(source) = resource.source() else { return };
        if matches!(&resource.phase, Phase::Fetching(fetching) if !fetching.verified) {
            return;
        }
        let waits = |record: &&NameRecord| {
            record.published.is_none() && !resource.troubles.contains_key(&record.name)
        };
        let Some(record) = resource.record.names.iter().find(waits).cloned() else { return };
        if self.publishing.contains_key(&key) {
            return;
        }
        let manifest = resource.manifest.with_name(record.name.clone());
        let (home, publisher, context) = (self.home.clone(), self.publisher.clone(), self.context.clone());
        self.publishing.insert(key, Publishing { name: record.name.clone(), delete: false });
        tokio::task::spawn_blocking(move || {
            let published = match &source {
                Source::Download(download) => {
                    publisher.publish(&home, download.file.path(), &manifest, record.replace)
                }
                Source::Published(from) => publish_copy(&publisher, &home, from, &manifest, record.replace),
            };
            context.tell_blocking(Input::Task(TaskInput::Published { source, name: record.name, published }));
        });
    }

    pub(super) fn published(
        &mut self,
        source: &Source,
        name: &ResourceName,
        published: Result<FileIdentity, PublishError>,
    ) {
        let key = source.key();
        let delete = self.publishing.remove(&key).is_some_and(|publishing| publishing.delete);
        let file = self.home.file(name);
        if self.library.key_of(name) != Some(key) {
            return self.published_in_vain(key, name, delete && published.is_ok());
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let identity = match published {
            Ok(identity) => identity,
            Err(error) => return self.not_published(key, name, &error),
        };
        for record in resource.record.names.iter_mut().filter(|record| record.name == *name) {
            (record.published, record.replace) = (Some(identity), false);
        }
        resource.troubles.remove(name);
        self.saver.save(&resource.slot, &resource.record);
        match (&resource.phase, source) {
            (Phase::Seeding(_), _) => {}
            (Phase::Fetching(fetching), Source::Download(download))
                if Arc::ptr_eq(&fetching.download, download) =>
            {
                let manifest = resource.manifest.clone();
                resource.phase = Phase::Seeding(Arc::new(Published { manifest, path: file, identity }));
                tracing::info!(resource = %key, %name, bytes = identity.bytes, "complete, verified and published");
            }
            // It is being checked, or was begun anew: what is under the name counts now.
            _ => return self.check(key, None),
        }
        self.saver.tidy(&resource.slot);
        self.join(key);
        self.changed();
        self.publish(key); // the next name, if there is one
    }

    /// The name was removed while it was being published: nothing of it is left but what is to stay.
    fn published_in_vain(&mut self, key: SwarmKey, name: &ResourceName, delete: bool) {
        if self.library.key_of(name).is_none() {
            tracing::info!(resource = %key, %name, delete, "removed while it was being published");
            let file = delete.then(|| self.home.file(name));
            self.saver.remove(file.into_iter().chain([self.home.manifest_file(name)]).collect());
        }
        self.publish(key); // another name, if there is one
    }

    fn not_published(&mut self, key: SwarmKey, name: &ResourceName, error: &PublishError) {
        let Some(resource) = self.library.get_mut(key) else { return };
        if !matches!(&resource.phase, Phase::Fetching(fetching) if fetching.blocked.is_some()) {
            tracing::error!(resource = %key, %name, %error, "cannot publish a finished download");
        }
        let (reason, kind) = match error {
            PublishError::NameTaken(_) => (
                format!("{error}; move it away and resume, or get this one with --replace"),
                ErrorKind::Refused,
            ),
            PublishError::Store(store) if store.is_no_space() => {
                (format!("no space: {error}"), ErrorKind::NoSpace)
            }
            PublishError::Damaged(_) => return self.check(key, None),
            PublishError::Store(_) => (error.to_string(), ErrorKind::Internal),
        };
        match &mut resource.phase {
            Phase::Fetching(fetching) => {
                fetching.blocked = Some(Blocked { reason, kind, retry_at: Instant::now() + RETRY_AFTER });
            }
            _ => drop(resource.troubles.insert(name.clone(), reason)),
        }
        self.changed();
        if matches!(self.library.get(key).map(|resource| &resource.phase), Some(Phase::Seeding(_))) {
            self.publish(key); // the next name may do better
        }
    }

    // -- what stands in the way

    /// The disk refuses: the download waits, and nothing is lost.
    pub(super) fn write_failed(&mut self, key: SwarmKey, error: &StoreError) {
        match error.is_no_space() {
            true => self.block(key, format!("no space: {error}"), ErrorKind::NoSpace),
            false => self.block(key, error.to_string(), ErrorKind::Internal),
        }
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
        if let Some(reason) = lacking.filter(|_| !fetching.verified) {
            let retry_at = Instant::now() + RETRY_AFTER;
            fetching.blocked = Some(Blocked { reason, kind: ErrorKind::NoSpace, retry_at });
            return;
        }
        if let Some(blocked) = fetching.blocked.as_mut().filter(|_| fetching.verified) {
            // what failed was to publish it, or to note what had arrived
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

/// Publishes a copy of a finished file under another of its names. The copy is hashed: what was damaged on the disk,
/// or has changed since it was hashed, is not passed on.
fn publish_copy(
    publisher: &Publisher,
    home: &Home,
    from: &Published,
    manifest: &Manifest,
    replace: bool,
) -> Result<FileIdentity, PublishError> {
    let to = home.file(manifest.name());
    if let Some(identity) = holds_already(&to, manifest.resource(), from.identity.bytes) {
        publisher.show_manifest(home, manifest)?;
        return Ok(identity);
    }
    let temporary = home.temporary();
    let published = copy(&from.path, &temporary).map_err(PublishError::from).and_then(|id| {
        if id != manifest.resource() {
            return Err(PublishError::Damaged(from.path.clone()));
        }
        publisher.publish(home, &temporary, manifest, replace)
    });
    let _ = std::fs::remove_file(&temporary);
    published
}

/// Copies a file (cheap where the file system can share blocks), and hashes the copy.
fn copy(from: &Path, to: &Path) -> Result<ResourceId, StoreError> {
    let mut from = open_regular(from)?;
    let mut options = File::options();
    let copied = options.read(true).write(true).create_new(true).open(to).and_then(|mut file| {
        io::copy(&mut from, &mut file)?;
        hash_file(&file, &silent)
    });
    let hashed = copied.map_err(|source| StoreError { doing: "copy to", path: to.to_owned(), source })?;
    Ok(hashed.resource)
}

/// The file at a path, if it is this very resource: put there just before a crash, perhaps, or by hand.
pub(super) fn holds_already(path: &Path, resource: ResourceId, bytes: u64) -> Option<FileIdentity> {
    let file = open_regular(path).ok()?;
    let identity = FileIdentity::of(&file).ok().filter(|identity| identity.bytes == bytes)?;
    let hashed = hash_file(&file, &silent).ok()?;
    (hashed.resource == resource).then_some(identity)
}
