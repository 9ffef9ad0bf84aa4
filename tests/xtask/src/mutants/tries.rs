//! Runs the tests of a program that has all mutants of a group: first each test by itself, to see which mutants it reaches
//! and how long it takes, then for each mutant the tests that reach it, until one fails.

use super::program::TestProgram;
use super::switch::Number;
use crate::interrupt;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Limits the time of a test, in multiples of what it takes without a mutant, plus a constant for a busy machine.
const SLOWER_MAX: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(8);

/// Limits the time of a test without a mutant.
const LONGEST: Duration = Duration::from_secs(300);

/// How often a process is looked at that may have ended.
const LOOK: Duration = Duration::from_millis(3);

/// Limits how many tests run in one process.
const BATCH_MAX: usize = 32;

/// A test that passes without a mutant.
#[derive(Clone, Debug)]
pub(super) struct Test {
    program: TestProgram,
    pub(super) name: String,
    /// How long it takes by itself.
    pub(super) takes: Duration,
    reaches: BTreeSet<Number>,
}

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// One of these tests fails.
    Noticed(String),
    /// These tests do not end.
    Endless(String),
    /// All tests that reach it pass; there are this many.
    Survives(usize),
}

/// How a process of tests ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Endless,
}

/// All tests of these programs that pass.
pub(super) fn record(
    programs: &BTreeSet<TestProgram>,
    longest: Duration,
    notes: &Path,
) -> Result<Vec<Test>, String> {
    let mut tests = Vec::new();
    for program in programs {
        let ignored = list(program, &["--ignored"])?;
        for name in list(program, &[])?.difference(&ignored) {
            interrupt::check()?;
            match record_one(program, name, notes)? {
                Some(test) if test.takes > longest => {
                    println!("not used, because it takes {:.1} s: {name}", test.takes.as_secs_f64());
                }
                Some(test) => tests.push(test),
                None => println!("not used, because it fails without a mutant: {name}"),
            }
        }
    }
    Ok(tests)
}

fn list(program: &TestProgram, only: &[&str]) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new(&program.path);
    let output = command
        .args(["--list", "--format", "terse"])
        .args(only)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// `None` if it fails twice.
fn record_one(program: &TestProgram, name: &str, notes: &Path) -> Result<Option<Test>, String> {
    for _ in 0..2 {
        _ = fs::remove_file(notes);
        let begin = Instant::now();
        let mut command = command(program, &[name]);
        command.env("MUTATION_REACHED", notes);
        if run(&mut command, LONGEST)? == End::Passed {
            let takes = begin.elapsed();
            let text = fs::read_to_string(notes).unwrap_or_default();
            let reaches = text.lines().filter_map(|line| line.parse().ok()).collect();
            return Ok(Some(Test { program: program.clone(), name: name.to_owned(), takes, reaches }));
        }
    }
    Ok(None)
}

/// The tests in the order in which they are run for a mutant.
pub(super) struct Tries {
    /// The shortest first.
    tests: Vec<Test>,
    /// The tests that have noticed a mutant of this function or file, the latest last.
    noticed: BTreeMap<String, Vec<String>>,
}

impl Tries {
    pub(super) fn new(mut tests: Vec<Test>) -> Tries {
        tests.sort_by_key(|test| test.takes);
        Tries { tests, noticed: BTreeMap::new() }
    }

    /// Runs the tests that reach this mutant, until one fails. `near` are names of what it is in: the function and the file.
    pub(super) fn run(&mut self, mutant: Number, site: Number, near: &[String]) -> Result<Fate, String> {
        let mut tests: Vec<&Test> = self.tests.iter().filter(|test| test.reaches.contains(&site)).collect();
        let rank = |test: &Test| {
            let by_near = near.iter().enumerate().filter_map(|(distance, near)| {
                let at = self.noticed.get(near)?.iter().rev().position(|name| *name == test.name)?;
                (at < 4 || distance == 0).then_some(distance * 8 + at)
            });
            by_near.min().unwrap_or(usize::MAX)
        };
        tests.sort_by_cached_key(|test| (rank(test), test.takes));
        let count = tests.len();
        let mut rest = &tests[..];
        let mut batch = 1;
        while !rest.is_empty() {
            interrupt::check()?;
            let program = &rest[0].program.path;
            let same = rest.iter().take(batch).take_while(|test| test.program.path == *program).count();
            let (now, later) = rest.split_at(same);
            let end = run_all(now, mutant)?;
            let names = || now.iter().map(|test| test.name.as_str()).collect::<Vec<_>>().join(", ");
            match end {
                End::Passed => {}
                End::Endless => return Ok(Fate::Endless(names())),
                End::Failed => {
                    let names = names();
                    if let [test] = now {
                        let name = test.name.clone();
                        near.iter().for_each(|near| self.remember(near, &name));
                    } else if let Some(name) = first_to_fail(now, mutant)? {
                        near.iter().for_each(|near| self.remember(near, &name));
                        return Ok(Fate::Noticed(name));
                    }
                    return Ok(Fate::Noticed(names));
                }
            }
            (rest, batch) = (later, (batch * 2).min(BATCH_MAX));
        }
        Ok(Fate::Survives(count))
    }

    fn remember(&mut self, near: &str, name: &str) {
        let names = self.noticed.entry(near.to_owned()).or_default();
        names.retain(|other| other != name);
        names.push(name.to_owned());
    }
}

/// Which of these tests fails first.
fn first_to_fail(tests: &[&Test], mutant: Number) -> Result<Option<String>, String> {
    for test in tests {
        if run_all(&[test], mutant)? != End::Passed {
            return Ok(Some(test.name.clone()));
        }
    }
    Ok(None)
}

fn run_all(tests: &[&Test], mutant: Number) -> Result<End, String> {
    let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    let mut command = command(&tests[0].program, &names);
    command.env("MUTATION_ACTIVE", mutant.to_string());
    let takes: Duration = tests.iter().map(|test| test.takes).sum();
    run(&mut command, takes * SLOWER_MAX + PATIENCE)
}

fn command(program: &TestProgram, tests: &[&str]) -> Command {
    let mut command = Command::new(&program.path);
    command.current_dir(&program.directory).env("CARGO_MANIFEST_DIR", &program.directory);
    command.args(["--exact", "--test-threads", "2"]).args(tests);
    command.env("INSTA_UPDATE", "no").env("RUST_BACKTRACE", "0").env_remove(cluster::skip::MUST_RUN);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(command: &mut Command, limit: Duration) -> Result<End, String> {
    let program = PathBuf::from(command.get_program());
    let failed = |error: std::io::Error| format!("cannot run {}: {error}", program.display());
    let mut child = command.spawn().map_err(failed)?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(if status.success() { End::Passed } else { End::Failed });
        }
        if begin.elapsed() > limit {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            return Ok(End::Endless);
        }
        std::thread::sleep(LOOK);
    }
}
