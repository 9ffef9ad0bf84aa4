//! Takes a download to its end: notes what is stored, syncs it, hashes the whole, publishes.

use super::Driver;
use super::state::Publishing;
use crate::inbox::{Input, TaskInput};
use crate::library::{
    Blocked, Download, Fetching, Frontier, HashedWhole, Phase, Published, Source, TakeError, Unnoted, Whole,
};
use crate::panicked::Panicked;
use crate::store::{FileIdentity, NameRecord, PartFile, PublishError, StoreError};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::ErrorKind;
use shared::swarm::{Event, PeerAddr};
use std::sync::Arc;
use std::time::Instant;

/// So many chunks are written at most before they are synced, whatever the time.
const DIRTY_MAX: u32 = 32;

/// How many files are published at once: each is synced, and a copy under another name is hashed, in 8 MiB of memory.
pub(super) const PUBLISHING_MAX: usize = 16;

impl Driver {
    /// The phase of a download whose part file is open, and that has these chunks for sure.
    pub(super) fn fetching(&self, manifest: Manifest, file: Arc<PartFile>, have: HaveMap) -> Fetching {
        let noted = have.len();
        self.fetching_beside(manifest, file, have, noted)
    }

    /// The same beside a have map on disk that claims only this many of the chunks.
    fn fetching_beside(
        &self,
        manifest: Manifest,
        file: Arc<PartFile>,
        have: HaveMap,
        noted: u32,
    ) -> Fetching {
        let (whole, unnoted) =
            (Whole::new(self.room.clone()), Unnoted::beginning_with(have.len().saturating_sub(noted)));
        let failed_syncs = file.failed_syncs();
        let download = Arc::new(Download { manifest, file, whole, unnoted, failed_syncs });
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
            safe: have.clone(),
            noted,
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
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        resource.unreadable.entry(index).and_modify(|written| *written = true);
        if !fetching.have.insert(index) {
            return fetching.download.unnoted.leave(1); // it came twice
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
            .stirring()
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
        let (download, have) = (fetching.download.clone(), fetching.have.clone());
        let syncing = download.clone();
        self.work(
            move || syncing.sync(),
            move |synced| {
                let failed = |panic: Panicked| Err(panic.at("sync", download.file.path()));
                let synced = synced.unwrap_or_else(failed);
                Input::Task(TaskInput::Synced { download, have, synced })
            },
        );
    }

    /// The data is safe. The have map is written in its turn: its place may be removed and made anew at any time.
    pub(super) fn synced(&mut self, download: &Arc<Download>, have: HaveMap, synced: Result<(), StoreError>) {
        if !self.is_current(download) {
            // The file itself remembers a failure: who publishes or checks what this download wrote is told of it.
            if let Err(error) = synced {
                tracing::warn!(resource = %download.manifest.key(), %error, "a former download was not synced");
            }
            return;
        }
        if let Err(error) = synced {
            return self.not_synced(download, &error);
        }
        let Some(resource) = self.library.get_mut(download.manifest.key()) else { return };
        if let Phase::Fetching(fetching) = &mut resource.phase {
            fetching.safe.clone_from(&have);
        }
        self.saver.note(self.context.clone(), download.clone(), &resource.slot, have, false);
    }

    /// After a sync that failed nobody can say what of the data since the last good one is on the disk: the system may
    /// have dropped it and still show it to whoever reads. Those chunks are fetched again, and all others are read
    /// back for the hash of the whole.
    fn not_synced(&mut self, download: &Arc<Download>, error: &StoreError) {
        let key = download.manifest.key();
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        let (file, safe) = (download.file.clone(), fetching.safe.clone());
        file.reopen();
        let chunks = fetching.have.len() - safe.len();
        tracing::error!(resource = %key, %error, chunks, "what was not synced before is fetched again");
        if !safe.count().last().is_some_and(|last| safe.contains(last)) {
            file.forget_last();
        }
        let noted = fetching.noted.min(safe.len());
        let mut anew = self.fetching_beside(download.manifest.clone(), file, safe, noted);
        anew.blocked = Some(Blocked::by_disk(error));
        self.leave(key);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Fetching(anew);
        }
    }

    /// A have map was written, or not: after a sync, or as a probe of a disk that has refused. A sync may be under way
    /// beside a probe.
    pub(super) fn noted(
        &mut self,
        download: &Arc<Download>,
        have: &HaveMap,
        is_probe: bool,
        noted: Result<(), StoreError>,
    ) {
        let key = download.manifest.key();
        if !self.is_current(download) {
            return;
        }
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        if !is_probe {
            (fetching.syncing, fetching.synced_at) = (false, Instant::now());
        }
        if let Err(error) = noted {
            fetching.dirty += 1; // try again with the next tick that is due
            return self.write_failed(key, &error);
        }
        download.unnoted.leave(have.len().saturating_sub(fetching.noted));
        fetching.noted = fetching.noted.max(have.len());
        let more = fetching.dirty >= DIRTY_MAX;
        self.probed(key);
        if more {
            self.sync(key);
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
        if self.publishing.len() >= PUBLISHING_MAX {
            self.to_publish.insert(key);
            return;
        }
        if self.publishing.contains_key(&key) {
            return;
        }
        let manifest = resource.manifest.with_name(record.name.clone());
        let (home, publisher) = (self.home.clone(), self.publisher.clone());
        let (name, to) = (record.name.clone(), self.home.file(&record.name));
        // A copy needs room; what is renamed has it already.
        let room = match &source {
            Source::Published(from) => from.identity.bytes,
            Source::Download(_) => 0,
        };
        let no_room = if room > 0 { self.no_room_for_copy(room) } else { None };
        let promised = if no_room.is_none() { room } else { 0 };
        self.publishing.insert(key, Publishing { name: name.clone(), delete: false, room: promised });
        let from = source.clone();
        let work = move || match &from {
            Source::Download(download) => {
                let finished = download.file.finished(download.failed_syncs);
                publisher.publish(&home, finished, &manifest, record.replace)
            }
            Source::Published(from) => {
                let bytes = from.identity.bytes;
                publisher.publish_copy(&home, &from.path, bytes, &manifest, record.replace, no_room)
            }
        };
        self.work(work, move |published| {
            let failed = |panic: Panicked| Err(PublishError::Store(panic.at("publish", &to)));
            let published = published.unwrap_or_else(failed);
            Input::Task(TaskInput::Published { source, name, published })
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
        while self.publishing.len() < PUBLISHING_MAX
            && let Some(next) = self.to_publish.pop_first()
        {
            self.publish(next);
        }
        let file = self.home.file(name);
        if self.library.key_of(name) != Some(key) {
            let unwanted = published.ok().filter(|_| delete);
            return self.published_in_vain(source, name, unwanted);
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let identity = match published {
            Ok(identity) => identity,
            Err(error) => return self.not_published(source, name, &error),
        };
        for record in resource.record.names.iter_mut().filter(|record| record.name == *name) {
            (record.published, record.replace, record.damaged) = (Some(identity), false, false);
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
    fn published_in_vain(&mut self, source: &Source, name: &ResourceName, unwanted: Option<FileIdentity>) {
        let key = source.key();
        if self.library.key_of(name).is_none() {
            let delete = unwanted.is_some();
            tracing::info!(resource = %key, %name, delete, "removed while it was being published");
            if let Some(identity) = unwanted {
                self.saver.remove_file(self.home.clone(), name.clone(), identity);
            }
            self.saver.hide_manifest(self.home.clone(), source.manifest().with_name(name.clone()));
        }
        self.publish(key); // another name, if there is one
    }

    fn not_published(&mut self, source: &Source, name: &ResourceName, error: &PublishError) {
        let key = source.key();
        let Some(resource) = self.library.get_mut(key) else { return };
        if !matches!(&resource.phase, Phase::Fetching(fetching) if fetching.blocked.is_some()) {
            tracing::error!(resource = %key, %name, %error, "cannot publish a finished download");
        }
        let blocked = match (error, source) {
            (PublishError::NameTaken(_), _) => Blocked::new(
                format!("{error}; move it away and resume, or get this one with --replace"),
                ErrorKind::Refused,
            ),
            (PublishError::NoRoom(why), _) => Blocked::new(why.clone(), ErrorKind::NoSpace),
            (PublishError::Obstructed { .. }, _) => {
                // it is waited for: the download goes on when it is gone
                Blocked::new(format!("{error}: move it away, and the file appears"), ErrorKind::Internal)
            }
            (PublishError::NotSynced(error), Source::Download(download)) => match self.is_current(download) {
                true => return self.not_synced(download, error),
                false => return, // another download has taken its place, and fetches what may be lost
            },
            (PublishError::Damaged(_), _) => return self.check(key, None),
            (PublishError::NotSynced(error) | PublishError::Store(error), _) => Blocked::by_disk(error),
        };
        self.changed();
        // This name is passed over for now; the next one may do better.
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.troubles.insert(name.clone(), blocked.reason.clone());
        let is_left =
            |record: &NameRecord| record.published.is_none() && !resource.troubles.contains_key(&record.name);
        let others = resource.record.names.iter().any(is_left);
        match &mut resource.phase {
            Phase::Fetching(_) if others => self.publish(key),
            Phase::Fetching(fetching) => {
                fetching.blocked = Some(blocked); // all names are tried again
                self.forgive(key);
            }
            Phase::Seeding(_) => {
                if blocked.kind != ErrorKind::Refused {
                    resource.republish_at = Some(blocked.retry_at);
                }
                self.publish(key);
            }
            _ => {}
        }
    }
}
