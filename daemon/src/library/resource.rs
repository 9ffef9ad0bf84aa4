//! A resource on this machine, and its phases.

use super::checking::CheckStep;
use super::checking::{Check, Checking};
use super::following::Following;
use super::older::Older;
use super::opening::Opening;
use super::rates::{Rates, Traffic};
use super::reusing::{Repeating, Reuse, ReuseWork};
use super::source::{Download, Former, Source};
use super::sources::{Fetched, Sources};
use super::why::{Blocked, Failure, Why};
use crate::library::{Newer, Standing};
use crate::store::Home;
use crate::store::{Edited, FileIdentity, NameRecord, PublishedFile, PublishedTree, Record, Slot};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::reuse::repeats::Repeats;
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A resource on this machine.
#[derive(Debug)]
pub struct Resource {
    /// Its manifest, under its first name.
    pub manifest: Manifest,
    /// The state that survives a restart.
    pub record: Record,
    /// The directory of its own files.
    pub slot: Slot,
    /// Whether it is a directory: its chunks are in the files of a tree. As long as that is not known, it is a file.
    pub is_tree: bool,
    /// What is being done with it.
    pub phase: Phase,
    /// What was edited in it, if it is a directory.
    pub edited: Option<Edited>,
    /// Problems with single names whose file is gone or has changed.
    pub troubles: BTreeMap<ResourceName, Why>,
    /// The download that existed before the check that is waiting or running.
    pub former: Option<Former>,
    /// Chunks that the disk could not read, and whether they were written again since.
    pub unreadable: BTreeMap<ChunkIndex, bool>,
    /// When to publish again the names that the disk refused.
    pub republish_at: Option<Instant>,
    /// Trackers that know this resource with another list of chunks.
    pub conflicts: BTreeSet<TrackerUrl>,
    /// Its standing in each tracker's catalogue that has a problem with it, and since when.
    pub standings: BTreeMap<TrackerUrl, (Standing, Instant)>,
    /// The newer versions of its names that each tracker knows.
    pub newer: BTreeMap<TrackerUrl, Newer>,
    /// The size in bytes that a tracker told. It is a stranger's claim that was only checked against the number of
    /// chunks: it is shown to people and used for nothing else. The true size is that of the complete file.
    pub bytes_told: Option<u64>,
    /// Whether another list of its chunks replaces it as soon as that can be fetched.
    pub gives_way: bool,
    /// The sources of the download, while it is one.
    pub sources: Sources,
    /// How it came to be here, if a download of it was completed in this run.
    pub fetched: Option<Fetched>,
    /// The file that its download will replace.
    pub older: Older,
    /// Its traffic.
    pub traffic: Arc<Traffic>,
    /// Its rates.
    pub rates: Rates,
}

/// The phase of a resource.
#[derive(Debug)]
pub enum Phase {
    /// What is here is being checked.
    Checking(Checking),
    /// It was accepted, but its slot cannot be made yet, so it exists only in memory.
    Accepted(Blocked),
    /// The slot of the download is being made.
    Opening(Opening),
    /// Chunks are being fetched, unless the download is blocked.
    Fetching(Box<Fetching>),
    /// It is complete and served from this file.
    Seeding(Arc<PublishedFile>),
    /// It cannot continue without a user's help.
    Failed(Failure),
}

/// Whether it is known of a download that it is a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shaping {
    /// It is known, and a directory was laid out as one.
    Known,
    /// These many chunks from the beginning say it.
    Needs(u32),
    /// It is being found out, or the directory is being laid out.
    Working,
}

/// A download.
#[derive(Debug)]
pub struct Fetching {
    /// The download's files and hashes.
    pub download: Arc<Download>,
    /// The chunks that are verified and written.
    pub have: HaveMap,
    /// The chunks that are synced as well. After a failed sync only these are certain.
    pub safe: HaveMap,
    /// The number of chunks that the have map on disk claims.
    pub noted: u32,
    /// The number of chunks of zeros among `have` that the have map on disk does not claim yet. They are not counted as
    /// unnoted: a crash does not make anybody fetch them.
    pub zeros_unnoted: u32,
    /// The number of chunks written since the last sync.
    pub dirty: u32,
    /// Whether a sync is running.
    pub syncing: bool,
    /// When the have map was last written to disk.
    pub synced_at: Instant,
    /// Whether the hash of the whole file is correct, so that it may be published.
    pub verified: bool,
    /// The number of chunks of zeros that are not had yet. They are made before it joins its swarm.
    pub zeros_left: u32,
    /// Whether they are being made.
    pub makes_zeros: bool,
    /// The work of making them, shared with the thread that does it. A pause stops it.
    pub zeros_work: ReuseWork,
    /// Whether it is known what it is.
    pub shaping: Shaping,
    /// Why it does not take part in its swarm now, and when to retry.
    pub blocked: Option<Blocked>,
    /// How far it is with the chunks that are on this machine. It joins its swarm when that is done.
    pub reuse: Reuse,
    /// The chunks that occur several times in it; `None` until they are known.
    pub repeats: Option<Arc<Repeats>>,
    /// The writing of such chunks, while a thread does that.
    pub repeating: Option<Repeating>,
    /// The search of its content in the file that it will replace, while that runs.
    pub following: Option<Following>,
    /// Whether that search has ended: it is not repeated when the download joins its swarm again.
    pub was_followed: bool,
    /// Whether that search has made way for those of others: it begins again when a chunk arrives.
    pub follower_rests: bool,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.zeros_work.stop();
        self.download.unnoted.end();
        self.download.whole.end();
    }
}

impl Resource {
    /// A resource in a phase, without any problems.
    pub fn new(manifest: Manifest, record: Record, slot: Slot, phase: Phase) -> Resource {
        Resource {
            manifest,
            record,
            slot,
            is_tree: false,
            phase,
            edited: None,
            troubles: BTreeMap::new(),
            former: None,
            unreadable: BTreeMap::new(),
            republish_at: None,
            conflicts: BTreeSet::new(),
            standings: BTreeMap::new(),
            newer: BTreeMap::new(),
            bytes_told: None,
            gives_way: false,
            sources: Sources::default(),
            fetched: None,
            older: Older::default(),
            traffic: Arc::default(),
            rates: Rates::default(),
        }
    }

    /// Its swarm.
    pub fn key(&self) -> SwarmKey {
        self.record.key
    }

    /// The number of its chunks.
    pub fn count(&self) -> ChunkCount {
        self.manifest.count()
    }

    /// Whether its manifest was found to be false and none of its names has a file.
    pub fn is_disproved(&self) -> bool {
        let is_false = matches!(&self.phase, Phase::Failed(failure) if failure.why.is_of_the_content());
        is_false && self.record.names.iter().all(|record| record.published.is_none())
    }

    /// Whether it must be looked at again after some time even if no event concerns it: it is being fetched, or waits.
    pub(super) fn is_due_some_time(&self) -> bool {
        match &self.phase {
            Phase::Fetching(_) | Phase::Accepted(_) => true,
            Phase::Seeding(_) => self.republish_at.is_some(),
            Phase::Failed(failure) => failure.retry_at.is_some(),
            // its progress changes
            Phase::Checking(checking) => checking.step == CheckStep::Hashes,
            Phase::Opening(_) => false, // its end comes in
        }
    }

    /// Whether a chunk of it is being sent or received: each such task holds a reference to its traffic.
    pub(super) fn has_chunks_on_their_way(&self) -> bool {
        Arc::strong_count(&self.traffic) > 1
    }

    /// Whether its list of chunks is unproven: the resource was never complete under any name.
    pub fn is_unproven(&self) -> bool {
        let is_whole = matches!(&self.phase, Phase::Seeding(_));
        let is_verified = matches!(&self.phase, Phase::Fetching(fetching) if fetching.verified);
        !is_whole && !is_verified && self.record.names.iter().all(|record| record.published.is_none())
    }

    /// Whether this check is the current one.
    pub fn is_in(&self, check: &Check) -> bool {
        matches!(&self.phase, Phase::Checking(present) if present.check.is_same(check))
    }

    /// Whether this opening is the current one.
    pub fn is_opening(&self, opening: &Opening) -> bool {
        matches!(&self.phase, Phase::Opening(present) if present.is_same(opening))
    }

    /// The name whose file must be checked: the wanted one if it has a file, otherwise a published one without known
    /// problems. `None` means the download, if a name waits for it.
    pub fn to_check(&self, wanted: Option<&ResourceName>) -> Option<&NameRecord> {
        let is_wanted = |record: &&NameRecord| Some(&record.name) == wanted && record.published.is_some();
        if let Some(record) = self.record.names.iter().find(is_wanted) {
            return Some(record);
        }
        let has_trouble = |record: &&NameRecord| self.troubles.contains_key(&record.name);
        let mut good = self.record.names.iter().filter(|record| !has_trouble(record));
        let waits = good.clone().any(|record| record.published.is_none());
        let is_published = |record: &&NameRecord| record.published.is_some();
        let any = || self.record.names.iter().find(is_published).filter(|_| !waits);
        good.find(is_published).or_else(any)
    }

    /// The file from which its chunks are read, if there is one.
    pub fn source(&self) -> Option<Source> {
        match &self.phase {
            Phase::Fetching(fetching) => Some(Source::Download(fetching.download.clone())),
            Phase::Seeding(published) => Some(Source::Published(published.clone())),
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Opening(_) | Phase::Failed(_) => None,
        }
    }

    /// The path that it has under a name: that of a file or of a directory.
    pub fn path(&self, home: &Home, name: &ResourceName) -> PathBuf {
        let tree = if self.is_tree { home.tree(name) } else { None };
        tree.unwrap_or_else(|| home.file(name))
    }

    /// Its manifest under a name.
    pub fn manifest_of(&self, name: &ResourceName) -> Manifest {
        let record = self.record.names.iter().find(|record| record.name == *name);
        let plain = || self.manifest.with_name(name.clone());
        record.map_or_else(plain, |record| record.manifest(&self.manifest))
    }

    /// What it has under a name.
    pub fn published_file(&self, home: &Home, name: &ResourceName, identity: FileIdentity) -> PublishedFile {
        PublishedFile {
            manifest: self.manifest_of(name),
            path: self.path(home, name),
            identity,
            tree: self.published_tree(),
        }
    }

    /// The same, with the manifest under its first name: it is served as that.
    pub fn served_file(&self, home: &Home, name: &ResourceName, identity: FileIdentity) -> PublishedFile {
        PublishedFile { manifest: self.manifest.clone(), ..self.published_file(home, name, identity) }
    }

    /// What its slot says of its tree, if it is one.
    pub fn published_tree(&self) -> Option<PublishedTree> {
        self.is_tree.then(|| PublishedTree::new(self.slot.tree()))
    }

    /// What it has under its names.
    pub fn published_files<'a>(&'a self, home: &'a Home) -> impl Iterator<Item = PublishedFile> + 'a {
        let names = self.record.names.iter();
        names.filter_map(|record| Some(self.published_file(home, &record.name, record.published?)))
    }

    /// Its trackers: those of the manifest, and the one where it was found.
    pub fn trackers(&self) -> Vec<TrackerUrl> {
        let mut trackers = self.manifest.trackers().to_vec();
        trackers.extend(
            self.record.trackers.iter().filter(|url| !self.manifest.trackers().contains(url)).cloned(),
        );
        trackers
    }

    /// The number of chunks that are verified and written.
    pub fn have(&self) -> u32 {
        match &self.phase {
            Phase::Fetching(fetching) => fetching.have.len(),
            Phase::Seeding(_) => {
                self.count().get() - self.edited.as_ref().map_or(0, |edited| edited.chunks.len())
            }
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Opening(_) | Phase::Failed(_) => 0,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
