//! Builds one program with all mutants of a group. Those that do not compile are taken out one after the other.

use super::mutant::{Genre, Mutant};
use super::switch::{self, Number, Part, Place};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The module that the crate gets.
const MUTATION: &str = include_str!("../../../mutants/mutation.rs");

/// Limits how often the program is built until all that is left compiles.
const BUILDS_MAX: usize = 40;

/// The mutants of a group in a copy of the repository.
pub(super) struct Program<'a> {
    root: &'a Path,
    mutants: &'a [Mutant],
    originals: BTreeMap<&'a str, String>,
    /// The mutants whose own code is an error.
    pub(super) unbuildable: BTreeSet<Number>,
    /// The mutants that cannot be chosen at run time, such as those of constants.
    pub(super) unswitchable: BTreeSet<Number>,
    /// The mutants that are in the program, by the number under which a test notes that it has reached their place.
    pub(super) sites: BTreeMap<Number, Vec<Number>>,
}

/// A program of tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestProgram {
    pub(super) path: PathBuf,
    /// The directory of its package, in which cargo runs it.
    pub(super) directory: PathBuf,
}

/// A message of the compiler.
struct Message {
    file: String,
    /// The first byte that it is about, and the one behind it.
    begin: usize,
    end: usize,
    /// Whether this is the place of the error itself, and not one that it mentions.
    is_primary: bool,
    text: String,
}

impl<'a> Program<'a> {
    /// Reads the files of the mutants in the copy at `root`.
    pub(super) fn read(root: &'a Path, package: &str, mutants: &'a [Mutant]) -> Result<Program<'a>, String> {
        let mut originals = BTreeMap::new();
        for mutant in mutants {
            let path = root.join(&mutant.file);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            originals.insert(mutant.file.as_str(), text);
        }
        let source = root.join(package).join("src");
        let library = source.join("lib.rs");
        let text = fs::read_to_string(&library)
            .map_err(|error| format!("cannot read {}: {error}", library.display()))?;
        write(&library, &format!("{text}\n#[allow(missing_docs)]\npub mod mutation;\n"))?;
        write(&source.join("mutation.rs"), &MUTATION.replace("//! ", "// "))?;
        let (unbuildable, unswitchable, sites) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Ok(Program { root, mutants, originals, unbuildable, unswitchable, sites })
    }

    /// Builds until all that is left compiles, and returns the programs of the tests.
    pub(super) fn build(&mut self, command: impl Fn() -> Command) -> Result<BTreeSet<TestProgram>, String> {
        for _ in 0..BUILDS_MAX {
            let places = self.write()?;
            let (programs, messages) = compile(&mut command())?;
            if messages.is_empty() {
                return Ok(programs);
            }
            let before = self.unbuildable.len() + self.unswitchable.len();
            let mut count = before;
            for is_primary in [true, false] {
                if count == before {
                    let such = messages.iter().filter(|message| message.is_primary == is_primary);
                    such.for_each(|message| self.take_out(message, &places));
                    count = self.unbuildable.len() + self.unswitchable.len();
                }
            }
            println!("{} errors: {} mutants are taken out", messages.len(), count - before);
            if count == before {
                let texts = messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>();
                return Err(format!("the copy does not compile:\n{}", texts.join("\n")));
            }
        }
        Err(format!("the program does not compile after {BUILDS_MAX} attempts"))
    }

    /// Writes the files with the mutants that are left.
    fn write(&mut self) -> Result<BTreeMap<&'a str, Vec<Place>>, String> {
        let mut all = BTreeMap::new();
        self.sites.clear();
        let mut there: BTreeSet<Number> = BTreeSet::new();
        for (&file, original) in &self.originals {
            let is_left =
                |number: &Number| !self.unbuildable.contains(number) && !self.unswitchable.contains(number);
            let mutants: Vec<(Number, &Mutant)> =
                (1..).zip(self.mutants).filter(|(n, mutant)| mutant.file == file && is_left(n)).collect();
            let switched = switch::switch(original, &mutants).map_err(|error| format!("{file}: {error}"))?;
            write(&self.root.join(file), &switched.text)?;
            for place in switched.places.iter().filter(|place| place.part != Part::Alternative) {
                there.extend(&place.mutants);
                self.sites.insert(place.mutants[0], place.mutants.clone());
            }
            all.insert(file, switched.places);
        }
        for (number, mutant) in (1..).zip(self.mutants) {
            if !there.contains(&number) && !self.unbuildable.contains(&number) {
                // `a || let Some(b) = c` is no Rust.
                let is_no_rust = mutant.genre == Genre::Binary && mutant.replacement == "||";
                let out = if is_no_rust { &mut self.unbuildable } else { &mut self.unswitchable };
                out.insert(number);
            }
        }
        Ok(all)
    }

    /// Takes out the mutants that an error is about: those of the smallest place around it. If there is none, a
    /// function's own type does not go with what it returns at its beginning.
    fn take_out(&mut self, message: &Message, places: &BTreeMap<&str, Vec<Place>>) {
        let places = || places.get(message.file.as_str()).into_iter().flatten();
        let has_it = |place: &&Place| place.range.start <= message.begin && message.end <= place.range.end;
        let around = places().filter(has_it).min_by_key(|place| place.range.len());
        let is_before = |place: &&Place| place.part == Part::Begin && place.range.end <= message.begin;
        let before = || places().filter(is_before).max_by_key(|place| place.range.end);
        let Some(place) = around.or_else(before) else { return };
        let out =
            if place.part == Part::Alternative { &mut self.unbuildable } else { &mut self.unswitchable };
        out.extend(&place.mutants);
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Runs cargo, and returns the programs or the errors.
fn compile(command: &mut Command) -> Result<(BTreeSet<TestProgram>, Vec<Message>), String> {
    let command = command.args(["--no-run", "--message-format=json"]).stderr(Stdio::null());
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let (mut programs, mut messages) = (BTreeSet::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        match value["reason"].as_str() {
            Some("compiler-message") if value["message"]["level"] == "error" => {
                messages.extend(places_of(&value["message"]));
            }
            Some("compiler-artifact") if value["profile"]["test"] == true => {
                programs.extend(test_program(&value));
            }
            _ => {}
        }
    }
    if messages.is_empty() && !output.status.success() {
        return Err(format!("cargo ended with {}; run its command in the copy to see why", output.status));
    }
    Ok((programs, messages))
}

/// The places that an error is about: where it says so, without the code that a macro made.
fn places_of(message: &Value) -> Vec<Message> {
    let text = || message["rendered"].as_str().unwrap_or_default().to_owned();
    let spans = message["spans"].as_array().into_iter().flatten();
    let place = |span: &Value| {
        Some(Message {
            file: span["file_name"].as_str()?.to_owned(),
            begin: span["byte_start"].as_u64()? as usize,
            end: span["byte_end"].as_u64()? as usize,
            is_primary: span["is_primary"] == true,
            text: text(),
        })
    };
    spans.filter_map(place).collect()
}

fn test_program(artifact: &Value) -> Option<TestProgram> {
    let path = PathBuf::from(artifact["executable"].as_str()?);
    let directory = Path::new(artifact["manifest_path"].as_str()?).parent()?.to_owned();
    Some(TestProgram { path, directory })
}
