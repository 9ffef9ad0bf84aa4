//! Takes the chunks of a download that are on this machine, before it joins its swarm: first from the file that had its
//! name, then from all other files, at any position. What is not found, or cannot be taken, is fetched.
//!
//! A download that is to join its swarm first waits for [`Search`](super::search::Search), which runs beside the
//! driver, and then for [`Copying`], which reads each chunk, hashes it, compares it and writes it. Pausing, removing or
//! blocking the download ends both soon; when it is to join again, they begin again with what is missing then.

use super::Driver;
use super::search::Search;
use crate::inbox::{Context, DonorPage, FoundChunks, Input, TaskInput, Wanted};
use crate::jobs;
use crate::library::{
    Download, FoundHere, Older, Phase, Resource, Reuse, ReuseWork, ReusedFrom, Reusing, Shaping, Source,
    TakeError,
};
use crate::panicked::caught;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::host::config::ReuseScope;
use shared::id::SwarmKey;
use shared::reuse::repeats::Repeats;
use shared::reuse::search::Hit;
use shared::swarm::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Limits the resources that a search is told about at once, so that the driver is not kept from other work. At 1,000 it
/// takes about 0.1 ms.
const PAGE_MAX: usize = 1_000;

/// Limits the have maps that a search is told at once, in chunks. At 32 Mi chunks they have 4 MiB.
const PAGE_CHUNKS_MAX: u64 = 32 << 20;

/// Limits the chunks of a resource whose repeated chunks the driver itself looks for, if there is nothing else to look
/// for. Sorting 1,024 hashes takes less than 0.1 ms.
const INLINE_MAX: u32 = 1_024;

/// How many chunks of a file in a row may be unreadable or wrong. Then the rest of what it should have is fetched,
/// because an unreadable chunk may cost a failing disk half a minute.
const MISSES_MAX: u32 = 4;

impl Driver {
    /// Begins to look for the chunks of a download on this machine, unless that was done. Returns whether the download
    /// has to wait for the result before it joins its swarm.
    pub(super) fn looks_here_first(&mut self, key: SwarmKey) -> bool {
        let Some(resource) = self.library.get(key) else { return false };
        let Phase::Fetching(fetching) = &resource.phase else { return false };
        match fetching.reuse {
            Reuse::Done => return false,
            Reuse::Runs(_) => return true,
            Reuse::Due => {}
        }
        let scope = self.scope(resource);
        if scope == ReuseScope::All && !self.loading.is_over() {
            return true; // it goes on when all files are known
        }
        let is_unknown = resource.record.takes_from_older && matches!(resource.older, Older::Unknown);
        if is_unknown && scope != ReuseScope::None && self.suppose_it_is(key) {
            return true; // the last run has ended while it took chunks from that file
        }
        let Some(resource) = self.library.get(key) else { return false };
        let Phase::Fetching(fetching) = &resource.phase else { return false };
        let has_no_donor = match scope {
            ReuseScope::All => self.library.iter().nth(1).is_none(),
            ReuseScope::SameName | ReuseScope::None => true,
        };
        let has_older = scope != ReuseScope::None && matches!(resource.older, Older::File(_));
        if fetching.have.is_full() {
            self.nothing_more_is_here(key, None);
            return false;
        }
        if has_no_donor && !has_older && resource.count().get() <= INLINE_MAX {
            let repeats = Repeats::of(&resource.manifest);
            if repeats.is_empty() || fetching.have.is_empty() {
                self.nothing_more_is_here(key, Some(Arc::new(repeats)));
                return false;
            }
        }
        self.look_here(key, scope);
        true
    }

    /// From which files chunks of a download may be taken.
    pub(super) fn scope(&self, resource: &Resource) -> ReuseScope {
        if resource.record.no_reuse { ReuseScope::None } else { self.settings.reuse }
    }

    /// Takes no more chunks from other files for a download if this request for it does not allow that. An earlier
    /// request may have allowed it.
    pub(super) fn restrict_reuse(&mut self, key: SwarmKey, wanted: &Wanted) {
        let Some(resource) = self.library.get_mut(key).filter(|it| !wanted.reuse && !it.record.no_reuse)
        else {
            return;
        };
        if matches!(resource.phase, Phase::Seeding(_)) {
            return; // nothing is taken; a request that fetches it again has its own answer
        }
        resource.record.no_reuse = true;
        self.saver.save(&resource.slot, &resource.record);
        self.stop_following(key);
        let has_joined =
            |phase: &Phase| matches!(phase, Phase::Fetching(fetching) if fetching.reuse.is_done());
        if !self.library.get(key).is_some_and(|resource| has_joined(&resource.phase)) {
            self.stop_reuse(key);
            self.join(key);
        }
    }

    fn look_here(&mut self, key: SwarmKey, scope: ReuseScope) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let older = match &resource.older {
            Older::File(older) if scope != ReuseScope::None => Some(older.clone()),
            _ => None,
        };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        let reusing = Reusing::default();
        let (work, download) = (reusing.work.clone(), fetching.download.clone());
        let (context, wanted) = (self.context.clone(), work.clone());
        let search = Search {
            context: context.clone(),
            download: download.clone(),
            have: fetching.have.clone(),
            older,
            may_be_tree: fetching.shaping != Shaping::Known,
            is_wide: scope == ReuseScope::All,
            work: work.clone(),
        };
        fetching.reuse = Reuse::Runs(reusing);
        let places = self.reusers.searches.clone();
        jobs::spawn(async move {
            let Ok(place) = places.acquire_owned().await else { return };
            if !wanted.is_wanted() {
                return;
            }
            let found = match search.perform().await {
                Ok(found) => found,
                Err(error) if error.is_panic() => {
                    tracing::error!(id = %download.manifest.key(), %error, "cannot look for chunks on this machine");
                    FoundChunks::default()
                }
                Err(_) => return, // the daemon is stopping
            };
            drop(place);
            context.tell(Input::Task(TaskInput::Searched { download, work, found })).await;
        });
        self.changed();
    }

    /// Tells a search about some of the resources.
    pub(super) fn tell_donors(&self, after: Option<SwarmKey>, reply: oneshot::Sender<DonorPage>) {
        let mut page = DonorPage { donors: Vec::new(), next: None };
        let mut chunks = 0;
        for (looked, (key, resource)) in self.library.after(after).enumerate() {
            match &resource.phase {
                Phase::Seeding(published) => {
                    page.donors.push((Source::Published(published.clone()), None));
                }
                Phase::Fetching(fetching) if !fetching.have.is_empty() => {
                    let source = Source::Download(fetching.download.clone());
                    page.donors.push((source, Some(fetching.have.clone())));
                    chunks += u64::from(resource.count().get());
                }
                _ => {}
            }
            if looked + 1 >= PAGE_MAX || chunks >= PAGE_CHUNKS_MAX {
                page.next = Some(key);
                break;
            }
        }
        let _ = reply.send(page); // the search may have ended
    }

    /// Begins to take the chunks that were found.
    pub(super) fn searched(&mut self, download: &Arc<Download>, work: &ReuseWork, found: FoundChunks) {
        let key = download.manifest.key();
        let Some(reusing) = self.reusing(download, work) else { return };
        if found.hits.is_empty() {
            return self.nothing_more_is_here(key, found.repeats);
        }
        reusing.found = Some(summary(key, &found));
        reusing.repeats.clone_from(&found.repeats);
        self.remember_older(key, &found);
        let bytes = found.hits.len() as u64 * u64::from(CHUNK_BYTES);
        let (context, download, work) = (self.context.clone(), download.clone(), work.clone());
        let copying = Copying {
            context: context.clone(),
            download: download.clone(),
            found,
            work: work.clone(),
            stop: self.stop.clone(),
        };
        let (places, within) = (self.reusers.copies.places_for(bytes), self.reusers.copy_within);
        let free = places.clone().try_acquire_owned().ok();
        if free.is_some() {
            work.begin_copying();
        }
        jobs::spawn(async move {
            let place = match free {
                Some(place) => Some(place),
                None => timeout(within, places.acquire_owned()).await.ok().and_then(Result::ok),
            };
            if let Some(place) = place {
                work.begin_copying();
                copying.run(key).await;
                drop(place);
            } else if work.is_wanted() {
                tracing::info!(id = %key, "chunks that are here are fetched: other downloads are still copying");
            }
            context.tell(Input::Task(TaskInput::ReuseEnded { download, work })).await;
        });
        self.changed();
    }

    /// Records that chunks of the file that a download replaces are being taken, since after a restart nobody knows what
    /// that file contains.
    fn remember_older(&mut self, key: SwarmKey, found: &FoundChunks) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Older::File(older) = &resource.older else { return };
        let is_older = |source: &Source| matches!(source, Source::Published(it) if Arc::ptr_eq(it, older));
        if !resource.record.takes_from_older && found.sources.iter().any(is_older) {
            resource.record.takes_from_older = true;
            self.saver.save(&resource.slot, &resource.record);
        }
    }

    /// The chunks that were found were taken, as far as they were right.
    pub(super) fn reuse_ended(&mut self, download: &Arc<Download>, work: &ReuseWork) {
        let key = download.manifest.key();
        let Some(reusing) = self.reusing(download, work) else { return };
        let repeats = reusing.repeats.take();
        if let Some(resource) = self.library.get(key) {
            let (name, total) = (resource.manifest.name(), resource.count());
            let taken = resource.sources.reused().chunks_from_files;
            tracing::info!(%name, id = %key, "{taken} of {total} chunks were taken from other files here");
        }
        self.nothing_more_is_here(key, repeats);
    }

    /// The present search of this download, or its copying.
    fn reusing(&mut self, download: &Arc<Download>, work: &ReuseWork) -> Option<&mut Reusing> {
        if !self.is_current(download) {
            return None;
        }
        match &mut self.library.get_mut(download.manifest.key())?.phase {
            Phase::Fetching(fetching) if fetching.reuse.is_in(work) => match &mut fetching.reuse {
                Reuse::Runs(reusing) => Some(reusing),
                Reuse::Due | Reuse::Done => None,
            },
            _ => None,
        }
    }

    /// Nothing more is taken from this machine before a download joins its swarm.
    fn nothing_more_is_here(&mut self, key: SwarmKey, repeats: Option<Arc<Repeats>>) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        let was_waited_for = !matches!(fetching.reuse, Reuse::Due);
        fetching.reuse = Reuse::Done;
        resource.sources.join(Instant::now());
        fetching.repeats = repeats.filter(|repeats| !repeats.is_empty());
        if std::mem::take(&mut resource.record.takes_from_older) {
            self.saver.save(&resource.slot, &resource.record);
        }
        if was_waited_for {
            self.start_or_wait(key);
        }
        self.changed();
    }

    /// Stops taking chunks for a download that leaves its swarm, or does not join it. What is left is looked for again
    /// when it is to join.
    pub(super) fn stop_reuse(&mut self, key: SwarmKey) {
        let is_running = |resource: &Resource| match &resource.phase {
            Phase::Fetching(it) => matches!(it.reuse, Reuse::Runs(_)) || it.repeating.is_some(),
            _ => false,
        };
        if !self.library.get(key).is_some_and(is_running) {
            return;
        }
        if let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) {
            // Without `repeats` no thread begins to write repeated chunks beside a copy that is just ending.
            (fetching.reuse, fetching.repeats, fetching.repeating) = (Reuse::Due, None, None);
        }
    }

    /// Continues the downloads that waited until all files of the last run were known.
    pub(super) fn look_here_after_loading(&mut self) {
        let waits = |resource: &Resource| matches!(&resource.phase, Phase::Fetching(it) if matches!(it.reuse, Reuse::Due) && it.blocked.is_none());
        let waiting = self.library.stirring().filter(|(_, resource)| waits(resource));
        let waiting: Vec<SwarmKey> = waiting.map(|(key, _)| key).collect();
        waiting.into_iter().for_each(|key| self.join(key));
    }

    fn has_chunk(&self, key: SwarmKey, index: ChunkIndex) -> bool {
        let phase = self.library.get(key).map(|resource| &resource.phase);
        matches!(phase, Some(Phase::Fetching(fetching)) if fetching.have.contains(index))
    }

    /// A chunk was found on this machine, verified and written ([`Download::store`]), or one of the two failed. This is
    /// the only way in which such chunks enter a download, whether it has joined its swarm or not. A chunk that is wrong
    /// or cannot be written stays missing, and is fetched.
    pub(super) fn reused(
        &mut self,
        download: &Arc<Download>,
        index: ChunkIndex,
        from: &ReusedFrom,
        taken: Result<(), TakeError>,
    ) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        match taken {
            Ok(()) if self.stored_from_here(key, index, from) => {
                self.event(Event::Stored { key, index });
                if matches!(from, ReusedFrom::File(_)) {
                    self.follower_found(key); // only the follower takes from a file while it holds chunks
                }
            }
            // It is wrong, or a peer was faster, or the download has ended.
            Ok(()) | Err(TakeError::Corrupt | TakeError::Ended | TakeError::Unread(_)) => {}
            Err(error) => {
                let name = download.manifest.name();
                tracing::warn!(%name, id = %key, %error, "cannot store chunk {index}, which is here");
                match error {
                    // Somebody else has written it meanwhile, and this attempt may have damaged it.
                    TakeError::Store(_) if self.has_chunk(key, index) => self.check(key),
                    TakeError::Store(error) => self.write_failed(key, error),
                    _ => {}
                }
            }
        }
    }
}

/// How much was found, for people.
fn summary(key: SwarmKey, found: &FoundChunks) -> FoundHere {
    let files = found.hits.chunk_by(|one, other| one.list == other.list);
    let files = files.map(|hits| (hits.len(), &found.sources[hits[0].list as usize]));
    let largest = files.clone().max_by_key(|(chunks, _)| *chunks);
    FoundHere {
        chunks: u32::try_from(found.hits.len()).unwrap_or(u32::MAX),
        file: largest
            .filter(|(_, source)| source.key() != key)
            .map(|(_, source)| source.manifest().name().clone()),
        others: u32::try_from(files.count().saturating_sub(1)).unwrap_or(u32::MAX),
    }
}

/// Takes the chunks that were found, on a thread that may block.
struct Copying {
    context: Arc<Context>,
    download: Arc<Download>,
    found: FoundChunks,
    work: ReuseWork,
    stop: Arc<AtomicBool>,
}

impl Copying {
    /// Takes them outside the async workers.
    async fn run(self, key: SwarmKey) {
        let copied = jobs::run(move || caught(|| self.perform())).await;
        if let Ok(Err(error)) = copied {
            tracing::error!(id = %key, %error, "cannot take chunks that are on this machine");
        }
    }

    fn perform(&self) {
        for hits in self.found.hits.chunk_by(|one, other| one.list == other.list) {
            if self.take_from(&self.found.sources[hits[0].list as usize], hits).is_none() {
                return;
            }
        }
    }

    /// Takes chunks from one file. Returns `None` if no further chunks are wanted or can be written.
    fn take_from(&self, source: &Source, hits: &[Hit]) -> Option<()> {
        let name = source.manifest().name();
        let donor = match source.donor() {
            Ok(donor) => donor,
            Err(error) => {
                tracing::info!(%name, %error, "no chunks are taken from this file");
                return Some(());
            }
        };
        let from = match source.key() == self.download.manifest.key() {
            true => ReusedFrom::Itself,
            false => ReusedFrom::File(name.clone()),
        };
        let mut misses = 0;
        for hit in hits {
            if !self.work.is_wanted() || self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let (index, from, download) = (hit.wanted, from.clone(), self.download.clone());
            match download.store_from(index, &donor, hit.at) {
                Err(error @ (TakeError::Corrupt | TakeError::Unread(_))) => {
                    misses += 1;
                    let wanted = self.download.manifest.name();
                    tracing::warn!(%name, %error, "cannot take chunk {index} of {wanted} from this file; it is fetched");
                    if misses >= MISSES_MAX {
                        return Some(()); // the file has changed, or its disk fails
                    }
                }
                taken => {
                    misses = 0;
                    let is_taken = taken.is_ok();
                    self.context.tell_blocking(Input::Task(TaskInput::Reused {
                        download,
                        index,
                        from,
                        taken,
                    }));
                    if !is_taken {
                        return None;
                    }
                }
            }
        }
        Some(())
    }
}
