//! Adds arrived chunks to a download: a chunk counts as had when it is verified and written.

use super::Driver;
use super::act::chunk_bytes;
use super::sync::DIRTY_MAX;
use super::zeros::zeros_missing;
use crate::inbox::{Input, TaskInput};
use crate::jobs;
use crate::library::{
    Download, Fetching, Phase, Reuse, ReuseWork, ReusedFrom, Shaping, TakeError, Unnoted, WholeHash,
};
use crate::peer::link::LinkCommand;
use crate::store::{Namesakes, PartFile};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::swarm::{Event, PeerAddr};
use shared::tree::TreeName;
use std::sync::Arc;
use std::time::Instant;

impl Driver {
    /// A download whose part file is open and certainly contains these chunks.
    pub(super) fn fetching(&self, manifest: Manifest, file: Arc<PartFile>, have: HaveMap) -> Fetching {
        let noted = have.len();
        self.fetching_beside(manifest, file, have, noted)
    }

    /// The same, while the have map on disk contains only `noted` of the chunks.
    pub(super) fn fetching_beside(
        &self,
        manifest: Manifest,
        file: Arc<PartFile>,
        have: HaveMap,
        noted: u32,
    ) -> Fetching {
        let zeros_left = zeros_missing(&manifest, &have);
        let whole = WholeHash::new(file.clone(), manifest.clone(), self.memory.clone());
        let whole = Arc::new(whole);
        whole.advance(&have);
        let unnoted = Unnoted::beginning_with(have.len().saturating_sub(noted));
        file.know(&have);
        let shaping = self.shaping(&manifest, &file);
        let (failed_syncs, namesakes) = (file.failed_syncs(), Namesakes::default());
        let download = Arc::new(Download { manifest, file, whole, unnoted, failed_syncs, namesakes });
        let (context, hashed) = (self.context.clone(), download.clone());
        jobs::spawn(async move {
            if let Some(whole) = hashed.whole.clone().finished().await {
                context.tell(Input::Task(TaskInput::Whole { download: hashed, whole })).await;
            }
        });
        Fetching {
            download,
            safe: have.clone(),
            noted,
            have,
            dirty: 0,
            syncing: false,
            synced_at: Instant::now(),
            verified: false,
            shaping,
            blocked: None,
            zeros_left,
            zeros_unnoted: 0,
            makes_zeros: false,
            zeros_work: ReuseWork::default(),
            reuse: Reuse::default(),
            repeats: None,
            repeating: None,
            following: None,
            was_followed: false,
            follower_rests: false,
        }
    }

    /// Whether it is known what a download is. Only what has the name of a tree can be one.
    fn shaping(&self, manifest: &Manifest, file: &PartFile) -> Shaping {
        let is_as_file = self.library.get(manifest.key()).is_some_and(|resource| resource.record.as_file);
        let may_be_tree = TreeName::of_resource(manifest.name()).is_some() && manifest.count().get() > 0;
        let is_moved = file.is_tree() && !file.is_half_moved();
        if is_moved || is_as_file || !may_be_tree { Shaping::Known } else { Shaping::Needs(1) }
    }

    /// A chunk from a peer was verified and written, or one of the two failed.
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
            Ok(()) => {
                self.stored(key, index, peer);
                Event::Stored { key, index }
            }
            Err(TakeError::Corrupt) => {
                let name = download.manifest.name();
                tracing::warn!(%name, id = %key, %peer, "chunk {index} arrived corrupt; fetching it from another peer");
                self.command_link(peer, LinkCommand::Complain { key, index });
                Event::Corrupt { key, index, peer }
            }
            Err(error) => {
                let name = download.manifest.name();
                tracing::warn!(%name, id = %key, %peer, %error, "cannot store chunk {index}");
                if let TakeError::Store(error) = error {
                    self.write_failed(key, error);
                }
                Event::NotStored { key, index }
            }
        };
        self.event(event);
    }

    /// A chunk from a peer was verified and written.
    fn stored(&mut self, key: SwarmKey, index: ChunkIndex, peer: PeerAddr) {
        if !self.add_chunk(key, index) {
            return;
        }
        if let Some(resource) = self.library.get_mut(key)
            && let Phase::Fetching(fetching) = &resource.phase
        {
            let bytes = chunk_bytes(fetching.have.count(), index, fetching.download.file.bytes());
            resource.sources.add(peer, bytes, Instant::now());
        }
    }

    /// A chunk that was here already was verified and written. Returns whether it was missing until now.
    pub(super) fn stored_from_here(&mut self, key: SwarmKey, index: ChunkIndex, from: &ReusedFrom) -> bool {
        if !self.add_chunk(key, index) {
            return false;
        }
        if let Some(resource) = self.library.get_mut(key)
            && let Phase::Fetching(fetching) = &resource.phase
        {
            let count = fetching.have.count();
            let bytes = chunk_bytes(count, index, fetching.download.file.bytes());
            resource.sources.reuse(index, count, from, bytes);
        }
        true
    }

    /// A chunk was verified and written. Returns whether it was missing until now.
    fn add_chunk(&mut self, key: SwarmKey, index: ChunkIndex) -> bool {
        let Some(resource) = self.library.get_mut(key) else { return false };
        let Phase::Fetching(fetching) = &mut resource.phase else { return false };
        resource.unreadable.entry(index).and_modify(|written| *written = true);
        if !fetching.have.insert(index) {
            fetching.download.unnoted.leave(1); // it came twice
            return false;
        }
        fetching.following.iter_mut().for_each(|following| following.tell(index));
        fetching.dirty += 1;
        fetching.download.whole.advance(&fetching.have);
        let is_awaited = matches!(fetching.shaping, Shaping::Needs(chunks) if index.0 < chunks);
        if fetching.dirty >= DIRTY_MAX && !fetching.syncing {
            self.sync(key);
        }
        self.look_for_repetitions(key, index);
        if is_awaited {
            self.lay_out(key);
        }
        self.follow_again(key, index);
        true
    }

    /// Whether this is the present download of its swarm. Results of a download that was removed or checked since then
    /// say nothing about its successor.
    pub(super) fn is_current(&self, download: &Arc<Download>) -> bool {
        let phase = self.library.get(download.manifest.key()).map(|resource| &resource.phase);
        matches!(phase, Some(Phase::Fetching(fetching)) if Arc::ptr_eq(&fetching.download, download))
    }
}
