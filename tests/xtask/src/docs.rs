//! Checks that the documents that make promises name existing tests: `crate::path::of::the::test` in backticks.

use crate::cargo::Workspace;
use std::fs;
use std::path::{Path, PathBuf};

/// The documents that name tests.
const DOCUMENTS: [&str; 2] = ["docs/reliability.md", "docs/threat-model.md"];

/// The document with a numbered row for each class of bad input, and the number of classes.
const CLASSES: (&str, usize) = ("docs/threat-model.md", 42);

/// The directories of each crate's tests. A path's first word is one of these crates, the last one the test, and those
/// between them the file.
const CRATES: [(&str, &[&str]); 9] = [
    ("shared", &["shared/src"]),
    ("ca", &["shared/ca/src"]),
    ("daemon", &["daemon/src"]),
    ("ctl", &["ctl/src"]),
    ("tracker", &["tracker/src", "tracker/tests"]),
    ("sim", &["tests/sim/src", "tests/sim/tests"]),
    ("cluster", &["tests/cluster/tests/scenarios"]),
    ("interleave", &["tests/interleave/src"]),
    ("xtask", &["tests/xtask/src"]),
];

/// Checks all documents. The error names every missing test.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in DOCUMENTS {
        let text = read(&workspace.root.join(document))?;
        let named = tests_named(&text);
        count += named.len();
        for name in named {
            if !exists(&workspace.root, &name)? {
                wrong.push(format!("{document} names the test {name}, which does not exist"));
            }
        }
    }
    let (document, classes) = CLASSES;
    wrong.extend(rows_without_a_test(&read(&workspace.root.join(document))?, classes));
    if wrong.is_empty() {
        println!("all {count} tests that the documents name exist");
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// All texts in backticks that are paths and begin with a crate's name.
fn tests_named(text: &str) -> Vec<String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let is_test = |quoted: &&str| {
        let mut words = quoted.split("::");
        let is_ours = words
            .next()
            .is_some_and(|first| first == "fuzz" || CRATES.iter().any(|(name, _)| *name == first));
        is_ours && quoted.contains("::") && words.all(is_word)
    };
    text.split('`').skip(1).step_by(2).filter(is_test).map(str::to_owned).collect()
}

/// The rows of the numbered table that are missing, or name neither a test nor the reason for having none.
fn rows_without_a_test(text: &str, classes: usize) -> Vec<String> {
    let row = |number: usize| text.lines().find(|line| line.starts_with(&format!("| {number} |")));
    let is_good = |row: &str| !tests_named(row).is_empty() || row.contains("does not apply");
    let numbers = (1..=classes).filter(|&number| !row(number).is_some_and(is_good));
    numbers
        .map(|number| format!("row {number} names neither a test nor the reason why it \"does not apply\""))
        .collect()
}

/// Whether a file of this path has a test of this name.
fn exists(root: &Path, path: &str) -> Result<bool, String> {
    let words: Vec<&str> = path.split("::").collect();
    let [krate, modules @ .., name] = &words[..] else { return Ok(false) };
    if *krate == "fuzz" {
        let targets = read(&root.join("tests/fuzz/src/targets/mod.rs"))?;
        return Ok(modules.is_empty() && targets.contains(&format!("target(\"{name}\",")));
    }
    let Some((_, folders)) = CRATES.iter().find(|(other, _)| other == krate) else { return Ok(false) };
    let stem = modules.join("/");
    for folder in folders.iter().map(|folder| root.join(folder)) {
        let places = [".rs", "/mod.rs", "/main.rs", "/tests.rs", "/tests/mod.rs", ".py"]
            .map(|end| format!("{stem}{end}"));
        for file in places.iter().map(|place| folder.join(place)).filter(|file| file.is_file()) {
            if is_test_in(&read(&file)?, name) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether the text of a file has a function of this name that is marked as a test.
fn is_test_in(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('('))
    };
    let is_marked = |at: usize| {
        let marks =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        marks.into_iter().any(|mark| mark.starts_with("#[test") || mark.contains("::test"))
    };
    (0..lines.len()).any(|at| begins(lines[at]) && is_marked(at))
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(exists(&root, "xtask::docs::a_test_that_is_not_there_is_found").unwrap());
        assert!(exists(&root, "fuzz::manifest").unwrap());
        for none in
            ["xtask::docs::exists", "xtask::docs::no_such_test", "xtask::ci::run", "fuzz::none", "none::a"]
        {
            assert!(!exists(&root, none).unwrap(), "{none}");
        }
    }

    #[test]
    fn the_documents_name_tests_that_exist() {
        check(&Workspace::find().unwrap()).unwrap();
    }

    #[test]
    fn tests_are_told_from_other_names() {
        let text = "`shared::a::b`, `std::fs`, shared::c, `fuzz::stream` and `daemon::Store`, `cluster`";
        assert_eq!(tests_named(text), ["shared::a::b", "fuzz::stream"]);
    }

    #[test]
    fn a_class_without_a_test_is_found() {
        let text = "| 1 | a | `cluster::a::b` |\n| 2 | b | nothing |\n| 3 | c | does not apply: no hooks |\n";
        assert_eq!(rows_without_a_test(text, 4).len(), 2);
    }
}
