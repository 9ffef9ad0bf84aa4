//! Looks for the chunks of a download in all files of this machine, beside the driver.

use crate::inbox::{Context, DonorPage, FoundChunks, Input, TaskInput};
use crate::library::{Download, ReuseWork, Source};
use crate::store::PublishedFile;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::reuse::repeats::Repeats;
use shared::reuse::search;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A search for the missing chunks of a download.
pub(super) struct Search {
    pub(super) context: Arc<Context>,
    pub(super) download: Arc<Download>,
    /// The chunks that it has.
    pub(super) have: HaveMap,
    /// The file or directory that it will replace.
    pub(super) older: Option<Arc<PublishedFile>>,
    /// Whether it may become a directory.
    pub(super) may_be_tree: bool,
    /// Whether to look in all files.
    pub(super) is_wide: bool,
    pub(super) work: ReuseWork,
}

/// What was found so far, and where.
struct Found {
    search: search::Search,
    sources: Vec<Source>,
}

impl Search {
    /// Searches. Blocks, also while the driver is busy.
    pub(super) fn perform(self) -> FoundChunks {
        let manifest = &self.download.manifest;
        let repeats = Repeats::of(manifest);
        let mut found = Found { search: search::Search::new(manifest, &self.have), sources: Vec::new() };
        if let Some(older) = &self.older {
            let part = if self.may_be_tree { listing_and_sums(older) } else { None };
            found.look_in(Source::Published(older.clone()), part.as_ref());
        }
        if !self.have.is_empty() && !repeats.is_empty() {
            found.look_in(Source::Download(self.download.clone()), Some(&self.have));
        }
        let mut next = None;
        let mut is_more = self.is_wide;
        while is_more && found.search.left() > 0 && self.work.is_wanted() {
            let Some(page) = ask_for_donors(&self.context, next) else { break };
            for (source, have) in page.donors {
                if source.key() != manifest.key() {
                    found.look_in(source, have.as_ref());
                }
            }
            (next, is_more) = (page.next, page.next.is_some());
        }
        FoundChunks { sources: found.sources, hits: found.search.hits(), repeats: Some(Arc::new(repeats)) }
    }
}

/// Asks the driver for some of the resources; `None` when it is ending. Blocks.
pub(super) fn ask_for_donors(context: &Context, after: Option<SwarmKey>) -> Option<DonorPage> {
    let (reply, page) = oneshot::channel();
    context.tell_blocking(Input::Task(TaskInput::DonorsAsked { after, reply }));
    page.blocking_recv().ok()
}

/// The chunks of an older directory that have its listing or its sums; `None` if it is none, or unreadable. Its other
/// chunks are not taken before the new directory was laid out, since they would be written twice.
fn listing_and_sums(older: &PublishedFile) -> Option<HaveMap> {
    let tree = older.open_tree().ok()??;
    let mut part = HaveMap::empty(older.manifest.count());
    for range in [tree.layout().listing_range(), tree.layout().sums_range()] {
        let last = range.end.saturating_sub(1);
        for chunk in range.start / u64::from(CHUNK_BYTES)..=last / u64::from(CHUNK_BYTES) {
            part.insert(ChunkIndex(chunk as u32)); // at most the chunks of a resource
        }
    }
    Some(part)
}

impl Found {
    fn look_in(&mut self, source: Source, have: Option<&HaveMap>) {
        let left = self.search.left();
        let number = u32::try_from(self.sources.len()).expect("there are fewer resources than that");
        let has = |index| have.is_none_or(|have| have.contains(index));
        self.search.look_in(number, source.manifest().hashes(), has);
        if self.search.left() < left {
            self.sources.push(source);
        }
    }
}
