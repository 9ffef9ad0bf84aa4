//! `sim run`: one scenario.

use super::{mean, nothing_failed, ratio_of};
use crate::args::RunArgs;
use sim::scenario::{Order, Report, run as run_order};

pub(crate) fn run(args: &RunArgs) -> bool {
    let size = args.scenario.size(args.machines.map(|machines| machines as usize), args.chunks);
    let mut reports = Vec::new();
    for seed in args.seed..args.seed.saturating_add(args.runs) {
        let report = run_order(args.scenario, &Order { seed, size, change: |_| {} });
        if args.json {
            println!("{}", serde_json::to_string(&report).expect("a report has only numbers and texts"));
        } else if args.runs == 1 {
            println!("{report}");
        } else {
            println!("{}", report.line());
        }
        reports.push(report);
    }
    if args.json {
        return reports.iter().all(|report| report.failures.is_empty());
    }
    if args.runs > 1 {
        let sent = mean(&reports, |report: &Report| report.sent);
        println!("time/bound {} over {} runs, seeder {sent:.2} F", ratio_of(&reports), reports.len());
    }
    nothing_failed(&reports)
}
