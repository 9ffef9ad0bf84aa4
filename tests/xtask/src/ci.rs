//! `cargo xtask ci`: everything that CI runs, in order, the quickest to fail first. The tests come last, so that
//! their summary is what one sees at the end.

use crate::bench;
use crate::cargo::{Workspace, must};
use crate::{dist, docs, fleet, fuzz};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What `shared` must not need when it is built without features: whatever runs tasks, does input or output,
/// or draws from the machine's randomness.
const IMPURE: [&str; 14] = [
    "directories",
    "futures",
    "getrandom",
    "interprocess",
    "libc",
    "mio",
    "rand",
    "rustix",
    "socket2",
    "tarpc",
    "tokio",
    "tokio-util",
    "tracing",
    "tracing-subscriber",
];

type Step = (&'static str, fn(&Workspace) -> Result<(), String>);

const STEPS: [Step; 14] = [
    ("format", |workspace| must(workspace.cargo().args(["fmt", "--all", "--check"]))),
    ("the tests that the documents name", docs::check),
    ("the benchmark's arithmetic", bench_tests),
    ("shared is pure without features", shared_is_pure),
    ("shared with each feature alone", |workspace| {
        for feature in ["rpc", "host"] {
            must(workspace.cargo().args(["check", "--package", "shared", "--features", feature]))?;
        }
        Ok(())
    }),
    ("clippy", |workspace| {
        let scope = ["clippy", "--workspace", "--all-targets", "--all-features"];
        must(workspace.cargo().args(scope).args(["--", "--deny", "warnings"]))
    }),
    ("documentation", |workspace| {
        let doc = ["doc", "--workspace", "--all-features", "--no-deps"];
        must(workspace.cargo().args(doc).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("licences, bans, sources", deny),
    // With the release profile: without optimization it takes far too long, and a profile of its own would
    // build the core once more for whoever has built a release.
    ("swarms on virtual time", |workspace| {
        must(workspace.cargo().args(["run", "--release", "--package", "sim", "--", "check"]))
    }),
    ("fuzz targets, 10 s each", |_| fuzz::run(&fuzz::FuzzArgs::brief())),
    ("packages", |_| dist::run()),
    ("a fleet of containers", |_| match fleet::run("ci")? {
        true => Ok(()),
        false => {
            println!("SKIPPED: this machine cannot run it, see above");
            Ok(())
        }
    }),
    ("binaries for the tests", |workspace| must(workspace.cargo().args(["build", "--workspace", "--bins"]))),
    ("tests", |workspace| must(workspace.cargo().args(["test", "--workspace"]))),
];

/// Runs all steps; the first that fails is the error.
pub(crate) fn run() -> Result<(), String> {
    let workspace = Workspace::find()?;
    let begin = Instant::now();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        println!("\n==== {}/{}: {name} ====", number + 1, STEPS.len());
        if number + 1 == STEPS.len() {
            for (name, time) in &times {
                println!("     {:7.1} s  {name}", time.as_secs_f64());
            }
        }
        let begin = Instant::now();
        step(&workspace).map_err(|error| format!("ci failed at \"{name}\": {error}"))?;
        times.push((name, begin.elapsed()));
    }
    let (_, tests) = times.last().expect("there are steps");
    println!(
        "\nci passed in {:.1} s, the tests in {:.1} s",
        begin.elapsed().as_secs_f64(),
        tests.as_secs_f64()
    );
    Ok(())
}

/// A workspace build unifies features and hides what leaked into the pure part.
fn shared_is_pure(workspace: &Workspace) -> Result<(), String> {
    must(workspace.cargo().args(["check", "--package", "shared", "--no-default-features"]))?;
    let tree =
        ["tree", "--package", "shared", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let output = workspace.cargo().args(tree).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree ended with {}", output.status));
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    if !names.contains(&"shared") {
        return Err(format!("cargo tree tells nothing about shared: {tree}"));
    }
    match IMPURE.iter().find(|name| names.contains(name)) {
        Some(name) => Err(format!("shared needs {name} although no feature is on")),
        None => {
            println!("none of {}", IMPURE.join(", "));
            Ok(())
        }
    }
}

fn bench_tests(workspace: &Workspace) -> Result<(), String> {
    match bench::tests(workspace) {
        Some(mut tests) => must(&mut tests),
        None => {
            println!("SKIPPED: there is no python3 of version 3.11 or newer");
            Ok(())
        }
    }
}

fn deny(workspace: &Workspace) -> Result<(), String> {
    let mut version = workspace.cargo();
    let version = version.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(());
    }
    must(workspace.cargo().args(["deny", "check", "licenses", "bans", "sources"]))
}
