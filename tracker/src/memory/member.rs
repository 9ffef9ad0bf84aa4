//! A member of a swarm: what one peer reports about one resource.

use super::fleet::Trend;
use super::labels::Labels;
use super::name_digest::NameDigest;
use super::network::PeerKey;
use super::who::Who;
use shared::chunk::ChunkCount;
use shared::id::SwarmKey;
use shared::rpc::tracker::{Announce, PeerEntry, Stage};
use shared::swarm::Time;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) peer: PeerKey,
    pub(super) labels: Labels,
    /// The names under which it has the resource, if they are published.
    pub(super) names: Arc<[NameDigest]>,
    /// Its index in its zone's list.
    pub(super) zone_place: u32,
    pub(super) stage: Stage,
    pub(super) have: u32,
    pub(super) count: ChunkCount,
    pub(super) trend: Trend,
    pub(super) joined: Time,
    pub(super) expires: Time,
    /// Whether a name under which it published the manifest was evicted, so that it is asked to publish again.
    pub(super) publish_again: bool,
}

impl Member {
    pub(super) fn new(now: Time, who: &Who, entry: &Announce) -> Member {
        let Announce { stage, have, count, .. } = *entry;
        Member {
            peer: who.key(),
            labels: Labels::of(who),
            names: Arc::default(),
            zone_place: 0,
            stage,
            have,
            count,
            trend: Trend::new(now, have),
            joined: now,
            expires: Time::default(), // set with the interval
            publish_again: false,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it has the resource, or a part of it, under a name.
    pub(super) fn has_as(&self, name: NameDigest) -> bool {
        self.names.contains(&name)
    }

    /// The entry for other daemons. They do not need its host name.
    pub(super) fn entry(&self, key: SwarmKey) -> PeerEntry {
        let Member { peer: (addr, peer_id), stage, have, count, .. } = *self;
        let Labels { zone, node, .. } = &self.labels;
        let (zone, host, node) = (zone.to_string(), String::new(), node.clone());
        PeerEntry { addr, peer_id, key, stage, have, count, zone, host, node }
    }

    /// The entry for people.
    pub(super) fn entry_with_host(&self, key: SwarmKey) -> PeerEntry {
        PeerEntry { host: self.labels.host.to_string(), ..self.entry(key) }
    }
}
