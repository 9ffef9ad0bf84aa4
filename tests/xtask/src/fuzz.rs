//! `cargo xtask fuzz`: builds the targets of `tests/fuzz` once, instrumented, and runs each for some seconds. The
//! reasons, and what to do with a find, are in `tests/fuzz/README.md`.

use crate::cargo::{Workspace, must};
use clap::Args;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The compiler flags that let the engine see the coverage. The stable compiler knows all of them.
const INSTRUMENTED: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The seconds that an input may take; more counts as a crash. Valid inputs take milliseconds, and the engine slows them
/// down; machines are busy.
const TIMEOUT_S: u32 = 10;
/// The MiB of memory that a target may use; more counts as a crash. The target itself limits the allocations for one input
/// much more tightly.
const RSS_MB: u32 = 1024;
/// The most bytes of an input in the repository; longer ones are not kept. This keeps each readable in a hex dump.
const KEPT_FILE_BYTES_MAX: u64 = 512;
/// The most bytes of all inputs of a target in the repository. Beyond it, the shorter inputs are left out, which reach
/// less.
const KEPT_BYTES_MAX: u64 = 6 << 10;
/// The most inputs of a target in the repository. Beyond it, the shorter inputs are left out.
const KEPT_INPUTS_MAX: usize = 40;

/// What to fuzz.
#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// The targets to run [default: all]
    targets: Vec<String>,
    /// How many seconds each target runs
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) seconds: u32,
    /// How many targets run at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) jobs: u32,
    /// List the targets and exit
    #[arg(long)]
    list: bool,
    /// Run one target once, with the input in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seconds", "jobs"])]
    replay: Option<PathBuf>,
    /// Afterwards, choose a few of the inputs that were found, and put them into the repository
    #[arg(long)]
    keep: bool,
}

impl FuzzArgs {
    /// All targets, for a short time: what CI runs.
    pub(crate) fn brief() -> FuzzArgs {
        FuzzArgs { targets: Vec::new(), seconds: 10, jobs: 2, list: false, replay: None, keep: false }
    }
}

/// Builds, and runs what `args` ask for. A crash of a target is the error.
pub(crate) fn run(args: &FuzzArgs) -> Result<(), String> {
    let workspace = Workspace::find()?;
    let fuzzer = Fuzzer::build(&workspace)?;
    let all = fuzzer.targets()?;
    if args.list {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    if let Some(unknown) = args.targets.iter().find(|name| !all.contains(name)) {
        return Err(format!("unknown target \"{unknown}\"; the targets are {}", all.join(", ")));
    }
    let targets = if args.targets.is_empty() { all } else { args.targets.clone() };
    if let Some(input) = &args.replay {
        let [target] = &targets[..] else {
            return Err("--replay needs one target: cargo xtask fuzz TARGET --replay FILE".to_owned());
        };
        return must(fuzzer.command(target).arg(input));
    }
    let crashed = fuzzer.run_all(&targets, args.seconds, args.jobs);
    if args.keep {
        targets.iter().try_for_each(|target| fuzzer.keep(target))?;
    }
    if crashed.is_empty() {
        Ok(())
    } else {
        Err(format!("these targets failed (see above): {}", crashed.join(", ")))
    }
}

/// The program with all targets, and its files.
struct Fuzzer {
    program: PathBuf,
    /// `tests/fuzz`.
    source: PathBuf,
    /// The inputs that fuzzing finds. They stay, so that the next run continues with them.
    work: PathBuf,
}

impl Fuzzer {
    fn build(workspace: &Workspace) -> Result<Fuzzer, String> {
        let source = workspace.root.join("tests/fuzz");
        same_versions(&workspace.root.join("Cargo.lock"), &source.join("Cargo.lock"))?;
        // With an explicit target triple, the flags do not apply to build scripts and macros. A target directory of its
        // own keeps the instrumented build apart.
        let (triple, work) = (host_triple()?, workspace.target.join("fuzz"));
        println!("building the fuzz targets ...");
        let mut cargo = workspace.cargo();
        cargo.args(["build", "--release", "--target", &triple, "--target-dir"]).arg(&work);
        cargo.arg("--manifest-path").arg(source.join("Cargo.toml"));
        cargo.env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTED.join("\u{1f}")).env_remove("RUSTFLAGS");
        must(&mut cargo)?;
        Ok(Fuzzer { program: work.join(triple).join("release/fuzz"), source, work })
    }

    fn targets(&self) -> Result<Vec<String>, String> {
        let output = self.command("list").stderr(Stdio::null()).output();
        let output = output.map_err(|error| format!("cannot run {}: {error}", self.program.display()))?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env("TT_FUZZ_TARGET", target);
        command.arg(format!("-timeout={TIMEOUT_S}")).arg(format!("-rss_limit_mb={RSS_MB}"));
        command
    }

    /// Runs each target for `seconds`, `jobs` of them at once. Returns the names of those that crashed.
    fn run_all(&self, targets: &[String], seconds: u32, jobs: u32) -> Vec<String> {
        let waiting = Mutex::new(targets.iter().collect::<VecDeque<_>>());
        let crashed = Mutex::new(Vec::new());
        let next = || waiting.lock().unwrap_or_else(|lock| lock.into_inner()).pop_front();
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(target) = next() {
                        if let Err(error) = self.run_one(target, seconds) {
                            println!("{target}: {error}");
                            crashed.lock().unwrap_or_else(|lock| lock.into_inner()).push(target.clone());
                        }
                    }
                });
            }
        });
        crashed.into_inner().unwrap_or_else(|lock| lock.into_inner())
    }

    fn run_one(&self, target: &str, seconds: u32) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot run: {error}");
        let (corpus, crashes) =
            (self.work.join("corpus").join(target), self.work.join("crashes").join(target));
        fs::create_dir_all(&corpus).and_then(|()| fs::create_dir_all(&crashes)).map_err(failed)?;
        let log = self.work.join(format!("{target}.log"));
        let mut command = self.command(target);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", crashes.display()));
        let dictionary = self.source.join("dictionaries").join(target);
        if dictionary.exists() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.arg(&corpus).args(Some(self.corpus(target)).filter(|kept| kept.exists()));
        let begin = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).map_err(failed)?).spawn();
        let status = wait(child.map_err(failed)?, Duration::from_secs(u64::from(seconds) * 2 + 60))?;
        let log = String::from_utf8_lossy(&fs::read(&log).map_err(failed)?).into_owned();
        if status {
            println!("{target}: {}, {:.0} s", summary(&log), begin.elapsed().as_secs_f64());
            return Ok(());
        }
        Err(format!("{}\n{}", tail(&log, 40), how_to_replay(target, &log)))
    }

    /// Chooses few inputs that reach everything that was reached, and keeps as many of them as fit the limits.
    fn keep(&self, target: &str) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot keep the corpus of {target}: {error}");
        let (all, chosen, kept) = (
            self.work.join("corpus").join(target),
            self.work.join("chosen").join(target),
            self.corpus(target),
        );
        let _ = fs::remove_dir_all(&chosen);
        fs::create_dir_all(&chosen).and_then(|()| fs::create_dir_all(&kept)).map_err(failed)?;
        let mut merge = self.command(target);
        merge.arg("-set_cover_merge=1").args([&chosen, &kept, &all]);
        must(merge.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let sizes = |folder: &Path| -> std::io::Result<Vec<(u64, PathBuf)>> {
            let entries = fs::read_dir(folder)?;
            entries.map(|entry| entry.and_then(|entry| Ok((entry.metadata()?.len(), entry.path())))).collect()
        };
        for (_, path) in sizes(&kept).map_err(failed)? {
            fs::remove_file(path).map_err(failed)?;
        }
        let mut inputs = sizes(&chosen).map_err(failed)?;
        inputs.retain(|(bytes, _)| *bytes <= KEPT_FILE_BYTES_MAX);
        inputs.sort_by(|a, b| b.cmp(a)); // longer inputs reach more
        let (mut count, mut left) = (0, KEPT_BYTES_MAX);
        for (bytes, path) in inputs.into_iter().take(KEPT_INPUTS_MAX) {
            let Some(rest) = left.checked_sub(bytes) else { continue };
            (left, count) = (rest, count + 1);
            fs::copy(&path, kept.join(path.file_name().unwrap_or_default())).map_err(failed)?;
        }
        println!("{target}: {count} inputs are kept, {} bytes in total", KEPT_BYTES_MAX - left);
        Ok(())
    }

    /// The corpus in the repository.
    fn corpus(&self, target: &str) -> PathBuf {
        self.source.join("corpus").join(target)
    }
}

/// Waits for a child, and kills it after `longest`. Returns whether it succeeded.
fn wait(mut child: Child, longest: Duration) -> Result<bool, String> {
    let latest = Instant::now() + longest;
    loop {
        match child.try_wait().map_err(|error| format!("cannot wait: {error}"))? {
            Some(status) => return Ok(status.success()),
            None if Instant::now() > latest => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("did not end within {} s", longest.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The engine's last progress line, "cov: 121 ft: 215 corp: 41/1533b", and the number of runs.
fn summary(log: &str) -> String {
    let last = log.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
    let word = |name: &str| last.split_once(name).and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?");
    let runs = last.split('\t').next().unwrap_or_default().trim_start_matches('#');
    format!("{runs} runs, {} edges, {} features, {} inputs", word("cov: "), word("ft: "), word("corp: "))
}

fn tail(log: &str, lines: usize) -> String {
    let lines: Vec<&str> = log.lines().rev().take(lines).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn how_to_replay(target: &str, log: &str) -> String {
    let written = log.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    match written {
        Some(path) => {
            format!("the input is {path}\nreproduce it with: cargo xtask fuzz {target} --replay {path}")
        }
        None => "the engine wrote no input".to_owned(),
    }
}

/// Checks that every package in both lock files has the same version, so that the delivered versions are fuzzed.
fn same_versions(ours: &Path, theirs: &Path) -> Result<(), String> {
    let packages = |path: &Path| -> Result<Vec<(String, String)>, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let value = |line: &str, key: &str| {
            line.strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(" = \""))
                .map(|rest| rest.trim_end_matches('"').to_owned())
        };
        let lines: Vec<&str> = text.lines().collect();
        let pairs =
            lines.windows(2).filter_map(|pair| Some((value(pair[0], "name")?, value(pair[1], "version")?)));
        Ok(pairs.collect())
    };
    let (ours, theirs) = (packages(ours)?, packages(theirs)?);
    let differs = |(name, version): &&(String, String)| {
        let mut known = ours.iter().filter(|(other, _)| other == name).peekable();
        known.peek().is_some() && !known.any(|(_, other)| other == version)
    };
    match theirs.iter().find(differs) {
        Some((name, version)) => Err(format!(
            "tests/fuzz/Cargo.lock has {name} {version}, and Cargo.lock has another version; to use the same versions: \
             `cp Cargo.lock tests/fuzz/ && cargo update --workspace --manifest-path tests/fuzz/Cargo.toml`"
        )),
        None => Ok(()),
    }
}

fn host_triple() -> Result<String, String> {
    let output =
        Command::new("rustc").arg("-vV").output().map_err(|error| format!("cannot run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or("`rustc -vV` names no host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_our_own_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let lock = |name: &str, packages: &[(&str, &str)]| {
            let path = folder.path().join(name);
            let package = |(name, version): &(&str, &str)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            };
            fs::write(&path, packages.iter().map(package).collect::<String>()).unwrap();
            path
        };
        let ours = lock("ours", &[("a", "1.0.0"), ("b", "1.0.0"), ("b", "2.0.0")]);
        let same = lock("same", &[("a", "1.0.0"), ("b", "2.0.0"), ("engine", "9.0.0")]);
        let other = lock("other", &[("a", "1.0.1")]);
        assert_eq!(same_versions(&ours, &same), Ok(()));
        assert!(same_versions(&ours, &other).unwrap_err().contains("a 1.0.1"));
    }

    #[test]
    fn the_engine_is_understood() {
        let log =
            "INFO: …\n#9\tNEW    cov: 1\n#74144\tDONE   cov: 544 ft: 1088 corp: 272/4348b lim: 104\nDone\n";
        assert_eq!(summary(log), "74144 runs, 544 edges, 1088 features, 272/4348b inputs");
        let log = "SUMMARY\nartifact_prefix='x/'; Test unit written to x/crash-1\nBase64: AA==\n";
        assert!(how_to_replay("units", log).ends_with("cargo xtask fuzz units --replay x/crash-1"));
    }
}
