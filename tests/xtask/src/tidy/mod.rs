//! `cargo xtask tidy`: checks that every part of the project's Rust can be read by itself. It finds circles of modules,
//! files and functions that are too long, and questions that change what they ask. Each finding names its place and its
//! remedy.
//!
//! Reading order: `packages` (which files there are) → `source` (what the rules are given) → `functions` (`lengths`,
//! `predicates`) and `tree` → `reader` → `names` → `arrows` → `circles`. All but `packages` are pure.
//!
//! It cannot see calls of methods across files for which no name is imported (`self.start()`, where `start` is in
//! another `impl` block of the same type), and the code that a macro of another crate generates.

mod arrows;
mod circles;
mod finding;
mod functions;
mod lengths;
mod names;
mod packages;
mod predicates;
mod reader;
mod source;
mod tokens;
mod tree;

use crate::cargo::Workspace;
use finding::Finding;
use packages::Package;

/// Checks these packages, or all if none is named, and prints the findings. Findings are an error.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<(), String> {
    let packages = packages::find(workspace, names)?;
    let mut count = 0;
    for package in &packages {
        let findings = findings(package)?;
        if !findings.is_empty() {
            println!("{}: {}", package.name, counted(findings.len()));
        }
        for finding in &findings {
            println!("{finding}");
        }
        count += findings.len();
    }
    let files: usize = packages.iter().map(|package| package.sources.len()).sum();
    match count {
        0 => {
            println!("{files} files in {} crates: no findings", packages.len());
            Ok(())
        }
        count => Err(format!("{}; see above", counted(count))),
    }
}

fn counted(findings: usize) -> String {
    format!("{findings} {}", if findings == 1 { "finding" } else { "findings" })
}

/// All findings of a package: circles first, then file by file.
fn findings(package: &Package) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for root in &package.roots {
        findings.extend(circles::find(&arrows::of(root, &package.sources)?));
    }
    for source in package.sources.values() {
        let functions = functions::of(source);
        findings.extend(lengths::file(source));
        findings.extend(lengths::functions(source, &functions));
        findings.extend(predicates::find(source, &functions));
    }
    Ok(findings)
}
