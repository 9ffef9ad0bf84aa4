//! The setup of a world, and the faults in it.

use crate::network::{Link, Sharing};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::swarm::SwarmConfig;
use std::time::Duration;

/// The setup of a world.
#[derive(Debug, Clone)]
pub struct Setup {
    /// All chance of the world and of its machines comes from it.
    pub seed: u64,
    /// How links are shared.
    pub sharing: Sharing,
    /// The time that a message takes, one way.
    pub latency: Duration,
    /// The time from the last byte of a chunk until it is verified and written.
    pub verify: Duration,
    /// How long news are collected before they are told.
    pub news_delay: Duration,
    /// The longest wait of a message behind the buffered bytes of chunks that leave the same machine. It is usually 0,
    /// because control messages have a connection of their own, with precedence.
    pub control_wait_max: Duration,
    /// The number of peers that the tracker names.
    pub tracker_peers: usize,
    /// The strategy's settings, the same for all.
    pub config: SwarmConfig,
    /// Whether the invariants of a machine are checked after each of its steps.
    pub check: bool,
    /// How the actions are recorded.
    pub log: Log,
}

/// What a world keeps of its machines' actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Nothing.
    Nothing,
    /// A digest: equal for equal runs.
    Digest,
    /// All of them as text, and the digest.
    Text,
}

impl Default for Setup {
    /// A switched network: 0.2 ms, 1 ms to hash a chunk, news within 2 ms.
    fn default() -> Setup {
        Setup {
            seed: 1,
            sharing: Sharing::Equal,
            latency: Duration::from_micros(200),
            verify: Duration::from_millis(1),
            news_delay: Duration::from_millis(2),
            control_wait_max: Duration::ZERO,
            tracker_peers: 40,
            config: SwarmConfig::default(),
            check: true,
            log: Log::Nothing,
        }
    }
}

/// What may go wrong with a machine.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is gone; others notice soon, when their connections break.
    Die,
    /// It is gone, and others notice after this time only: till then it is as silent as a slow one.
    Vanish(Duration),
    /// It leaves a swarm, tells so, and keeps nothing.
    Leave(SwarmKey),
    /// Its link is this from now on.
    Link(Link),
    /// It is on this side of a cut from now on: those on different sides cannot reach each other (but all reach
    /// the tracker). In the beginning all are on side 0.
    Side(u32),
    /// It dies as soon as it has sent this number of bytes in all.
    DieAfterSending(u64),
    /// It goes on to accept requests and sends nothing any more.
    Silent,
    /// It claims what it has, and says that it is not there when it is asked.
    Hollow,
    /// It sends this chunk corrupt.
    Corrupt(SwarmKey, ChunkIndex),
    /// This number of the next chunks that it sends is corrupt.
    CorruptNext(u64),
    /// It sends nothing corrupt any more.
    Repaired,
}
