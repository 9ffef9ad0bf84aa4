//! A resource on this machine, and what is being done with it.

use super::checking::CheckStep;
use super::checking::{Check, Checking};
use super::opening::Opening;
use super::rates::{Rates, Traffic};
use super::source::{Download, Former, Published, Source};
use super::why::{Blocked, Failure, Why};
use crate::library::Standing;
use crate::store::Home;
use crate::store::{NameRecord, Record, Slot};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// A resource on this machine.
#[derive(Debug)]
pub struct Resource {
    /// What it is, under its first name.
    pub manifest: Manifest,
    /// What survives a restart.
    pub record: Record,
    /// Where its own files are.
    pub slot: Slot,
    /// What is being done with it.
    pub phase: Phase,
    /// What is wrong with single names: their file is gone, or has changed.
    pub troubles: BTreeMap<ResourceName, Why>,
    /// The download before the check that is due or under way.
    pub former: Option<Former>,
    /// Chunks that the disk could not read, and whether they were written anew since.
    pub unreadable: BTreeMap<ChunkIndex, bool>,
    /// When to try once more to publish the names that the disk has refused.
    pub republish_at: Option<Instant>,
    /// The trackers that know the same resource with another list of chunks.
    pub conflicts: BTreeSet<TrackerUrl>,
    /// How it stands in the catalogues of its trackers where not all is well, and since when that is known.
    pub standings: BTreeMap<TrackerUrl, (Standing, Instant)>,
    /// Another list of its chunks takes its place as soon as that can be fetched.
    pub gives_way: bool,
    /// What went in and out.
    pub traffic: Arc<Traffic>,
    /// How fast it goes.
    pub rates: Rates,
}

/// What is being done with a resource.
#[derive(Debug)]
pub enum Phase {
    /// It is not known yet what is here.
    Checking(Checking),
    /// It is wanted here, but its place cannot be made yet: only memory knows of it.
    Accepted(Blocked),
    /// The place of the download is being made.
    Opening(Opening),
    /// Chunks are being fetched, or would be if nothing stood in the way.
    Fetching(Fetching),
    /// It is complete and served from this file.
    Seeding(Arc<Published>),
    /// It cannot go on without help.
    Failed(Failure),
}

/// A download.
#[derive(Debug)]
pub struct Fetching {
    /// Where the chunks go.
    pub download: Arc<Download>,
    /// What is verified and written.
    pub have: HaveMap,
    /// What is synced as well: after a sync that failed nothing else is sure.
    pub safe: HaveMap,
    /// How many chunks the have map on disk claims.
    pub noted: u32,
    /// Chunks that were written since the last sync.
    pub dirty: u32,
    /// A sync is under way.
    pub syncing: bool,
    /// When the have map was last persisted.
    pub synced_at: Instant,
    /// The whole is hashed and right, so it may be published.
    pub verified: bool,
    /// Why it does not take part in its swarm for now, and when to try again.
    pub blocked: Option<Blocked>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.download.unnoted.end();
        self.download.whole.end();
    }
}

impl Resource {
    /// A resource in a phase; nothing is wrong with it yet.
    pub fn new(manifest: Manifest, record: Record, slot: Slot, phase: Phase) -> Resource {
        Resource {
            manifest,
            record,
            slot,
            phase,
            troubles: BTreeMap::new(),
            former: None,
            unreadable: BTreeMap::new(),
            republish_at: None,
            conflicts: BTreeSet::new(),
            standings: BTreeMap::new(),
            gives_way: false,
            traffic: Arc::default(),
            rates: Rates::default(),
        }
    }

    /// Which swarm it belongs to.
    pub fn key(&self) -> SwarmKey {
        self.record.key
    }

    /// How many chunks it has.
    pub fn count(&self) -> ChunkCount {
        self.manifest.count()
    }

    /// Whether its manifest was found to be false, and no file is here under any of its names.
    pub fn is_disproved(&self) -> bool {
        let is_false =
            matches!(&self.phase, Phase::Failed(failure) if matches!(failure.why, Why::FalseManifest));
        is_false && self.record.names.iter().all(|record| record.published.is_none())
    }

    /// Whether it is to be looked at again after a while, beside what comes in about it: it is being fetched, or waits.
    pub(super) fn is_due_some_time(&self) -> bool {
        match &self.phase {
            Phase::Fetching(_) | Phase::Accepted(_) => true,
            Phase::Seeding(_) => self.republish_at.is_some(),
            Phase::Failed(failure) => failure.retry_at.is_some(),
            // how far it is
            Phase::Checking(checking) => matches!(checking.step, CheckStep::Hashes | CheckStep::Copies),
            Phase::Opening(_) => false, // its end comes in
        }
    }

    /// Whether a chunk of it is being sent or received just now: whoever does that holds its traffic.
    pub(super) fn has_chunks_on_their_way(&self) -> bool {
        Arc::strong_count(&self.traffic) > 1
    }

    /// Whether nobody knows yet if its list of chunks is the true one: it was not whole yet under any name.
    pub fn is_unproven(&self) -> bool {
        let is_whole = matches!(&self.phase, Phase::Seeding(_));
        let is_verified = matches!(&self.phase, Phase::Fetching(fetching) if fetching.verified);
        !is_whole && !is_verified && self.record.names.iter().all(|record| record.published.is_none())
    }

    /// Whether this check is still the one that goes on.
    pub fn is_in(&self, check: &Check) -> bool {
        matches!(&self.phase, Phase::Checking(present) if present.check.is_same(check))
    }

    /// Whether this place is still the one that is being made for it.
    pub fn is_opening(&self, opening: &Opening) -> bool {
        matches!(&self.phase, Phase::Opening(present) if present.is_same(opening))
    }

    /// The name whose file is to be checked: one that was published and that nothing is known against; `None` for
    /// the download, when a name waits for it.
    pub fn to_check(&self) -> Option<&NameRecord> {
        let has_trouble = |record: &&NameRecord| self.troubles.contains_key(&record.name);
        let mut good = self.record.names.iter().filter(|record| !has_trouble(record));
        let waits = good.clone().any(|record| record.published.is_none());
        let is_published = |record: &&NameRecord| record.published.is_some();
        let any = || self.record.names.iter().find(is_published).filter(|_| !waits);
        good.find(is_published).or_else(any)
    }

    /// The file that its chunks are read from, unless there is none now.
    pub fn source(&self) -> Option<Source> {
        match &self.phase {
            Phase::Fetching(fetching) => Some(Source::Download(fetching.download.clone())),
            Phase::Seeding(published) => Some(Source::Published(published.clone())),
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Opening(_) | Phase::Failed(_) => None,
        }
    }

    /// The files that it has under its names.
    pub fn published_files<'a>(&'a self, home: &'a Home) -> impl Iterator<Item = Published> + 'a {
        self.record.names.iter().filter_map(|record| {
            let (identity, path) = (record.published?, home.file(&record.name));
            Some(Published { manifest: self.manifest.with_name(record.name.clone()), path, identity })
        })
    }

    /// The trackers that hear of it: the manifest's, and the one where it was found.
    pub fn trackers(&self) -> Vec<TrackerUrl> {
        let mut trackers = self.manifest.trackers().to_vec();
        trackers.extend(
            self.record.trackers.iter().filter(|url| !self.manifest.trackers().contains(url)).cloned(),
        );
        trackers
    }

    /// How many chunks are verified and written.
    pub fn have(&self) -> u32 {
        match &self.phase {
            Phase::Fetching(fetching) => fetching.have.len(),
            Phase::Seeding(_) => self.count().get(),
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Opening(_) | Phase::Failed(_) => 0,
        }
    }
}
