//! Joins and leaves swarms, and tells the trackers.

use super::Driver;
use crate::inbox::Found;
use crate::library::Phase;
use crate::store::NameRecord;
use crate::tracker::{AnnouncedEntry, NamedManifest, TrackerCommand};
use shared::chunk::ChunkCount;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::rpc::tracker::Stage;
use shared::swarm::Event;

impl Driver {
    /// Joins the swarm of a resource, as far as it can take part.
    pub(super) fn join(&mut self, key: SwarmKey) {
        if self.library.get(key).is_some_and(|resource| matches!(resource.phase, Phase::Seeding(_))) {
            self.disprove_others(key);
        }
        let Some(resource) = self.library.get(key) else { return };
        let have = match &resource.phase {
            Phase::Seeding(_) => HaveMap::full(resource.count()),
            Phase::Fetching(fetching) if fetching.blocked.is_none() => fetching.have.clone(),
            _ => return,
        };
        if resource.record.paused || self.folder.is_away() || self.looks_here_first(key) {
            return;
        }
        let count = have.count();
        if self.make_zeros(key) {
            return; // it joins when they are made
        }
        self.context.board.put(key, have.clone());
        self.event(Event::Join { key, count, have });
        self.tell_edits(key);
        self.follow_shift(key);
        self.prefer_beginning(key);
        self.announce(key);
        self.changed();
    }

    /// Leaves the swarm of a resource.
    pub(super) fn leave(&mut self, key: SwarmKey) {
        self.stop_reuse(key);
        if let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|it| &mut it.phase) {
            (fetching.following, fetching.follower_rests) = (None, false); // a new one begins when it is joined again
        }
        self.context.board.remove(key);
        self.event(Event::Leave { key });
        self.trackers.command_all(|| TrackerCommand::Remove(key));
        self.changed();
    }

    /// Tells a resource's trackers our stage, unless it is not in its swarm.
    pub(super) fn announce(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let stands_still = match &resource.phase {
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Opening(_) | Phase::Failed(_) => true,
            Phase::Fetching(fetching) => {
                fetching.blocked.is_some() || !fetching.reuse.is_done() || fetching.zeros_left > 0
            }
            Phase::Seeding(_) => false,
        };
        if stands_still || resource.record.paused || self.folder.is_away() {
            return;
        }
        let is_whole = matches!(resource.phase, Phase::Seeding(_));
        // A directory that was edited lacks chunks, and fetches none.
        let lacks_chunks = resource.edited.as_ref().is_some_and(|edited| !edited.chunks.is_empty());
        let stage = match is_whole && !lacks_chunks {
            true => Stage::Seeding,
            false => Stage::Leeching,
        };
        let names = resource.record.names.iter();
        let named = |record: &NameRecord| NamedManifest {
            manifest: record.manifest(&resource.manifest),
            signature: record.signature().cloned(),
        };
        let manifests = names.map(named).collect();
        let (shared_at_ms, origin) = (resource.record.shared_at_ms, resource.record.origin);
        let is_taken_back = |record: &&NameRecord| record.taken_back;
        let taken_back = resource.record.names.iter().filter(is_taken_back).map(|record| record.name.clone());
        let taken_back = taken_back.collect();
        let to_be_signed = resource.record.names.iter().filter(|record| record.to_be_signed);
        let to_be_signed = to_be_signed.map(|record| record.name.clone()).collect();
        let (is_unproven, found_at) = (resource.is_unproven(), resource.record.trackers.clone());
        let (claims, undated) = (resource.record.claims.clone(), resource.record.undated.clone());
        let bytes = resource.source().filter(|_| stage == Stage::Seeding).and_then(|source| source.bytes());
        let entry = AnnouncedEntry {
            stage,
            have: resource.have(),
            wants_peers: !is_whole || stage == Stage::Seeding,
            manifests,
            bytes,
            shared_at_ms,
            origin,
            claims: false,
            may_publish: true,
            taken_back,
            to_be_signed,
        };
        for url in resource.trackers() {
            let shared_at_ms = if undated.contains(&url) { 0 } else { shared_at_ms };
            // A manifest that this tracker named itself is published there even before it is proven: the tracker may
            // have forgotten it since.
            let may_publish = origin || !is_unproven || found_at.contains(&url);
            let claims = claims.contains(&url);
            let entry = AnnouncedEntry { claims, shared_at_ms, may_publish, ..entry.clone() };
            self.trackers.command(&self.context, &url, TrackerCommand::Put(key, entry));
        }
    }

    /// Tells the trackers the progress of all downloads.
    pub(super) fn report_progress(&mut self) {
        for (key, resource) in self.library.stirring() {
            if let Phase::Fetching(fetching) = &resource.phase {
                let have = fetching.have.len();
                self.trackers.command_all(|| TrackerCommand::Have(key, have));
            }
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        let Some(resource) = self.library.get_mut(found.key) else { return };
        // Trackers that disagree would otherwise cause a log line every few seconds, so each tracker is remembered by
        // itself.
        let is_news = match found.conflict {
            true => resource.conflicts.insert(found.tracker.clone()),
            false => {
                resource.conflicts.remove(&found.tracker);
                false
            }
        };
        if is_news {
            tracing::warn!(name = %resource.manifest.name(), id = %found.key, tracker = %found.tracker,
                "the tracker knows the same file with another list of chunks: one of the two manifests is false");
        }
        let count = resource.count();
        if let Some(bytes) = found.bytes.filter(|bytes| ChunkCount::of_bytes(*bytes) == Some(count)) {
            resource.bytes_told = Some(bytes);
        }
        if let Some(shared_at_ms) =
            found.shared_at_ms.filter(|&at| at > 0 && resource.record.shared_at_ms == 0)
        {
            resource.record.shared_at_ms = shared_at_ms;
            self.saver.save(&resource.slot, &resource.record);
        }
        self.hear_of_newer(found.key, found.tracker, found.newer);
        let (key, peers) = (found.key, found.peers);
        if !peers.is_empty() {
            self.event(if found.seeds {
                Event::LonelyFound { key, peers }
            } else {
                Event::PeersFound { key, peers }
            });
        }
    }
}
