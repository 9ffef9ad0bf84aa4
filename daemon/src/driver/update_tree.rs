//! Updates a directory: takes what it has in common with its older version from there, so that only what is new is
//! fetched. It is a thread's work ([`Follower`]), in three steps:
//!
//! 1. The listing comes first, because it says what else there is. It is mostly the older listing with some lines
//!    inserted and removed, so it is searched there like a shifted file. All chunks behind it are held.
//! 2. When the directory was laid out, each file with the same path, size and time counts as known, and so do its lines
//!    in the sums. The chunks that consist of known files are made. Where large files were changed within, their
//!    content is searched.
//! 3. When the sums are here, files that were moved or renamed are found by them.
//!
//! Nothing is believed: each chunk is hashed before it is written. What is wrong, or cannot be read, is fetched.

use super::follower::{Follower, Take};
use super::search::ask_for_donors;
use crate::entropy;
use crate::library::{Followed, News, Source};
use crate::store::{Donors, OldFile, OpenTree, PublishedFile};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::reuse::shift::{ShiftPlan, Step};
use shared::tree::{EntryIndex, FilePlace, KnownChunks, KnownFiles, OLDER, Probe, TreeLayout, probe};
use std::cmp::Reverse;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// How many chunks in a row may be wrong or unreadable. Then the older directory is not what it was, and the rest is
/// fetched.
const MISSES_MAX: u32 = 32;

/// Limits the plain files of this machine whose content is looked for in the directory. Further ones are fetched as part
/// of it.
const FILES_MAX: usize = 1_000;

impl Follower {
    /// Takes what an older directory has of the download. Returns the number of chunks.
    pub(super) fn update_tree(&self, older: &PublishedFile) -> u32 {
        let mut update = Update { follower: self, have: self.have.clone(), found: 0 };
        update.hold(update.missing().filter(|index| index.0 > 0));
        match older.open_tree() {
            Ok(Some(old)) => _ = update.run(&Arc::new(old)),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(id = %self.download.manifest.key(), %error, "there is no older directory to search");
            }
        }
        update.found
    }
}

/// An update that runs. Its functions return `None` when it is over early: nobody wants it, or nothing can be written.
struct Update<'a> {
    follower: &'a Follower,
    have: HaveMap,
    /// The number of chunks that were taken.
    found: u32,
}

impl Update<'_> {
    fn run(&mut self, old: &Arc<OpenTree>) -> Option<()> {
        let download = self.follower.download.clone();
        if self.follower.stays_file {
            return self.follow_all(old);
        }
        if download.file.layout().is_none() {
            let chunks = self.wait_for_listing_length()?;
            match chunks {
                0 => return self.follow_all(old), // it is a plain file
                _ => self.follow_listing(old, chunks)?,
            }
            while download.file.layout().is_none() {
                self.follower.stay();
                self.wait(None)?;
            }
        }
        let layout = download.file.layout()?;
        self.take_files(old, layout)
    }

    // -- the listing

    /// Waits for the first chunk, and returns how many chunks the listing takes; 0 if the download is no directory.
    fn wait_for_listing_length(&mut self) -> Option<u32> {
        while !self.have.contains(ChunkIndex(0)) {
            self.wait(None)?;
        }
        let begin = self.follower.download.file.read(ChunkIndex(0)).ok()?;
        let Probe::Tree { listing_bytes } = probe(&begin) else { return Some(0) };
        let end = TreeLayout::listing_end(listing_bytes);
        Some(end.div_ceil(CHUNK_BYTES.into()).min(self.have.count().get().into()) as u32)
    }

    /// Searches the listing in the older one. Everything behind it is held until the directory was laid out.
    fn follow_listing(&mut self, old: &Arc<OpenTree>, chunks: u32) -> Option<()> {
        let rest: Vec<ChunkIndex> = self.missing().filter(|index| index.0 >= chunks).collect();
        let mut have = self.have.clone();
        rest.iter().for_each(|index| _ = have.insert(*index));
        // The first chunk is here, and is a probe like those that arrive.
        have.remove(ChunkIndex(0));
        let file = OldFile::of_tree(old.clone(), old.layout().listing_range().end);
        let mut plan = ShiftPlan::new(have, file.bytes(), entropy::random());
        plan.arrived(ChunkIndex(0));
        self.follow(&file, &mut plan, &rest)?;
        self.hold(rest.into_iter());
        Some(())
    }

    /// Searches the whole download in the older directory.
    fn follow_all(&mut self, old: &Arc<OpenTree>) -> Option<()> {
        let file = OldFile::of_tree(old.clone(), u64::MAX);
        let mut plan = ShiftPlan::new(self.have.clone(), file.bytes(), entropy::random());
        self.follow(&file, &mut plan, &[])
    }

    /// Does what a plan says until it is over. Beside its chunks, `others` are held.
    fn follow(&mut self, file: &OldFile, plan: &mut ShiftPlan, others: &[ChunkIndex]) -> Option<()> {
        loop {
            self.hear(Some(plan))?;
            if plan.take_news() {
                self.hold(plan.held().iter().chain(others.iter().copied()));
            }
            match plan.step() {
                Step::Over => return Some(()),
                Step::Wait => self.wait(Some(plan))?,
                step => self.perform(file, plan, step)?,
            }
        }
    }

    fn perform(&mut self, file: &OldFile, plan: &mut ShiftPlan, step: Step) -> Option<()> {
        match step {
            Step::Search(search) => self.follower.search(file, plan, &search),
            Step::Compare(guess) => {
                let taken = self.count(guess.index, self.follower.take(file, guess))?;
                plan.compared(guess, taken);
            }
            Step::Wait | Step::Over => {}
        }
        Some(())
    }

    // -- the files

    fn take_files(&mut self, old: &Arc<OpenTree>, layout: &TreeLayout) -> Option<()> {
        let mut files = Files::new(self, old, layout);
        let left = files.to_make.len() + files.likely.len() as usize;
        self.follower.tell(Followed::Takes(u32::try_from(left).unwrap_or(u32::MAX)));
        let file = OldFile::of_tree(old.clone(), u64::MAX);
        let mut plan = files.plan(&self.have, file.bytes());
        loop {
            self.hear(Some(&mut plan))?;
            if files.must_find_moved(&self.have) {
                files.find_moved(self);
            }
            if plan.take_news() | std::mem::take(&mut files.is_news) {
                self.hold(plan.held().iter().chain(files.held.iter()));
            }
            if let Some(index) = files.next(&self.have) {
                self.make(&mut files, index)?;
                continue;
            }
            match plan.step() {
                Step::Over if !files.awaits_sums => return Some(()),
                Step::Over | Step::Wait => self.wait(Some(&mut plan))?,
                step => self.perform(&file, &mut plan, step)?,
            }
        }
    }

    /// Makes a chunk of files that are here.
    fn make(&mut self, files: &mut Files<'_>, index: ChunkIndex) -> Option<()> {
        let made = files.donors.assemble(files.layout, &files.known, index);
        let taken = made.map_or(Take::Wrong, |bytes| self.follower.store(index, bytes));
        match self.count(index, taken)? {
            true => files.misses = 0,
            false => files.missed(index),
        }
        Some(())
    }

    // -- news and counts

    fn missing(&self) -> impl Iterator<Item = ChunkIndex> + use<> {
        let missing: Vec<ChunkIndex> = self.have.missing_from(ChunkIndex(0)).collect();
        missing.into_iter()
    }

    /// Has these chunks held, and no others.
    fn hold(&self, chunks: impl Iterator<Item = ChunkIndex>) {
        let mut held = HaveMap::empty(self.have.count());
        chunks.filter(|index| !self.have.contains(*index)).for_each(|index| _ = held.insert(index));
        self.follower.tell(Followed::Hold(held));
    }

    /// Takes note of all chunks that have arrived.
    fn hear(&mut self, mut plan: Option<&mut ShiftPlan>) -> Option<()> {
        while let Some(news) = self.follower.next_news() {
            self.heard(news, plan.as_deref_mut());
        }
        self.follower.run.is_wanted().then_some(())
    }

    /// Waits until something happens, a moment at most.
    fn wait(&mut self, plan: Option<&mut ShiftPlan>) -> Option<()> {
        match self.follower.wait_for_news() {
            ControlFlow::Continue(Some(news)) => self.heard(news, plan),
            ControlFlow::Continue(None) => {}
            ControlFlow::Break(()) => return None,
        }
        self.follower.run.is_wanted().then_some(())
    }

    fn heard(&mut self, news: News, plan: Option<&mut ShiftPlan>) {
        if let News::Arrived(index) = news {
            self.have.insert(index);
            plan.into_iter().for_each(|plan| plan.arrived(index));
        }
    }

    /// Counts a chunk that was taken. Returns whether it was right; `None` if nothing can be written any more.
    fn count(&mut self, index: ChunkIndex, taken: Take) -> Option<bool> {
        if taken == Take::Right {
            self.have.insert(index);
            self.found += 1;
        }
        (taken != Take::Over).then_some(taken == Take::Right)
    }
}

/// The files that are known here, and the chunks that can be made of them.
struct Files<'a> {
    layout: &'a TreeLayout,
    known: KnownFiles<'a>,
    donors: Donors,
    /// The chunks that can be made, in reverse order.
    to_make: Vec<ChunkIndex>,
    /// The chunks that may be known when the sums are here.
    likely: HaveMap,
    /// The chunks that are not to be fetched: the two above.
    held: HaveMap,
    /// Whether `held` has changed.
    is_news: bool,
    /// The chunks with the sums.
    sums: Range<u32>,
    /// Whether files are looked for by their sums when these are here.
    awaits_sums: bool,
    /// The chunks in a row that could not be made.
    misses: u32,
}

impl<'a> Files<'a> {
    fn new(update: &Update<'_>, older: &'a Arc<OpenTree>, layout: &'a TreeLayout) -> Files<'a> {
        let known = KnownFiles::by_path(layout, older.layout());
        let unknown = known.unknown_sizes();
        let files = update.follower.files_of(&unknown);
        let entries = older.layout().listing().entries();
        let sizes =
            entries.map(|entry| entry.content_bytes()).chain(files.iter().map(|it| it.identity.bytes));
        let mut sizes: Vec<u64> = sizes.filter(|bytes| unknown.binary_search(bytes).is_ok()).collect();
        sizes.sort_unstable();
        let mut missing = HaveMap::empty(update.have.count());
        update.missing().for_each(|index| _ = missing.insert(index));
        let KnownChunks { known: sure, likely } = known.chunks(&missing, &sizes);
        let mut held = sure.clone();
        likely.iter().for_each(|index| _ = held.insert(index));
        let range = layout.sums_range();
        let chunk = |byte: u64| (byte / u64::from(CHUNK_BYTES)) as u32;
        let sums = chunk(range.start)..chunk(range.end.saturating_sub(1)) + 1;
        // Those with the sums come first: others wait for them.
        let mut to_make: Vec<ChunkIndex> = sure.iter().collect();
        to_make.sort_by_key(|index| (sums.contains(&index.0), Reverse(*index)));
        let donors = Donors { older: older.clone(), files };
        let (awaits_sums, is_news) = (!likely.is_empty(), true);
        Files { layout, known, donors, to_make, likely, held, is_news, sums, awaits_sums, misses: 0 }
    }

    /// The plan that looks for the content of large files that were changed within.
    fn plan(&self, have: &HaveMap, old_bytes: u64) -> ShiftPlan {
        let mut others = have.clone();
        let sums = self.sums.clone().map(ChunkIndex);
        self.held.iter().chain(sums).for_each(|index| _ = others.insert(index));
        ShiftPlan::new(others, old_bytes, entropy::random())
    }

    /// The next chunk to make.
    fn next(&mut self, have: &HaveMap) -> Option<ChunkIndex> {
        while let Some(index) = self.to_make.pop() {
            if !have.contains(index) {
                return Some(index);
            }
        }
        None
    }

    /// A chunk could not be made, and is fetched.
    fn missed(&mut self, index: ChunkIndex) {
        self.held.remove(index);
        (self.is_news, self.misses) = (true, self.misses + 1);
        if self.misses >= MISSES_MAX {
            (self.held, self.awaits_sums) = (HaveMap::empty(self.held.count()), false);
            self.to_make.clear();
        }
    }

    /// Whether the sums are here, so that moved files are to be found now.
    fn must_find_moved(&self, have: &HaveMap) -> bool {
        self.awaits_sums && self.sums.clone().all(|index| have.contains(ChunkIndex(index)))
    }

    /// Finds files by their sums.
    fn find_moved(&mut self, update: &Update<'_>) {
        (self.awaits_sums, self.is_news) = (false, true);
        let Some(mut new_sums) = update.follower.download.file.sums() else { return };
        let (mut old_sums, mut again) = (self.donors.older_sums(), self.donors.older_sums());
        let known = &mut self.known;
        let moved = known.compare_sums(|index| new_sums.hash(index), |index| old_sums.hash(index));
        moved.look_in(known, OLDER, self.donors.older.layout(), |index| again.hash(index));
        for (number, file) in (1..).zip(&self.donors.files) {
            let place = FilePlace { donor: number, entry: EntryIndex::TOP };
            moved.is_here(known, &file.manifest.resource(), place);
        }
        let chunks = self.known.chunks(&self.likely, &[]);
        self.likely.iter().filter(|index| !chunks.known.contains(*index)).for_each(|index| {
            self.held.remove(index);
        });
        let found: Vec<ChunkIndex> = chunks.known.iter().collect();
        self.to_make.splice(0..0, found.into_iter().rev());
        self.likely = HaveMap::empty(self.held.count());
    }
}

impl Follower {
    /// The finished plain files of this machine with one of these sizes, if they may be read.
    fn files_of(&self, sizes: &[u64]) -> Vec<Arc<PublishedFile>> {
        let (mut files, mut next, mut is_more) = (Vec::new(), None, self.is_wide && !sizes.is_empty());
        while is_more && self.run.is_wanted() {
            let Some(page) = ask_for_donors(&self.context, next) else { break };
            for (source, _) in page.donors {
                if let Source::Published(file) = source
                    && file.tree.is_none()
                    && sizes.binary_search(&file.identity.bytes).is_ok()
                    && files.len() < FILES_MAX
                {
                    files.push(file);
                }
            }
            (next, is_more) = (page.next, page.next.is_some());
        }
        files
    }
}
