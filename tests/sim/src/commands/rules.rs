//! `sim rules`: measures what each rule is worth.

use super::{Job, nothing_failed, ratio_of, row, run_all};
use sim::Setup;
use sim::scenario::{Order, find, size};
use std::time::Duration;

/// The fleets on which each change is tried.
const FLEETS: [(&str, usize, u32); 5] =
    [("even", 8, 128), ("even", 32, 256), ("H1", 32, 256), ("H5", 32, 256), ("far", 32, 256)];

/// The settings that are changed, one at a time.
type Change = (&'static str, fn(&mut Setup));

const CHANGES: &[Change] = &[
    ("as it is", |_| {}),
    ("seeder_slots 4", |setup| setup.config.seeder_slots = 4),
    ("seeder_slots 8", |setup| setup.config.seeder_slots = 8),
    ("seeder_slots 10", |setup| setup.config.seeder_slots = 10),
    ("leecher_slots and depth_min 2", |setup| slots_and_depth(setup, 2)),
    ("leecher_slots and depth_min 3", |setup| slots_and_depth(setup, 3)),
    ("leecher_slots and depth_min 5", |setup| slots_and_depth(setup, 5)),
    ("leecher_slots and depth_min 8", |setup| slots_and_depth(setup, 8)),
    ("depth_min 3 alone", |setup| setup.config.depth_min = 3),
    ("depth_min 6 alone", |setup| setup.config.depth_min = 6),
    ("depth always 4", |setup| setup.config.depth_max = 4),
    ("depth_max 12", |setup| setup.config.depth_max = 12),
    ("depth_max 16", |setup| setup.config.depth_max = 16),
    ("downlink_used 0.5", |setup| setup.config.downlink_used = 0.5),
    ("downlink_used 0.9", |setup| setup.config.downlink_used = 0.9),
    ("stall_min 0.1 s", |setup| setup.config.stall_min = Duration::from_millis(100)),
    ("stall_min 1 s", |setup| setup.config.stall_min = Duration::from_secs(1)),
    ("news after 0 ms", |setup| setup.news_delay = Duration::ZERO),
    ("news after 10 ms", |setup| setup.news_delay = Duration::from_millis(10)),
    ("news after 50 ms", |setup| setup.news_delay = Duration::from_millis(50)),
    ("news after 100 ms", |setup| setup.news_delay = Duration::from_millis(100)),
    ("messages wait up to 5 ms", |setup| setup.control_wait_max = Duration::from_millis(5)),
    ("messages wait up to 20 ms", |setup| setup.control_wait_max = Duration::from_millis(20)),
    ("10 neighbours", |setup| neighbours(setup, 10)),
    ("20 neighbours", |setup| neighbours(setup, 20)),
    ("links shared in equal parts", |setup| setup.sharing = sim::Sharing::Equal),
];

fn slots_and_depth(setup: &mut Setup, n: u32) {
    setup.config.leecher_slots = n;
    setup.config.depth_min = n;
    setup.config.depth_max = setup.config.depth_max.max(n * 2);
}

fn neighbours(setup: &mut Setup, n: u32) {
    setup.config.neighbours_max = n;
    setup.tracker_peers = n as usize;
}

/// Prints a Markdown table: one row for each change, one column for each fleet.
pub(crate) fn rules(runs: u64) -> bool {
    let mut jobs: Vec<Job> = Vec::new();
    for &(_, change) in CHANGES {
        for (name, machines, chunks) in FLEETS {
            let scenario = find(name).expect("the fleets are scenarios");
            let order = |seed| Order { seed, size: size(machines, chunks), change };
            jobs.extend((1..=runs).map(|seed| (scenario, order(seed))));
        }
    }
    let reports = run_all(&jobs, |_| {});
    let fleets = FLEETS.map(|(name, machines, chunks)| format!("{name} {machines} × {chunks}"));
    row(["rule".to_string()].into_iter().chain(fleets));
    row(vec!["---".to_string(); FLEETS.len() + 1]);
    let mut groups = reports.chunks(runs.max(1) as usize);
    for (rule, _) in CHANGES {
        row([rule.to_string()].into_iter().chain(groups.by_ref().take(FLEETS.len()).map(ratio_of)));
    }
    nothing_failed(&reports)
}
