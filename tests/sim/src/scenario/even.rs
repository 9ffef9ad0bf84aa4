//! Fleets in which nothing goes wrong.

use super::definition::{GIGABIT, Staged};
use crate::{Link, NodeId, Setup, World, bound, bound_between};
use std::time::Duration;

const MEGABYTE: u64 = 1_000_000;
const TEN_GIGABIT: Link = Link { up: 1_250_000_000, down: 1_250_000_000 };

/// A seeder, and leechers with these links, by number. All begin at once.
pub(super) fn fleet(
    setup: Setup,
    seeder: Link,
    machines: usize,
    chunks: u32,
    link: fn(usize) -> Link,
) -> Staged {
    let links: Vec<Link> = (0..machines).map(link).collect();
    let mut world = World::new(setup);
    let key = world.add_resource(chunks);
    let first = world.add_node(seeder);
    world.seed(first, key);
    for &link in &links {
        let node = world.add_node(link);
        world.leech(node, key, Duration::ZERO);
    }
    let bound = bound(u64::from(chunks) << 20, seeder, &links);
    Staged { world, key, bound, judged: (1..=machines).map(NodeId).collect() }
}

pub(super) fn even(setup: Setup, machines: usize, chunks: u32) -> Staged {
    fleet(setup, GIGABIT, machines, chunks, |_| GIGABIT)
}

/// 100 Mbit/s and 20 ms one way.
pub(super) fn far(setup: Setup, machines: usize, chunks: u32) -> Staged {
    fleet(setup, Link::symmetric(100_000_000), machines, chunks, |_| Link::symmetric(100_000_000))
}

pub(super) fn far_setup() -> Setup {
    let (latency, news_delay) = (Duration::from_millis(20), Duration::from_millis(10));
    Setup { latency, news_delay, ..Setup::default() }
}

pub(super) fn fast(setup: Setup, machines: usize, chunks: u32) -> Staged {
    fleet(setup, TEN_GIGABIT, machines, chunks, |_| TEN_GIGABIT)
}

pub(super) fn fast_setup() -> Setup {
    Setup {
        latency: Duration::from_micros(100),
        verify: Duration::from_micros(700),
        news_delay: Duration::from_micros(500),
        ..Setup::default()
    }
}

pub(super) fn h1(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let link = |at| Link { up: [125, 62, 31, 12][at % 4] * MEGABYTE, ..GIGABIT };
    fleet(setup, GIGABIT, machines, chunks, link)
}

pub(super) fn h2(setup: Setup, machines: usize, chunks: u32) -> Staged {
    fleet(setup, TEN_GIGABIT, machines, chunks, |_| GIGABIT)
}

pub(super) fn h3(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let link = |at| if at % 4 == 3 { GIGABIT } else { TEN_GIGABIT };
    fleet(setup, TEN_GIGABIT, machines, chunks, link)
}

pub(super) fn h4(setup: Setup, machines: usize, chunks: u32) -> Staged {
    fleet(setup, Link::symmetric(250_000_000), machines, chunks, |_| GIGABIT)
}

pub(super) fn h5(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let link = |at| Link { up: [125, 12][at % 2] * MEGABYTE, ..GIGABIT };
    fleet(setup, GIGABIT, machines, chunks, link)
}

pub(super) fn h6(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let link = |at| if at % 8 == 7 { TEN_GIGABIT } else { GIGABIT };
    fleet(setup, GIGABIT, machines, chunks, link)
}

/// Two racks, the seeder in the first; the link between them is as fast as that of one machine.
pub(super) fn racks(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut world = World::new(setup);
    let key = world.add_resource(chunks);
    for zone in ["A", "B"] {
        world.zone_link(zone, GIGABIT);
    }
    for at in 0..=machines {
        let node = world.add_node_in(GIGABIT, if at <= machines / 2 { "A" } else { "B" });
        match at {
            0 => world.seed(node, key),
            _ => world.leech(node, key, Duration::ZERO),
        }
    }
    let links = vec![GIGABIT; machines];
    let bound = bound_between(u64::from(chunks) << 20, GIGABIT, &links, GIGABIT, &[GIGABIT]);
    Staged { world, key, bound, judged: (1..=machines).map(NodeId).collect() }
}

/// Twenty neighbours each, whoever they are.
pub(super) fn few_neighbours() -> Setup {
    let mut setup = Setup { tracker_peers: 20, check: false, ..Setup::default() };
    setup.config.neighbours_max = 20;
    setup
}
