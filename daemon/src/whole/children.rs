//! Runs seeds in processes of their own, some at a time, and says which of them fail.

use std::fmt;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The processes that run at once.
const AT_ONCE: usize = 2;

/// How long one process may take, in real time. A seed takes about a second; this is for one that never ends.
const CHILD_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked whether a process has ended.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// Of this number of seeds one is run twice, to see whether both runs are the same.
const TWICE_EVERY: u64 = 16;

/// The seeds to run.
#[derive(Debug, Clone)]
pub(super) struct Seeds {
    /// The first one.
    pub(super) from: u64,
    /// How many.
    pub(super) count: u64,
    /// The scenario of all of them; otherwise it follows from the seed.
    pub(super) scenario: Option<String>,
}

/// What a process said of its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The seed.
    pub(super) seed: u64,
    /// The name of its scenario.
    pub(super) scenario: String,
    /// What was wrong.
    pub(super) failure: Option<String>,
    /// The digest of its inputs.
    pub(super) digest: String,
}

impl Said {
    /// What the process prints, in two lines.
    pub(super) fn printed(&self) -> String {
        let Said { seed, scenario, failure, digest } = self;
        let (state, why) = match failure {
            Some(failure) => ("FAILED", format!("\nwhy: {}", failure.replace('\n', " "))),
            None => ("ok", String::new()),
        };
        format!("seed {seed} {scenario} {state} digest {digest}{why}")
    }

    /// Reads what the process printed.
    fn understood(text: &str) -> Option<Said> {
        // The test runner may have written something into the line before.
        let (_, rest) = text.split_once("seed ")?;
        let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
        let mut words = line.split(' ');
        let (seed, scenario, state) = (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?);
        let digest = words.nth(1)?.to_owned();
        let why = rest.strip_prefix("why: ").and_then(|rest| rest.lines().next());
        let failure = (state != "ok").then(|| why.unwrap_or("it did not say why").to_owned());
        Some(Said { seed, scenario, failure, digest })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { seed, scenario, failure, digest } = self;
        match failure {
            Some(failure) => write!(
                f,
                "seed {seed} {scenario} FAILED: {failure}\nreplay: TT_SEED={seed} TT_SCENARIO={scenario} cargo test -p daemon \
                 --lib -- --exact --ignored --nocapture whole::seeds::one"
            ),
            None => write!(f, "seed {seed} {scenario} passed, digest {digest}"),
        }
    }
}

/// Runs all seeds. `tell` hears of each one that fails, and of the number of seeds so far. Returns those that failed.
pub(super) fn run_all(seeds: &Seeds, tell: impl Fn(Option<&Said>, u64) + Sync) -> Vec<Said> {
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= seeds.count {
                return;
            }
            let said = run_checked(seeds.from + at, seeds.scenario.as_deref());
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            match said.failure {
                Some(_) => {
                    tell(Some(&said), done);
                    failed.lock().expect("nobody panics with it").push(said);
                }
                None => tell(None, done),
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    failed.into_inner().expect("nobody panics with it")
}

/// Runs a seed, and some seeds twice: then both runs must be the same.
fn run_checked(seed: u64, scenario: Option<&str>) -> Said {
    let said = run_one(seed, scenario);
    if said.failure.is_none() && !seed.is_multiple_of(TWICE_EVERY) {
        return said;
    }
    let again = run_one(seed, scenario);
    if said.digest == again.digest && said.failure == again.failure {
        return said;
    }
    let failure = format!(
        "two runs differ: digests {} and {}; {}",
        said.digest,
        again.digest,
        said.failure.as_deref().or(again.failure.as_deref()).unwrap_or("both passed")
    );
    Said { failure: Some(failure), ..said }
}

/// Runs a seed in a process.
pub(super) fn run_one(seed: u64, scenario: Option<&str>) -> Said {
    let mut output = tempfile::tempfile().expect("there is room for what a process says");
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own program"));
    command.args(["--exact", "whole::seeds::one", "--ignored", "--nocapture"]);
    command.env("TT_SEED", seed.to_string()).env_remove("TT_SCENARIO").env_remove("TT_TRACE");
    if let Some(scenario) = scenario {
        command.env("TT_SCENARIO", scenario);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let child = command.stdout(output.try_clone().expect("a file can be had twice")).spawn();
    let is_over = has_ended(child.expect("a process can be started"));
    let mut text = String::new();
    let read = output.rewind().and_then(|()| output.read_to_string(&mut text));
    let said = read.ok().and_then(|_| Said::understood(&text)).filter(|_| is_over);
    said.unwrap_or_else(|| Said {
        seed,
        scenario: scenario.unwrap_or("of its own").to_owned(),
        failure: Some(match is_over {
            true => "its process ended without a word".to_owned(),
            false => format!("its process did not end in {CHILD_WITHIN:?}"),
        }),
        digest: String::new(),
    })
}

/// Waits until the process has ended, or ends it after its time.
fn has_ended(mut child: Child) -> bool {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if begin.elapsed() < CHILD_WITHIN => thread::sleep(POLL_EVERY),
            _ => {
                let _ = child.kill().and_then(|()| child.wait());
                return false;
            }
        }
    }
}
