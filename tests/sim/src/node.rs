//! A machine of the world: the real core, and the state of its driver.

use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::id::{PeerId, SwarmKey};
use shared::swarm::{AskId, Machine, PeerAddr, RequestId, SwarmConfig, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

/// A machine's number in its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

impl NodeId {
    /// The machine's address.
    pub fn addr(self) -> PeerAddr {
        SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + self.0 as u32), 7987))
    }

    /// The machine with this address.
    pub(crate) fn of(addr: PeerAddr) -> Option<NodeId> {
        match addr {
            SocketAddr::V4(addr) => {
                addr.ip().to_bits().checked_sub(0x0a00_0000).map(|at| NodeId(at as usize))
            }
            SocketAddr::V6(_) => None,
        }
    }
}

pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) id: PeerId,
    /// The zone in its hello; empty if it is in none.
    pub(crate) zone: String,
    pub(crate) alive: bool,
    /// It accepts requests and sends nothing.
    pub(crate) silent: bool,
    /// It has nothing of what it claims.
    pub(crate) hollow: bool,
    /// The chunks that it sends corrupt.
    pub(crate) corrupt: BTreeSet<(SwarmKey, ChunkIndex)>,
    /// How many of the next chunks that it sends are corrupt.
    pub(crate) corrupt_next: u64,
    /// Its side of a cut; it cannot reach machines on other sides.
    pub(crate) side: u32,
    /// When its last message arrives; later messages do not arrive earlier.
    pub(crate) said_until: Time,
    /// The chunks on its disk.
    pub(crate) have: BTreeMap<SwarmKey, HaveMap>,
    /// When its alarm is planned.
    pub(crate) alarm: Option<Time>,
    /// The peers that it dialed and is connected to.
    pub(crate) links: BTreeSet<NodeId>,
    /// The peers that dialed it, and the news that each wants.
    pub(crate) subscribers: BTreeMap<NodeId, BTreeSet<SwarmKey>>,
    /// The news for its subscribers.
    pub(crate) news: BTreeMap<SwarmKey, Fresh>,
    /// Its own open requests.
    pub(crate) calls: BTreeMap<RequestId, Call>,
    /// The most requests that it had open at once.
    pub(crate) calls_peak: usize,
    /// The questions that it is asked.
    pub(crate) asks: BTreeMap<AskId, Asked>,
    /// Bytes that it sent, and received.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// News that were not told yet.
#[derive(Default)]
pub(crate) struct Fresh {
    pub(crate) chunks: Vec<ChunkIndex>,
    /// Whether everything must be told again.
    pub(crate) all: bool,
}

/// A request on its way, or being answered.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) to: NodeId,
    /// The callee's number for it, once it has arrived.
    pub(crate) ask: Option<AskId>,
}

/// The asker of a question.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) from: NodeId,
    pub(crate) request: RequestId,
}

impl Node {
    /// The number of its swarms in which it lacks something; 0 if it is dead.
    pub(crate) fn unfinished(&self) -> usize {
        if self.alive { self.have.values().filter(|have| !have.is_full()).count() } else { 0 }
    }

    pub(crate) fn new(number: NodeId, zone: &str, config: SwarmConfig, seed: u64) -> Node {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(number.0 as u64).to_le_bytes());
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number.0 as u64).to_le_bytes());
        id[8..].copy_from_slice(&seed.to_le_bytes());
        Node {
            machine: Machine::new(config, bytes).in_zone(PeerId(id), zone),
            id: PeerId(id),
            zone: zone.to_string(),
            alive: true,
            silent: false,
            hollow: false,
            corrupt: BTreeSet::new(),
            corrupt_next: 0,
            side: 0,
            said_until: Time(0),
            have: BTreeMap::new(),
            alarm: None,
            links: BTreeSet::new(),
            subscribers: BTreeMap::new(),
            news: BTreeMap::new(),
            calls: BTreeMap::new(),
            calls_peak: 0,
            asks: BTreeMap::new(),
            sent: 0,
            received: 0,
        }
    }
}
