//! The modules of one crate as its files declare them: what each defines, imports and says.

use std::collections::BTreeMap;

/// A module, by its number in [`Tree::modules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModuleId(pub(super) usize);

/// The module of the crate's root file.
pub(super) const ROOT: ModuleId = ModuleId(0);

/// A crate.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
    /// All that its files say outside of tests, in the order in which it was read.
    pub(super) mentions: Vec<Mention>,
}

impl Tree {
    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    /// The named module that something in this one is in.
    pub(super) fn named(&self, mut id: ModuleId) -> ModuleId {
        while self.module(id).is_block {
            id = self.module(id).parent.expect("a block is in something");
        }
        id
    }

    /// The named module around this one.
    pub(super) fn above(&self, id: ModuleId) -> Option<ModuleId> {
        self.module(self.named(id)).parent.map(|parent| self.named(parent))
    }

    /// Whether one module is another, or is in it.
    pub(super) fn is_in(&self, inner: ModuleId, outer: ModuleId) -> bool {
        let mut next = Some(inner);
        while let Some(id) = next {
            if id == outer {
                return true;
            }
            next = self.module(id).parent;
        }
        false
    }
}

/// A module, or a block of a function that has items of its own.
#[derive(Debug)]
pub(super) struct Module {
    /// The file in which it is written.
    pub(super) file: String,
    pub(super) parent: Option<ModuleId>,
    /// Whether it is the block of a function: then `self` and `super` mean what they mean around it.
    pub(super) is_block: bool,
    /// What is defined here; a type, a function and a macro may have one name.
    pub(super) items: BTreeMap<String, Vec<Item>>,
    /// What is imported, by the name that it has here.
    pub(super) imports: BTreeMap<String, Vec<Import>>,
    /// What is imported as `path::*`.
    pub(super) globs: Vec<Import>,
    /// The words in the input of macros that make items, with the line of each: their items are not seen.
    pub(super) made: Vec<(String, usize)>,
}

/// Something that is defined.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) line: usize,
    /// The module in which it can be named.
    pub(super) scope: Scope,
}

/// What is told apart among items.
#[derive(Debug, PartialEq)]
pub(super) enum ItemKind {
    /// A module.
    Module(ModuleId),
    /// A macro that `macro_rules!` makes: children may name it without an import.
    Macro,
    /// Whatever else has a name.
    Other,
}

/// A name that is imported, or exported again.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) scope: Scope,
}

/// Where a name may be said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scope {
    /// Everywhere.
    All,
    /// In this module and those in it.
    In(ModuleId),
}

/// A path that a file says.
#[derive(Debug)]
pub(super) struct Mention {
    /// The module, or block, in which it stands.
    pub(super) module: ModuleId,
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) kind: MentionKind,
}

/// How a path is said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MentionKind {
    /// As a type, a value, a trait, or in a `use`.
    Plain,
    /// As a macro, `path!(…)`.
    Macro,
    /// As `use path::*` that others may use too: it takes whatever is there.
    Everything,
}
