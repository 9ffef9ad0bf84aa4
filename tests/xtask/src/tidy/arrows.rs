//! Finds which file of a crate uses which name of which other file.

use super::names::{self, Meaning};
use super::reader;
use super::source::Sources;
use std::collections::BTreeMap;

/// The arrows of a crate: from each file to the files that define the names it uses.
pub(super) type Arrows = BTreeMap<String, BTreeMap<String, Vec<Tie>>>;

/// A name of another file that a file uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tie {
    pub(super) name: String,
    /// The first line on which it is used.
    pub(super) line: usize,
    /// The line on which it is defined, in the other file.
    pub(super) defined: usize,
}

/// The arrows of the crate with this root file, tests left out.
///
/// # Errors
/// When a file is not valid Rust.
pub(super) fn of(root: &str, sources: &Sources) -> Result<Arrows, String> {
    let tree = reader::read(root, sources)?;
    let mut arrows = Arrows::new();
    for mention in &tree.mentions {
        let from = &tree.module(mention.module).file;
        for meaning in names::meanings(&tree, mention) {
            let Meaning::Item { name, file, line: defined } = meaning else { continue };
            if file == *from {
                continue;
            }
            let ties = arrows.entry(from.clone()).or_default().entry(file).or_default();
            match ties.iter_mut().find(|tie| tie.name == name && tie.defined == defined) {
                Some(tie) => tie.line = tie.line.min(mention.line),
                None => ties.push(Tie { name, line: mention.line, defined }),
            }
        }
    }
    Ok(arrows)
}
