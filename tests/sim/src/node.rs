//! One machine of the world: the real core, and what its driver has to remember.

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
    /// Where it listens.
    pub fn addr(self) -> PeerAddr {
        SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + self.0 as u32), 7987))
    }

    /// Who listens there.
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
    /// What it says of its zone in the hello; empty if it is in none.
    pub(crate) zone: String,
    pub(crate) alive: bool,
    /// It accepts requests and sends nothing.
    pub(crate) silent: bool,
    /// It has nothing of what it claims.
    pub(crate) hollow: bool,
    /// What it sends corrupt.
    pub(crate) corrupt: BTreeSet<(SwarmKey, ChunkIndex)>,
    /// How many of the next chunks that it sends are corrupt.
    pub(crate) corrupt_next: u64,
    /// What it cannot reach lies on another side.
    pub(crate) side: u32,
    /// When what it said last arrives: what it says later does not come earlier.
    pub(crate) said_until: Time,
    /// What is on its disk.
    pub(crate) have: BTreeMap<SwarmKey, HaveMap>,
    /// When its alarm is planned.
    pub(crate) alarm: Option<Time>,
    /// Whom it dialed and is connected to.
    pub(crate) links: BTreeSet<NodeId>,
    /// Who dialed it and which news it wants.
    pub(crate) subscribers: BTreeMap<NodeId, BTreeSet<SwarmKey>>,
    /// What is to be told to the subscribers.
    pub(crate) news: BTreeMap<SwarmKey, Fresh>,
    /// Its own open requests.
    pub(crate) calls: BTreeMap<RequestId, Call>,
    /// What it is asked.
    pub(crate) asks: BTreeMap<AskId, Asked>,
    /// Bytes that it sent, and received.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// What is new and not told.
#[derive(Default)]
pub(crate) struct Fresh {
    pub(crate) chunks: Vec<ChunkIndex>,
    /// Everything is to be told again.
    pub(crate) all: bool,
}

/// A request on its way, or being answered.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) to: NodeId,
    /// What the callee calls it, once it is there.
    pub(crate) ask: Option<AskId>,
}

/// Who asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) from: NodeId,
    pub(crate) request: RequestId,
}

impl Node {
    /// How many of the swarms that it is in it has not everything of; none if it is dead.
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
            asks: BTreeMap::new(),
            sent: 0,
            received: 0,
        }
    }
}
