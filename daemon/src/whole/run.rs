//! Lives through one world, from its begin to its end.

use super::hooks;
use super::panics;
use super::scenario::Scenario;
use super::trace::Trace;
use super::world::World;
use futures::FutureExt;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;

/// What became of a world.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The first thing that was wrong.
    pub(super) failure: Option<String>,
    /// One number for the order of all inputs of all machines.
    pub(super) digest: u64,
    /// How many lines its trace has.
    pub(super) lines: u64,
    /// The last of them, if something was wrong.
    pub(super) last: Vec<String>,
    /// The virtual time that passed.
    pub(super) lasted: Duration,
}

/// Lives through the world of a seed. All lines of its trace also go into `file`.
pub(super) fn run(seed: u64, scenario: Scenario, file: Option<File>) -> Outcome {
    panics::remember();
    let lived = hooks::run(seed, move || live(seed, scenario, file));
    lived.unwrap_or_else(|_| Outcome {
        failure: Some(panics::first().unwrap_or_else(|| "the world itself failed".to_owned())),
        digest: 0,
        lines: 0,
        last: Vec::new(),
        lasted: Duration::ZERO,
    })
}

async fn live(seed: u64, scenario: Scenario, file: Option<File>) -> Outcome {
    let begin = Instant::now();
    let world = World::new(seed, Trace::new(file));
    let living = async {
        tokio::select! {
            biased;
            () = world.be_checked() => {}
            () = (scenario.run)(&world) => {}
        }
        world.calm().await;
        world.end().await;
    };
    let lived = AssertUnwindSafe(living).catch_unwind().await;
    // A panic of a task or of caught work counts, too; it is the first one then.
    let failure = panics::first().or_else(|| lived.err().map(|_| "it panicked".to_owned()));
    let last = if failure.is_some() { world.trace.last() } else { Vec::new() };
    Outcome {
        failure,
        digest: world.trace.digest(),
        lines: world.trace.lines(),
        last,
        lasted: begin.elapsed(),
    }
}
