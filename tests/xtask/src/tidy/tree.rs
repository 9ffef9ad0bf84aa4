//! The modules of a crate as its files declare them: what each defines, imports and mentions.

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
    /// All mentions outside tests, in the order of reading.
    pub(super) mentions: Vec<Mention>,
}

impl Tree {
    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    /// The named module that contains this one, or this one itself.
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
    /// Its file.
    pub(super) file: String,
    pub(super) parent: Option<ModuleId>,
    /// Whether it is a function's block. In a block, `self` and `super` mean the same as around it.
    pub(super) is_block: bool,
    /// The definitions; a type, a function and a macro may have one name.
    pub(super) items: BTreeMap<String, Vec<Item>>,
    /// The imports, by their names here.
    pub(super) imports: BTreeMap<String, Vec<Import>>,
    /// The imports of the form `path::*`.
    pub(super) globs: Vec<Import>,
    /// The words, with their lines, in the input of macros that generate items, because those items are not visible.
    pub(super) made: Vec<(String, usize)>,
}

/// A definition.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) line: usize,
    /// The module in which it can be named.
    pub(super) scope: Scope,
}

/// The kinds of items that are distinguished.
#[derive(Debug, PartialEq)]
pub(super) enum ItemKind {
    /// A module.
    Module(ModuleId),
    /// A macro of `macro_rules!`, which children may name without an import.
    Macro,
    /// Anything else with a name.
    Other,
}

/// An imported or re-exported name.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) scope: Scope,
}

/// Where a name may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scope {
    /// Everywhere.
    All,
    /// In this module and its children.
    In(ModuleId),
}

/// A path in a file.
#[derive(Debug)]
pub(super) struct Mention {
    /// The module or block that contains it.
    pub(super) module: ModuleId,
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) kind: MentionKind,
}

/// The kind of a mention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MentionKind {
    /// As a type, a value, a trait, or in a `use`.
    Plain,
    /// As a macro, `path!(…)`.
    Macro,
    /// As `use path::*` that others may use too: it imports everything there.
    Everything,
}
