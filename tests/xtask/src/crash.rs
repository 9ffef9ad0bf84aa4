//! `cargo xtask crash`: kills a daemon at random moments of a hundred downloads, and checks each time that the right
//! file arrives without help. Counts the chunks that were fetched twice.

use crate::cargo::Workspace;
use crate::interrupt;
use cluster::crash::{Crash, Crashes};
use cluster::{Programs, use_programs};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The size of the files, in chunks.
const CHUNKS: usize = 96;

/// The most chunks that may be fetched again after a crash; more fail the run. ttd promises it: it has no more written
/// chunks than this that its have map on disk does not claim.
const CHUNKS_AGAIN_MAX: u64 = 64;

/// Runs `runs` downloads, each with a crash.
pub(crate) fn run(runs: u32, seed: Option<u64>) -> Result<(), String> {
    interrupt::watch()?;
    use_programs(Programs::in_dir(&Workspace::find()?.build_release()?)?);
    let seed = seed.unwrap_or_else(random);
    println!("seed {seed}; files of {CHUNKS} MiB");
    let mut crashes = attempt(|| Crashes::start(seed, CHUNKS))?;
    println!("an undisturbed download takes {:.2} s\n", crashes.span().as_secs_f64());
    println!("{:>4}  {:>10}  {:>12}  {:>18}", "run", "killed at", "recovered in", "chunks sent twice");
    let mut all: Vec<Crash> = Vec::new();
    for number in 1..=runs {
        interrupt::check()?;
        let crash = attempt(|| crashes.crash(&format!("crash-{number}")))
            .map_err(|error| format!("run {number} of seed {seed}: {error}"))?;
        let (after, recovery) = (crash.after.as_secs_f64(), crash.recovery.as_secs_f64());
        let late = if crash.too_late { "  (killed after publishing)" } else { "" };
        println!("{number:>4}  {after:>8.3} s  {recovery:>10.2} s  {:>18}{late}", crash.chunks_again);
        all.push(crash);
    }
    summary(&all);
    match all.iter().filter(|crash| crash.chunks_again > CHUNKS_AGAIN_MAX).count() {
        0 => Ok(()),
        many => Err(format!(
            "after {many} of {runs} crashes, more than {CHUNKS_AGAIN_MAX} chunks were sent again"
        )),
    }
}

fn summary(all: &[Crash]) {
    let late = all.iter().filter(|crash| crash.too_late).count();
    let most = all.iter().map(|crash| crash.chunks_again).max().unwrap_or_default();
    let sum: u64 = all.iter().map(|crash| crash.chunks_again).sum();
    let mean = sum as f64 / all.len().max(1) as f64;
    let longest: Duration = all.iter().map(|crash| crash.recovery).max().unwrap_or_default();
    println!(
        "\n{} crashes, {} of them before the file was published: every file arrived intact, without manual steps",
        all.len(),
        all.len() - late
    );
    println!(
        "chunks sent twice: {mean:.1} on average, {most} at most (including those that were on their way)"
    );
    println!("from the kill to the finished file: {:.2} s at most", longest.as_secs_f64());
}

/// Turns a scenario's panic into an error; its logs are printed by then.
fn attempt<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "failed; the reason is printed above".to_owned())
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
