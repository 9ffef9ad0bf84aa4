//! Tries all mutants of a group with one program: it has all of them, and a number chooses one.

use super::mutant::{self, Mutant};
use super::program::Program;
use super::survivors::{Survivors, without_place};
use super::switch::Number;
use super::trial::Trial;
use super::tries::{self, Fate, Tries};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The mutants that survive, and how many were tried.
pub(super) fn run(
    trial: &Trial,
    survivors: &Survivors,
    longest_s: u64,
    again: bool,
) -> Result<Vec<String>, String> {
    let before = trial.output.join("switched.txt");
    let report = fs::read_to_string(&before).unwrap_or_default();
    let survived: BTreeSet<String> =
        report.lines().filter_map(|line| line.strip_prefix("SURVIVES ")).map(without_place).collect();
    let mutants = list(trial)?;
    let mut program = Program::read(&trial.copy, trial.group.package, &mutants)?;
    println!("building a program with {} mutants ...", mutants.len());
    let programs = program.build(|| trial.cargo_test())?;
    println!("running each test once ...");
    let notes = trial.output.join("reached.txt");
    let begin = Instant::now();
    let tests = tries::record(&programs, Duration::from_secs(longest_s), &notes)?;
    println!("{} tests took {:.0} s", tests.len(), begin.elapsed().as_secs_f64());
    let site_of: BTreeMap<Number, Number> = program
        .sites
        .iter()
        .flat_map(|(site, mutants)| mutants.iter().map(|mutant| (*mutant, *site)))
        .collect();
    let mut tries = Tries::new(tests);
    let (mut found, mut report) = (Vec::new(), String::new());
    for (number, mutant) in (1..).zip(&mutants) {
        if again && !survived.contains(&without_place(&mutant.name)) {
            continue;
        }
        let name = &mutant.name;
        let line = match site_of.get(&number) {
            None if program.unbuildable.contains(&number) => format!("DOES NOT COMPILE {name}"),
            None => format!("CANNOT BE SWITCHED {name}"),
            Some(&site) => match tries.run(number, site, &near(mutant))? {
                Fate::Noticed(test) => format!("noticed {name}; by {test}"),
                Fate::Endless(test) => format!("endless {name}; in {test}"),
                Fate::Survives(tests) => {
                    println!("survives {tests} tests: {name}");
                    found.push(name.clone());
                    format!("SURVIVES {name}")
                }
            },
        };
        _ = writeln!(report, "{line}");
        let partial = trial.output.join("switched.partial.txt");
        fs::write(&partial, &report)
            .map_err(|error| format!("cannot write {}: {error}", partial.display()))?;
    }
    let place = trial.output.join(if again { "switched.again.txt" } else { "switched.txt" });
    fs::write(&place, &report).map_err(|error| format!("cannot write {}: {error}", place.display()))?;
    let count = |word: &str| report.lines().filter(|line| line.starts_with(word)).count();
    println!(
        "{} mutants: {} noticed, {} never end, {} do not compile, {} cannot be switched, {} survive, {} of which are listed; \
         each with its test: {}",
        report.lines().count(),
        count("noticed"),
        count("endless"),
        count("DOES"),
        count("CANNOT"),
        found.len(),
        found.len() - survivors.unlisted(&found).len(),
        place.display()
    );
    Ok(found)
}

fn list(trial: &Trial) -> Result<Vec<Mutant>, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&trial.copy).args(["mutants", "--list", "--json", "--no-shuffle"]);
    command.args(["--package", trial.group.package]);
    command.args(trial.group.files.iter().flat_map(|files| ["--file", files]));
    command.args(trial.shard.iter().flat_map(|shard| ["--shard", shard]));
    let output = command.output().map_err(|error| format!("cannot run cargo mutants: {error}"))?;
    mutant::parse(&String::from_utf8_lossy(&output.stdout))
}

/// What a mutant is in: its function and its file.
fn near(mutant: &Mutant) -> [String; 2] {
    let function = mutant.name.rsplit(" in ").next().unwrap_or_default();
    [format!("{} {function}", mutant.file), mutant.file.clone()]
}
