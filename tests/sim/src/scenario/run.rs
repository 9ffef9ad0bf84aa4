//! Runs a scenario, and judges it.

use super::definition::{self, Scenario, Size, Staged};
use super::report::Report;
use crate::{Log, NodeId, Setup, Sharing, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The most machines for which links are shared exactly. With more they are shared in equal parts, because exact
/// sharing takes too long.
const MAX_MIN_UP_TO: usize = 128;
/// The most chunks to deliver in all for which invariants are checked at every step. Each check reads everything.
const CHECKED_UP_TO: usize = 4200;
/// The longest run, in virtual time; a run that has not ended by then fails.
const LIMIT: Duration = Duration::from_secs(600);
/// In a run that cannot end, nothing may move after this.
const STILL_AFTER: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Debug, Clone)]
pub struct Order {
    /// The seed of all chance.
    pub seed: u64,
    /// The size and its limits.
    pub size: Size,
    /// Changes the scenario's settings.
    pub change: fn(&mut Setup),
}

impl Scenario {
    /// The default size with the given values. Only usual sizes have limits.
    pub fn size(&self, machines: Option<usize>, chunks: Option<u32>) -> Size {
        let machines = machines.unwrap_or(self.sizes[0].machines);
        let chunks = chunks.unwrap_or(self.sizes[0].chunks);
        let usual = self.sizes.iter().find(|size| (size.machines, size.chunks) == (machines, chunks));
        usual.copied().unwrap_or(definition::size(machines, chunks))
    }
}

/// Runs it. Failures, including panics, are in the report.
pub fn run(scenario: &'static Scenario, order: &Order) -> Report {
    let Size { machines, chunks, .. } = order.size;
    let mut setup = Setup { seed: order.seed, ..(scenario.setup)() };
    setup.sharing = if machines > MAX_MIN_UP_TO { Sharing::Equal } else { Sharing::MaxMin };
    setup.check = machines * chunks as usize <= CHECKED_UP_TO;
    setup.log = if machines > MAX_MIN_UP_TO { Log::Nothing } else { Log::Digest };
    (order.change)(&mut setup);
    let began = Instant::now();
    let mut staged = (scenario.stage)(setup, machines, chunks);
    let world = &mut staged.world;
    let moved = catch_unwind(AssertUnwindSafe(|| match scenario.ends {
        true => world.run_while(LIMIT, |world| !world.all_complete()),
        false => {
            world.run_for(STILL_AFTER);
            true
        }
    }));
    let mut failures = Vec::new();
    match moved {
        Ok(true) => {}
        Ok(false) => failures.push(format!("not everybody ends: {}", staged.world.summary())),
        Err(panic) => failures.push(text_of(panic.as_ref())),
    }
    if failures.is_empty() {
        failures.extend(what_is_missing(scenario, &staged));
    }
    let mut report = report_of(scenario, order, &staged, began.elapsed());
    report.failures = failures;
    if report.failures.is_empty() {
        report.failures = what_exceeds(&report, order.size);
    }
    report
}

/// All judged machines must have ended; in a run that cannot end, all must say why.
fn what_is_missing(scenario: &Scenario, staged: &Staged) -> Option<String> {
    if scenario.ends {
        let open = |node: &&NodeId| staged.world.finished(**node, staged.key).is_none();
        return staged.judged.iter().find(open).map(|node| format!("machine {} did not end", node.0));
    }
    if staged.world.all_complete() {
        return Some("everybody ends, although it cannot".to_string());
    }
    let silent = staged.world.unexplained();
    (!silent.is_empty()).then(|| format!("machines that say no reason: {silent:?}"))
}

fn what_exceeds(report: &Report, size: Size) -> Vec<String> {
    let limits = [
        ("time / bound", report.ratio(), size.ratio_max),
        ("the seeder sent copies", report.sent, size.sent_max),
        ("crossed copies", report.crossed, size.crossed_max),
    ];
    let over = limits.into_iter().filter(|(_, value, max)| value > max);
    over.map(|(what, value, max)| format!("{what}: {value:.3} is above {max:.3}")).collect()
}

fn report_of(scenario: &'static Scenario, order: &Order, staged: &Staged, took: Duration) -> Report {
    let Size { machines, chunks, .. } = order.size;
    let Staged { world, key, bound, judged } = staged;
    let bytes = (u64::from(chunks) << 20) as f64;
    let delivered = (machines as f64 * f64::from(chunks)).max(1.0);
    let ended = judged.iter().filter_map(|&node| world.finished(node, *key));
    let mut times: Vec<f64> = ended.map(|time| time.as_secs_f64() / bound.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    Report {
        scenario: scenario.name,
        seed: order.seed,
        machines,
        chunks,
        bound: bound.as_secs_f64(),
        times,
        sent: world.sent(NodeId(0)) as f64 / bytes,
        crossed: world.crossed() as f64 / bytes,
        requests: world.asked() as f64 / delivered,
        refused: world.refused() as f64 / delivered,
        dropped: world.dropped().len(),
        events: world.steps(),
        took: took.as_secs_f64(),
        digest: digest_of(world),
        failures: Vec::new(),
    }
}

fn digest_of(world: &World) -> u64 {
    if world.setup().log == Log::Nothing { 0 } else { world.digest() }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_string()
}
