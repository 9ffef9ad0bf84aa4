//! `cargo xtask ci`: runs everything that CI runs, in order, starting with what fails fastest. The tests come last, so
//! that their summary stands at the end.

mod programs;
mod times;

use crate::bench;
use crate::cargo::{Workspace, must};
use crate::{dist, docs, fleet, fuzz, interrupt, tidy, tools, whole};
use cluster::skip;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;
use times::{Parts, Times};

/// Crates that `shared` must not depend on without features: those that run tasks, do input or output, or use the
/// machine's randomness.
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

type Step = (&'static str, fn(&Workspace, &mut Parts) -> Result<(), String>);

/// All binaries and tests. The steps that use them name the same ones, so that they are built once.
const ALL_TESTS: [&str; 3] = ["--workspace", "--bins", "--tests"];

/// The last step.
const TESTS: &str = "tests";

const STEPS: [Step; 17] = [
    // This runs before anything that takes minutes.
    ("tools", |workspace, _| {
        tools::CARGO_DENY.provide(workspace)?;
        tools::CARGO_DEB.provide(workspace)
    }),
    ("format", |workspace, _| must(workspace.cargo().args(["fmt", "--all", "--check"]))),
    ("circles of modules, long files and functions", |workspace, _| tidy::run(workspace, &[])),
    ("docs: the tests that the documents name exist", |workspace, _| docs::check(workspace)),
    ("unit tests of the benchmark", |workspace, _| bench_tests(workspace)),
    ("shared is pure without features", |workspace, _| shared_is_pure(workspace)),
    ("shared with each feature alone", |workspace, _| {
        for feature in ["signed", "rpc", "tls", "host", "program"] {
            must(workspace.cargo().args(["check", "--package", "shared", "--features", feature]))?;
        }
        Ok(())
    }),
    ("clippy", |workspace, _| {
        let scope = ["clippy", "--workspace", "--all-targets", "--all-features"];
        must(workspace.cargo().args(scope).args(["--", "--deny", "warnings"]))
    }),
    ("documentation", |workspace, _| {
        let doc = ["doc", "--workspace", "--all-features", "--no-deps"];
        must(workspace.cargo().args(doc).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("licenses, bans, sources", |workspace, _| {
        must(workspace.cargo().args(["deny", "check", "licenses", "bans", "sources"]))
    }),
    ("release binaries", |workspace, _| {
        // All packages in one build, because building each with its own features would build crates several times. The
        // release profile is used also for packages that are not delivered, because without optimization the swarms
        // take far too long.
        workspace.build_release_with(&["--package", "sim", "--package", "manual"]).map(drop)
    }),
    ("fuzz targets, 10 s each", |_, _| fuzz::run(&fuzz::FuzzArgs::brief())),
    ("packages", |_, _| dist::run()),
    ("a fleet of containers, and meanwhile swarms on virtual time", |workspace, _| {
        std::thread::scope(|scope| {
            let fleet = scope.spawn(fleet);
            let swarms = swarms(workspace);
            let fleet = fleet.join().unwrap_or_else(|_| Err("the fleet's thread panicked".to_owned()));
            swarms.and(fleet)
        })
    }),
    // Together with the tests, so that both are built once with the same features.
    ("binaries and tests", |workspace, _| must(workspace.cargo().arg("build").args(ALL_TESTS))),
    // Before the tests, because a seed that fails says more than a test that does.
    ("the whole system on virtual time", |workspace, _| {
        whole::run_in(workspace, &whole::WholeArgs::brief(), &ALL_TESTS)
    }),
    (TESTS, |workspace, parts| {
        let mut tests = workspace.cargo();
        tests.args(["test", "--workspace"]).env("TT_BIN", workspace.target.join("debug"));
        tests.env("INSTA_UPDATE", "no"); // a snapshot that differs is a failure, and leaves no file
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            tests.env("RUST_TEST_THREADS", test_threads().to_string());
        }
        programs::must_pass(tests.envs(skip::list().map(|list| (skip::LIST, list))), parts)
    }),
];

/// Runs all steps; the first failure is the error. Skips are listed at the end, or are errors if [`skip::MUST_RUN`] is
/// set. The slowest steps are listed, too, also after a failure.
pub(crate) fn run() -> Result<(), String> {
    let workspace = Workspace::find()?;
    let list = workspace.target.join("skipped");
    fs::write(&list, "").map_err(|error| format!("cannot write {}: {error}", list.display()))?;
    skip::use_list(&list);
    // ^C, and SIGTERM after the time that .ci/run allows, reach the command of the step as well. So the step fails, and
    // what took so long is listed.
    interrupt::watch()?;
    let (begin, mut times) = (Instant::now(), Times::default());
    let result = run_all(&workspace, &mut times);
    let skipped = fs::read_to_string(&list).unwrap_or_default();
    for line in skipped.lines() {
        println!("SKIPPED: {line}");
    }
    println!("\n{}", times.slowest());
    result?;
    println!(
        "\nci passed in {:.1} s, of which the tests took {:.1} s; {} skipped",
        begin.elapsed().as_secs_f64(),
        times.of(TESTS).as_secs_f64(),
        skipped.lines().count()
    );
    Ok(())
}

fn run_all(workspace: &Workspace, times: &mut Times) -> Result<(), String> {
    for (number, (name, step)) in (1..).zip(&STEPS) {
        println!("\n==== {number}/{}: {name} ====", STEPS.len());
        let result = times.measure(name, |parts| step(workspace, parts));
        result.and(interrupt::check()).map_err(|error| format!("ci failed at step \"{name}\": {error}"))?;
    }
    Ok(())
}

fn fleet() -> Result<(), String> {
    match fleet::run("ci")? {
        true => Ok(()),
        false => skip::chore("a fleet of containers", "this machine cannot run it; see above"),
    }
}

/// The fleet mostly waits, and the swarms compute. They give way to it, because its machines have to boot in time.
fn swarms(workspace: &Workspace) -> Result<(), String> {
    must(Command::new("nice").arg(workspace.target.join("release/sim")).arg("check"))
}

/// Two tests for each core: those with real processes wait most of the time, for restarts, intervals, and timeouts.
fn test_threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// Checks `shared` without features by itself, because a workspace build unifies features and hides dependencies of the
/// pure part.
fn shared_is_pure(workspace: &Workspace) -> Result<(), String> {
    must(workspace.cargo().args(["check", "--package", "shared", "--no-default-features"]))?;
    let tree =
        ["tree", "--package", "shared", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let output = workspace.cargo().args(tree).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree failed with {}", output.status));
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    if !names.contains(&"shared") {
        return Err(format!("the output of cargo tree does not name the crate shared: {tree}"));
    }
    match IMPURE.iter().find(|name| names.contains(name)) {
        Some(name) => Err(format!(
            "shared depends on {name} without any feature; make that dependency part of a feature in shared/Cargo.toml"
        )),
        None => {
            println!("shared depends on none of {}", IMPURE.join(", "));
            Ok(())
        }
    }
}

fn bench_tests(workspace: &Workspace) -> Result<(), String> {
    match bench::tests(workspace) {
        Some(mut tests) => must(&mut tests),
        None => skip::chore("unit tests of the benchmark", "python3 3.11 or newer is not installed"),
    }
}
