//! Looks for the chunks of a download in all files of this machine, beside the driver.

use crate::inbox::{Context, DonorPage, FoundChunks, Input, TaskInput};
use crate::jobs;
use crate::library::{Download, ReuseWork, Source};
use crate::store::PublishedFile;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::reuse::repeats::Repeats;
use shared::reuse::search;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinError;

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

/// A search on its way, and what it has found so far.
struct Found {
    asked: Search,
    repeats: Repeats,
    search: search::Search,
    sources: Vec<Source>,
}

impl Search {
    /// Searches, with blocking work outside the async workers. Does not wait for the driver while it holds a thread.
    ///
    /// # Errors
    /// When a part of the work panicked, or the daemon is stopping.
    pub(super) async fn perform(self) -> Result<FoundChunks, JoinError> {
        let context = self.context.clone();
        let mut found = jobs::run(move || Found::begin(self)).await?;
        let (mut next, mut is_more) = (None, found.asked.is_wide);
        while is_more && found.search.left() > 0 && found.asked.work.is_wanted() {
            let (reply, page) = oneshot::channel();
            context.tell(Input::Task(TaskInput::DonorsAsked { after: next, reply })).await;
            let Ok(page) = page.await else { break };
            (next, is_more) = (page.next, page.next.is_some());
            found = jobs::run(move || found.look_in_all(page.donors)).await?;
        }
        let Found { repeats, search, sources, .. } = found;
        Ok(FoundChunks { sources, hits: search.hits(), repeats: Some(Arc::new(repeats)) })
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
    /// Looks in the older file, and for chunks that occur several times. Blocks.
    fn begin(asked: Search) -> Found {
        let manifest = &asked.download.manifest;
        let (repeats, search) = (Repeats::of(manifest), search::Search::new(manifest, &asked.have));
        let (older, download, have) = (asked.older.clone(), asked.download.clone(), asked.have.clone());
        let mut found = Found { asked, repeats, search, sources: Vec::new() };
        if let Some(older) = older {
            let part = if found.asked.may_be_tree { listing_and_sums(&older) } else { None };
            found.look_in(Source::Published(older), part.as_ref());
        }
        if !have.is_empty() && !found.repeats.is_empty() {
            found.look_in(Source::Download(download), Some(&have));
        }
        found
    }

    /// Looks in some resources. It compares lists of hashes, which takes long if they are long.
    fn look_in_all(mut self, donors: Vec<(Source, Option<HaveMap>)>) -> Found {
        for (source, have) in donors {
            if source.key() != self.asked.download.manifest.key() {
                self.look_in(source, have.as_ref());
            }
        }
        self
    }

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
