//! The swarm core: which chunk, from whom, and whom to serve.
//!
//! It is pure: it has no clock, no chance of its own, no socket and no file, and holds no chunk bytes, only
//! ids. A driver (the daemon, or the simulator) feeds it [`Event`]s and performs the [`Action`]s that it asks
//! for. It never fails: a stranger's nonsense ends as [`Action::Drop`]. The same seed and the same events give
//! the same actions.
//!
//! The strategy and its reasons are in docs/strategy.md.

mod action;
mod config;
mod event;
mod time;

pub use action::{Action, DropReason};
pub use config::SwarmConfig;
pub use event::{AskId, Event, News, PeerAddr, Refusal, RequestId};
pub use time::Time;

use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::SwarmKey;

/// All swarms of this machine.
///
/// In order of use: [`new`](Machine::new); then for each event [`handle`](Machine::handle) once and
/// [`poll`](Machine::poll) until `None`; then sleep until [`next_timeout`](Machine::next_timeout) and hand in
/// [`Event::Timeout`].
pub struct Machine {}

impl Machine {
    /// A machine in no swarm. All its chance comes from `seed`.
    pub fn new(_config: SwarmConfig, _seed: [u8; 32]) -> Machine {
        Machine {}
    }

    /// Takes note of one event. `now` never runs backwards.
    pub fn handle(&mut self, _now: Time, _event: Event) {}

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        None
    }

    /// When to hand in [`Event::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Time> {
        None
    }

    /// How a swarm is doing; `None` if this machine is not in it.
    pub fn status(&self, _key: SwarmKey) -> Option<SwarmStatus> {
        None
    }

    /// The peers of a swarm that we dialled, in order of their addresses.
    pub fn peers(&self, _key: SwarmKey) -> Vec<PeerStatus> {
        Vec::new()
    }
}

/// How a swarm is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmStatus {
    /// Chunks that are verified and written.
    pub have: u32,
    /// All chunks of the resource.
    pub count: ChunkCount,
    /// Chunks that are asked for, not arrived.
    pub in_flight: u32,
    /// Chunks that arrived and are being verified.
    pub verifying: u32,
    /// Peers that we are connected to.
    pub peers: u32,
    /// Of these, the seeders.
    pub seeders: u32,
    /// Why nothing is asked for; `None` while something is in flight, or when there is nothing to fetch.
    pub waiting: Option<Waiting>,
}

/// Why a swarm has nothing in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// No peer is known, or none of those known can be reached.
    NoPeers {
        /// How many addresses are known.
        known: u32,
    },
    /// Peers are there, but none of them has what is missing.
    NoSource {
        /// The first few chunks that nobody has.
        chunks: Vec<ChunkIndex>,
        /// How many there are in all.
        total: u32,
    },
    /// The only peers that claim to have these chunks sent corrupt bytes for them.
    OnlyCorrupt {
        /// The first few such chunks.
        chunks: Vec<ChunkIndex>,
        /// Who sent them.
        peers: Vec<PeerAddr>,
    },
    /// All peers that have what is missing are busy or slow to answer.
    Busy {
        /// How many peers.
        peers: u32,
    },
}

/// A peer of a swarm, as `ttctl peers` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// Where it listens.
    pub peer: PeerAddr,
    /// How many chunks it has.
    pub have: u32,
    /// How many chunks of this swarm are asked of it and have not arrived.
    pub in_flight: u32,
    /// Chunks of this swarm that came from it and were right.
    pub chunks_received: u64,
    /// Chunks of this swarm that came from it and were corrupt.
    pub chunks_corrupt: u64,
    /// Whether the link is up.
    pub connected: bool,
}
