//! Lists the peers that resources are fetched from, and the peers that fetch from here.

use super::Driver;
use shared::chunk::CHUNK_BYTES;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, Direction, PeerInfo};
use shared::swarm::{PeerStatus, TakerStatus};
use std::net::SocketAddr;

/// Limits the entries in one answer; further ones are left out, because a frame is limited. One resource has far fewer.
const PEERS_SHOWN_MAX: usize = 16_384;

impl Driver {
    /// The peers of the resource that `what` means, or of all resources, in order of the swarms.
    pub(super) fn peers(&self, what: Option<&str>) -> Result<Vec<PeerInfo>, ControlError> {
        let keys: Vec<SwarmKey> = match what {
            Some(what) => vec![self.one(what)?.1],
            None => self.library.iter().map(|(key, _)| key).collect(),
        };
        Ok(keys.into_iter().flat_map(|key| self.peers_of(key)).take(PEERS_SHOWN_MAX).collect())
    }

    fn peers_of(&self, key: SwarmKey) -> Vec<PeerInfo> {
        let Some(resource) = self.library.get(key) else { return Vec::new() };
        let name = resource.record.names.first().map_or(resource.manifest.name(), |record| &record.name);
        let blank = |addr, direction| blank(addr, direction, resource.count().get(), name, key);
        let given = |peer: PeerStatus| PeerInfo {
            connected: peer.connected,
            chunks_have: peer.have,
            in_flight: peer.in_flight,
            chunks_received: peer.chunks_received,
            chunks_corrupt: peer.chunks_corrupt,
            ..blank(peer.peer, Direction::Download)
        };
        let taker = |taker: TakerStatus| PeerInfo {
            connected: true,
            in_flight: taker.in_flight,
            chunks_sent: taker.chunks_sent,
            bytes_per_s: Some(rate(&taker)),
            active_s: Some(taker.active.as_secs()),
            ..blank(taker.peer, Direction::Upload)
        };
        let takers = self.machine.takers(self.now(), key).into_iter().map(taker);
        self.machine.peers(key).into_iter().map(given).chain(takers).collect()
    }
}

/// The rate at which it recently got chunks, in bytes per second.
fn rate(taker: &TakerStatus) -> u64 {
    let (chunks, span) = taker.lately;
    let seconds = span.as_secs_f64().max(1.0); // over a shorter time the rate means little
    (chunks as f64 * f64::from(CHUNK_BYTES) / seconds) as u64
}

fn blank(
    addr: SocketAddr,
    direction: Direction,
    chunks_total: u32,
    name: &ResourceName,
    key: SwarmKey,
) -> PeerInfo {
    PeerInfo {
        addr,
        connected: false,
        chunks_have: 0, // a peer does not report its chunks to a seeder
        chunks_total,
        in_flight: 0,
        chunks_received: 0,
        chunks_corrupt: 0,
        direction,
        chunks_sent: 0,
        name: name.clone(),
        resource: key.resource,
        bytes_per_s: None,
        active_s: None,
    }
}
