//! A group's mutants in a copy of the repository, each built by itself.

use super::groups::Group;
use crate::cargo::{Workspace, must};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Limits the seconds of all tests, for a mutant that the first ones left alive.
const ALL_TESTS_TIMEOUT_S: u32 = 900;

/// Limits the seconds of a build.
const BUILD_TIMEOUT_S: u32 = 600;

/// The packages that Cargo.toml builds with optimization for tests too. Here they are built without it: each mutant is a
/// build, which then takes a fifth of the time, and their tests take twice the time.
const OPTIMIZED: [&str; 2] = ["shared", "tracker"];

/// The exit codes of cargo-mutants when it has done its work: all were caught; some survive; some timed out.
const DONE: [i32; 3] = [0, 2, 3];

/// A group's mutants in the copy.
pub(super) struct Trial {
    pub(super) group: &'static Group,
    pub(super) shard: Option<String>,
    pub(super) copy: PathBuf,
    /// The build products of the copy. They stay, so that each mutant costs one incremental build.
    build: PathBuf,
    /// The results.
    pub(super) output: PathBuf,
}

impl Trial {
    /// Brings the copy to the last commit, whatever an interrupted run has left in it.
    pub(super) fn prepare(
        workspace: &Workspace,
        group: &'static Group,
        shard: Option<&str>,
    ) -> Result<Trial, String> {
        let place = workspace.target.join("mutants");
        let part = shard.map_or(String::new(), |shard| format!("-{}", shard.replace('/', "-of-")));
        let trial = Trial {
            group,
            shard: shard.map(str::to_owned),
            copy: place.join("copy"),
            build: place.join("build"),
            output: place.join(format!("{}{part}", group.name)),
        };
        let failed = |error: std::io::Error| format!("cannot write to {}: {error}", place.display());
        fs::create_dir_all(&trial.output).map_err(failed)?;
        if !trial.copy.join(".git").exists() {
            let mut clone = Command::new("git");
            must(
                clone
                    .args(["clone", "--quiet", "--shared", "--no-checkout"])
                    .arg(&workspace.root)
                    .arg(&trial.copy),
            )?;
        }
        let git = |args: &[&str]| must(Command::new("git").arg("-C").arg(&trial.copy).args(args));
        git(&["fetch", "--quiet", "origin", "HEAD"])?;
        git(&["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"])?;
        Ok(trial)
    }

    /// Builds each mutant by itself, and returns those that survive.
    pub(super) fn try_each(&self) -> Result<Vec<String>, String> {
        let first = self.try_all()?;
        println!("{first}");
        match first.survivors.is_empty() {
            true => Ok(Vec::new()),
            false => Ok(self.try_again(&first.survivors)?.survivors),
        }
    }

    /// Builds the tests for a program with all mutants.
    pub(super) fn cargo_test(&self) -> Command {
        let mut test = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        test.current_dir(&self.copy).arg("test").args(self.group.switched);
        test.arg("--config").arg(format!("profile.dev.package.{}.debug=0", self.group.package));
        test.env("CARGO_TARGET_DIR", &self.build);
        test
    }

    /// All mutants, with the tests that are near to the files.
    fn try_all(&self) -> Result<Outcome, String> {
        let mut mutants = self.command("first", self.group.timeout_s);
        mutants.args(self.shard.iter().flat_map(|shard| ["--shard", shard]));
        mutants.args(["--cargo-arg", "--lib", "--", "--"]).args(self.group.tests);
        self.outcome(&mut mutants, "first")
    }

    /// The mutants of these names, with all tests.
    fn try_again(&self, names: &[String]) -> Result<Outcome, String> {
        let mut mutants = self.command("again", ALL_TESTS_TIMEOUT_S);
        mutants.args(["--test-package", &self.group.all_tests.join(",")]);
        for name in names {
            mutants.arg("--re").arg(format!("^{}$", escaped(name)));
        }
        self.outcome(&mut mutants, "again")
    }

    fn command(&self, output: &str, timeout_s: u32) -> Command {
        let mut mutants = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        mutants.current_dir(&self.copy).args([
            "mutants",
            "--in-place",
            "--no-shuffle",
            "--package",
            self.group.package,
        ]);
        mutants.args(self.group.files.iter().flat_map(|files| ["--file", files]));
        mutants.args(["--timeout", &timeout_s.to_string(), "--build-timeout", &BUILD_TIMEOUT_S.to_string()]);
        for package in OPTIMIZED {
            mutants.arg("--cargo-arg=--config");
            mutants.arg(format!("--cargo-arg=profile.dev.package.{package}.opt-level=0"));
        }
        mutants.arg("--output").arg(self.output.join(output));
        mutants.env("CARGO_TARGET_DIR", &self.build);
        mutants.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
        mutants.env("INSTA_UPDATE", "no").env_remove(cluster::skip::MUST_RUN);
        mutants
    }

    fn outcome(&self, mutants: &mut Command, output: &str) -> Result<Outcome, String> {
        let path = self.output.join(output);
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        let status = mutants.status().map_err(|error| format!("cannot run cargo mutants: {error}"))?;
        if !status.code().is_some_and(|code| DONE.contains(&code)) {
            return Err(format!("cargo mutants ended with {status}; see its messages above"));
        }
        Outcome::read(&path.join("mutants.out/outcomes.json"))
    }
}

/// What became of the mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    caught: usize,
    endless: usize,
    unbuildable: usize,
    survivors: Vec<String>,
}

impl Outcome {
    fn read(path: &Path) -> Result<Outcome, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Outcome::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Outcome, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut outcome = Outcome::default();
        for one in document["outcomes"].as_array().ok_or("it has no outcomes")? {
            let Some(name) = one["scenario"]["Mutant"]["name"].as_str() else { continue }; // the code as it is
            match one["summary"].as_str() {
                Some("CaughtMutant") => outcome.caught += 1,
                Some("Timeout") => outcome.endless += 1,
                Some("Unviable") => outcome.unbuildable += 1,
                Some("MissedMutant") => outcome.survivors.push(name.to_owned()),
                other => return Err(format!("{name} has the unknown outcome {other:?}")),
            }
        }
        Ok(outcome)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { caught, endless, unbuildable, survivors } = self;
        let survive = survivors.len();
        write!(
            f,
            "{caught} mutants caught, {endless} never ended, {unbuildable} do not compile, {survive} survive"
        )
    }
}

/// A name in which nothing has a meaning in a regular expression.
fn escaped(name: &str) -> String {
    let is_special = |char: char| {
        char.is_ascii_punctuation() && !matches!(char, '_' | '"' | '\'' | '/' | '<' | '>' | ',' | ':')
    };
    name.chars().flat_map(|char| is_special(char).then_some('\\').into_iter().chain([char])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_and_survivors_named() {
        let text = r#"{"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            {"scenario": {"Mutant": {"name": "a.rs:1:2: replace a with ()"}}, "summary": "CaughtMutant"},
            {"scenario": {"Mutant": {"name": "a.rs:3:4: replace b with ()"}}, "summary": "MissedMutant"},
            {"scenario": {"Mutant": {"name": "a.rs:5:6: replace c with ()"}}, "summary": "Timeout"},
            {"scenario": {"Mutant": {"name": "a.rs:7:8: replace d with ()"}}, "summary": "Unviable"}
        ]}"#;
        let survivors = vec!["a.rs:3:4: replace b with ()".to_owned()];
        assert_eq!(Outcome::parse(text), Ok(Outcome { caught: 1, endless: 1, unbuildable: 1, survivors }));
        assert!(Outcome::parse(&text.replace("Unviable", "Other")).unwrap_err().contains("Other"));
        assert!(Outcome::parse("{}").is_err());
    }

    #[test]
    fn names_are_taken_literally() {
        assert_eq!(
            escaped("a.rs:5:80: replace a::b -> Option<u8> with (x, \"y\")"),
            "a\\.rs:5:80: replace a::b \\-> Option<u8> with \\(x, \"y\"\\)"
        );
        assert_eq!(escaped("replace && with || in c"), "replace \\&\\& with \\|\\| in c");
    }
}
