//! `sim table`: the tables of docs/strategy.md.

use super::{Job, mean, nothing_failed, ratio_of, row, run_all};
use sim::scenario::{Order, Report, find, size};

/// Fleets in which nothing goes wrong, in the order of the document.
const FLEETS: &[(&str, &[(usize, u32)])] = &[
    ("one", &[(1, 128)]),
    ("small", &[(8, 1), (16, 1), (32, 1), (8, 3), (32, 3), (8, 16), (32, 16)]),
    ("even", &[(8, 128), (16, 128), (32, 128), (8, 256), (16, 256), (32, 256)]),
    ("fast", &[(8, 256), (32, 256)]),
    ("far", &[(8, 128), (32, 128), (32, 256)]),
    ("H1", &[(8, 256), (32, 256)]),
    ("H2", &[(8, 256), (32, 256)]),
    ("H3", &[(8, 256), (32, 256)]),
    ("H4", &[(8, 256), (32, 256)]),
    ("H5", &[(8, 256), (32, 256)]),
    ("H6", &[(8, 256), (32, 256)]),
];
const RACKS: &[(&str, &[(usize, u32)])] = &[("racks", &[(15, 128), (15, 256), (31, 128), (31, 256)])];
const TROUBLE: &[(&str, &[(usize, u32)])] = &[
    ("late", &[(16, 256)]),
    ("seeder-killed", &[(16, 128), (32, 256)]),
    ("slow-peer", &[(16, 128)]),
    ("crash", &[(32, 256)]),
    ("crash-unseen", &[(32, 256)]),
    ("silent", &[(32, 256)]),
    ("leavers", &[(16, 256)]),
    ("parted", &[(16, 256)]),
    ("liars", &[(16, 128)]),
    ("tracker-away", &[(16, 256)]),
    ("queued", &[(8, 128), (32, 256)]),
    ("mix", &[(12, 64), (30, 64)]),
];
const HUNDRED: &[(&str, &[(usize, u32)])] = &[("hundred", &[(100, 64), (100, 256)])];
const LARGE: &[(&str, &[(usize, u32)])] =
    &[("thousand", &[(1000, 64), (1000, 256)]), ("ten-thousand", &[(10_000, 256)])];

/// Prints the tables as Markdown. Limits are ignored; only unfinished runs are failures.
pub(crate) fn table(runs: u64, large: bool) -> bool {
    let mut good = part("Nothing goes wrong", FLEETS, runs);
    good &= part("Two racks", RACKS, runs);
    good &= part("Something goes wrong", TROUBLE, runs);
    good &= part("Twenty neighbours", HUNDRED, runs);
    if large {
        good &= part("Twenty neighbours, one seed", LARGE, 1);
    }
    good
}

fn part(title: &str, fleets: &[(&str, &[(usize, u32)])], runs: u64) -> bool {
    let mut jobs: Vec<Job> = Vec::new();
    for (name, sizes) in fleets {
        let scenario = find(name).expect("the tables name scenarios");
        for &(machines, chunks) in *sizes {
            let order = |seed| Order { seed, size: size(machines, chunks), change: |_| {} };
            jobs.extend((1..=runs).map(|seed| (scenario, order(seed))));
        }
    }
    let reports = run_all(&jobs, |_| {});
    println!("\n{title}:\n");
    println!("| fleet | machines × chunks | time / bound (worst) | seeder sent | requests | crossed |");
    println!("|---|---|---|---|---|---|");
    for group in reports.chunks(runs.max(1) as usize) {
        let Report { scenario, machines, chunks, .. } = group[0];
        let crossed = mean(group, |report| report.crossed);
        row([
            scenario.to_string(),
            format!("{machines} × {chunks}"),
            ratio_of(group),
            format!("{:.2}", mean(group, |report| report.sent)),
            format!("{:.1}", mean(group, |report| report.requests)),
            if crossed > 0.0 { format!("{crossed:.2}") } else { String::new() },
        ]);
    }
    nothing_failed(&reports)
}
