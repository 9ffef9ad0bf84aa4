//! All scenarios, with their usual sizes and limits.
//!
//! The limits tell when something is broken. They are not targets, since single runs vary.

use super::definition::{Scenario, Size, Staged, size};
use super::{even, hostile, troubled};
use crate::Setup;

/// A scenario in which all machines end and which CI runs.
const fn usual(
    name: &'static str,
    about: &'static str,
    sizes: &'static [Size],
    stage: fn(Setup, usize, u32) -> Staged,
) -> Scenario {
    Scenario { name, about, sizes, setup: Setup::default, stage, ends: true, in_check: true }
}

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// All scenarios.
pub fn scenarios() -> &'static [Scenario] {
    SCENARIOS
}

static SCENARIOS: &[Scenario] = &[
    usual("one", "one leecher", &[size(1, 128).ratio(1.05).sent(1.01)], even::even),
    usual(
        "even",
        "all links 1 Gbit/s: the hardest case, since every link is needed at once",
        &[
            size(32, 256).ratio(1.25).sent(1.35),
            size(8, 128).ratio(1.25).sent(1.35),
            size(16, 128).ratio(1.30).sent(1.35),
            size(32, 128).ratio(1.35).sent(1.35),
            size(8, 256).ratio(1.18).sent(1.35),
            size(16, 256).ratio(1.22).sent(1.35),
        ],
        even::even,
    ),
    usual(
        "small",
        "even, with few chunks",
        &[
            size(8, 3).ratio(4.5),
            size(32, 3).ratio(6.0),
            size(8, 1).ratio(9.0),
            size(16, 1).ratio(11.0),
            size(32, 1).ratio(14.0),
            size(8, 16).ratio(2.2),
            size(32, 16).ratio(3.0),
        ],
        even::even,
    ),
    usual(
        "H1",
        "uplinks of 1, 0.5, 0.25 and 0.1 Gbit/s",
        &[size(32, 256).ratio(1.30), size(8, 256)],
        even::h1,
    ),
    usual("H2", "the seeder has 10 Gbit/s", &[size(32, 256).ratio(1.2), size(8, 256)], even::h2),
    usual(
        "H3",
        "the seeder and three of four leechers have 10 Gbit/s",
        &[size(32, 256).ratio(1.1), size(8, 256)],
        even::h3,
    ),
    usual("H4", "the seeder has 0.25 Gbit/s", &[size(32, 256).ratio(1.1).sent(1.35), size(8, 256)], even::h4),
    usual("H5", "uplinks of 1 and 0.1 Gbit/s", &[size(32, 256).ratio(1.35), size(8, 256)], even::h5),
    usual(
        "H6",
        "every eighth leecher has 10 Gbit/s",
        &[size(32, 256).ratio(1.25).sent(1.35), size(8, 256)],
        even::h6,
    ),
    Scenario {
        setup: even::far_setup,
        ..usual(
            "far",
            "100 Mbit/s, 20 ms one way, news within 10 ms",
            &[size(32, 256).ratio(1.4).sent(1.35), size(8, 128), size(32, 128)],
            even::far,
        )
    },
    Scenario {
        setup: even::fast_setup,
        ..usual(
            "fast",
            "all links 10 Gbit/s, 0.1 ms one way",
            &[size(32, 256).ratio(1.35).sent(1.35), size(8, 256).ratio(1.25).sent(1.35)],
            even::fast,
        )
    },
    usual(
        "racks",
        "two racks, the link between them as fast as one machine",
        &[
            size(15, 128).ratio(1.6).crossed(1.05),
            size(15, 256).ratio(1.5).crossed(1.05),
            size(31, 128).ratio(1.6).crossed(1.05),
            size(31, 256).ratio(1.5).crossed(1.05),
        ],
        even::racks,
    ),
    usual(
        "late",
        "half of the leechers come a quarter of the bound late",
        &[size(16, 256).ratio(1.25)],
        troubled::late,
    ),
    usual(
        "seeder-killed",
        "the seeder dies after 1.05 copies",
        &[size(32, 256).ratio(1.35), size(16, 128).ratio(1.5)],
        troubled::seeder_killed,
    ),
    Scenario {
        ends: false,
        ..usual("seeder-lost", "the seeder dies after half a copy", &[size(8, 64)], troubled::seeder_lost)
    },
    usual(
        "slow-peer",
        "one leecher is ten times slower; the others count",
        &[size(16, 128).ratio(1.35)],
        troubled::slow_peer,
    ),
    usual(
        "crash",
        "a sixteenth dies at half time, seen after 0.1 s",
        &[size(32, 256).ratio(1.35)],
        troubled::crash,
    ),
    usual("crash-unseen", "the same, seen after 1 s", &[size(32, 256).ratio(1.5)], troubled::crash_unseen),
    usual(
        "silent",
        "a sixteenth sends nothing any more from half time on",
        &[size(32, 256).ratio(1.5)],
        troubled::silent,
    ),
    usual("leavers", "a quarter leaves at half time", &[size(16, 256).ratio(1.35)], troubled::leavers),
    usual("parted", "half is cut off for half of the time", &[size(16, 256).ratio(3.0)], troubled::parted),
    usual("liars", "one more seeder lies once, another always", &[size(16, 128).ratio(1.5)], troubled::liars),
    usual(
        "beset",
        "of three seeders one stalls and one always lies; the tracker dies when it has told of them",
        &[size(16, 48).ratio(20.0), size(16, 3), size(3, 48)],
        hostile::beset,
    ),
    usual(
        "false-seeders",
        "half of all machines claim everything, and are silent, lie, drip, or have nothing",
        &[size(3, 256).ratio(9.0), size(7, 256).ratio(9.0)],
        hostile::false_seeders,
    ),
    usual(
        "slow-takers",
        "half of all machines ask for everything and take next to nothing",
        &[size(3, 256).ratio(9.0), size(7, 256).ratio(9.0)],
        hostile::slow_takers,
    ),
    Scenario {
        ends: false,
        ..usual("only-a-liar", "a chunk that only a liar has", &[size(4, 32)], troubled::only_a_liar)
    },
    usual(
        "tracker-away",
        "as late, while the tracker is away",
        &[size(16, 256).ratio(3.0)],
        troubled::tracker_away,
    ),
    Scenario {
        ends: false,
        ..usual("no-tracker", "the tracker answers nobody", &[size(4, 16)], troubled::no_tracker)
    },
    Scenario {
        setup: troubled::queued_setup,
        ..usual(
            "queued",
            "even, and messages wait up to 5 ms behind chunks",
            &[size(32, 256).ratio(1.5), size(8, 128).ratio(1.5)],
            even::even,
        )
    },
    usual(
        "mix",
        "all sorts of faults at half of the leechers, by the seed",
        &[size(12, 64).ratio(6.0), size(30, 64).ratio(6.0)],
        troubled::mix,
    ),
    Scenario {
        setup: even::few_neighbours,
        ..usual(
            "hundred",
            "even, with 20 neighbours each",
            &[size(100, 256).ratio(1.30).sent(1.35)],
            even::even,
        )
    },
    Scenario {
        setup: even::few_neighbours,
        ..usual(
            "thousand",
            "even, with 20 neighbours each",
            &[size(1000, 256).ratio(1.28).sent(1.35)],
            even::even,
        )
    },
    Scenario {
        setup: even::few_neighbours,
        in_check: false,
        ..usual("ten-thousand", "even, with 20 neighbours each", &[size(10_000, 256).ratio(1.32)], even::even)
    },
];
