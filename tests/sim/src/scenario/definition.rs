//! What a scenario is: its sizes with their limits, and the world that it stages.

use crate::{Link, NodeId, Setup, World};
use shared::id::SwarmKey;
use std::time::Duration;

/// Gigabit Ethernet, both ways.
pub const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };

/// A kind of run.
pub struct Scenario {
    /// What it is called at the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub about: &'static str,
    /// The sizes that it is usually run in, and their limits; the first is the default.
    pub sizes: &'static [Size],
    /// The world's settings, but for the seed.
    pub setup: fn() -> Setup,
    /// Builds the world: settings, leechers, chunks.
    pub stage: fn(Setup, usize, u32) -> Staged,
    /// Whether everybody who lives has everything in the end. Else all must say what they lack.
    pub ends: bool,
    /// Whether it is one of the fixed set that CI runs.
    pub in_check: bool,
}

/// How large a run is, and what it must not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Leechers.
    pub machines: usize,
    /// Chunks of the resource.
    pub chunks: u32,
    /// Time over bound.
    pub ratio_max: f64,
    /// Bytes that the first seeder sends, in copies of the resource.
    pub sent_max: f64,
    /// Bytes that cross into another zone, in copies of the resource.
    pub crossed_max: f64,
}

/// A world that is ready to run.
pub struct Staged {
    /// The world; machine 0 is the seeder.
    pub world: World,
    /// What is fetched.
    pub key: SwarmKey,
    /// What no schedule can beat, for those who are judged.
    pub bound: Duration,
    /// Whose times count.
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
