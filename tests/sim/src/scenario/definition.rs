//! The definition of a scenario: its sizes with their limits, and its world.

use crate::{Link, NodeId, Setup, World};
use shared::id::SwarmKey;
use std::time::Duration;

/// Gigabit Ethernet, both ways.
pub const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };

/// A kind of run.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its description in one line.
    pub about: &'static str,
    /// The sizes in which it is usually run, with their limits; the first is the default.
    pub sizes: &'static [Size],
    /// The world's settings, but for the seed.
    pub setup: fn() -> Setup,
    /// Builds the world: settings, leechers, chunks.
    pub stage: fn(Setup, usize, u32) -> Staged,
    /// Whether all living machines must have everything when the run ends. Otherwise all must say what they lack.
    pub ends: bool,
    /// Whether CI runs it.
    pub in_check: bool,
}

/// The size of a run and its limits.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Leechers.
    pub machines: usize,
    /// Chunks of the resource.
    pub chunks: u32,
    /// The limit of the time, as a multiple of the bound.
    pub ratio_max: f64,
    /// The limit of the bytes that the first seeder sends, in copies of the resource.
    pub sent_max: f64,
    /// The limit of the bytes that cross into another zone, in copies of the resource.
    pub crossed_max: f64,
}

/// A world that is ready to run.
pub struct Staged {
    /// The world; machine 0 is the seeder.
    pub world: World,
    /// The swarm that is fetched.
    pub key: SwarmKey,
    /// The bound for the machines that are judged.
    pub bound: Duration,
    /// The machines that are judged.
    pub judged: Vec<NodeId>,
}

/// A size without limits.
pub const fn size(machines: usize, chunks: u32) -> Size {
    Size { machines, chunks, ratio_max: f64::INFINITY, sent_max: f64::INFINITY, crossed_max: f64::INFINITY }
}

impl Size {
    /// The time over the bound must not exceed this.
    pub const fn ratio(self, ratio_max: f64) -> Size {
        Size { ratio_max, ..self }
    }

    /// No more copies than this must cross into other zones.
    pub const fn crossed(self, crossed_max: f64) -> Size {
        Size { crossed_max, ..self }
    }

    /// The seeder must not send more copies than this.
    pub const fn sent(self, sent_max: f64) -> Size {
        Size { sent_max, ..self }
    }
}
