//! Resolves a path: follows it through imports and re-exports to the files that define the item.

use super::tree::{Import, ItemKind, Mention, MentionKind, ModuleId, ROOT, Scope, Tree};
use std::collections::BTreeSet;

/// The meaning of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    /// A module of this crate.
    Module(ModuleId),
    /// An item that is defined in this file on this line.
    Item { name: String, file: String, line: usize },
    /// An item of another crate.
    Foreign,
}

/// All meanings of a mention; none for a variable, a parameter or an item of another crate. A path to a module means
/// the module; a path that continues inside a type means the type.
pub(super) fn meanings(tree: &Tree, mention: &Mention) -> BTreeSet<Meaning> {
    let mut search = Search { tree, asked: BTreeSet::new() };
    let found = search.path(mention.module, &mention.path);
    match mention.kind {
        MentionKind::Plain => found,
        MentionKind::Macro if found.is_empty() && mention.path.len() == 1 => around(tree, mention),
        MentionKind::Macro => found,
        MentionKind::Everything => {
            let modules = found.iter().filter_map(|meaning| match meaning {
                Meaning::Module(module) => Some(*module),
                _ => None,
            });
            let all: BTreeSet<Meaning> = modules
                .flat_map(|module| Search { tree, asked: BTreeSet::new() }.all_of(mention.module, module))
                .collect();
            found.into_iter().chain(all).collect()
        }
    }
}

/// The macros that an enclosing module declares before its children, which know them without an import.
fn around(tree: &Tree, mention: &Mention) -> BTreeSet<Meaning> {
    let name = &mention.path[0];
    let mut next = tree.above(mention.module);
    while let Some(module) = next {
        let items = tree.module(module).items.get(name).into_iter().flatten();
        if let Some(item) = items.into_iter().find(|item| item.kind == ItemKind::Macro) {
            let file = tree.module(module).file.clone();
            return [Meaning::Item { name: name.clone(), file, line: item.line }].into();
        }
        next = tree.above(module);
    }
    BTreeSet::new()
}

struct Search<'a> {
    tree: &'a Tree,
    /// The questions that are open, because imports may be circular.
    asked: BTreeSet<(ModuleId, ModuleId, String)>,
}

impl Search<'_> {
    /// The meanings of a path in a module.
    fn path(&mut self, from: ModuleId, path: &[String]) -> BTreeSet<Meaning> {
        let (mut module, mut rest) = (None, path);
        while let Some((first, after)) = rest.split_first() {
            module = Some(match (first.as_str(), module) {
                ("crate", None) => ROOT,
                ("self", None) => self.tree.named(from),
                ("super", at) => self.tree.above(at.unwrap_or(from)).unwrap_or(ROOT),
                _ => break,
            });
            rest = after;
        }
        let Some((first, rest)) = rest.split_first() else {
            return module.map(Meaning::Module).into_iter().collect();
        };
        let mut found = match module {
            Some(module) => self.in_module(from, module, first),
            None => self.first_word(from, first),
        };
        for word in rest {
            let modules: Vec<ModuleId> = found
                .iter()
                .filter_map(|meaning| match meaning {
                    Meaning::Module(module) => Some(*module),
                    _ => None,
                })
                .collect();
            if modules.is_empty() {
                return found; // the rest is a variant, a constant or a function of the type
            }
            found = modules.into_iter().flat_map(|module| self.in_module(from, module, word)).collect();
        }
        found
    }

    /// The meanings of the first word of a path in its block, the blocks around it, and the module.
    fn first_word(&mut self, from: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let mut module = from;
        loop {
            let found = self.known(from, module, name);
            if !found.is_empty() || !self.tree.module(module).is_block {
                return found;
            }
            module = self.tree.module(module).parent.expect("a block is in something");
        }
    }

    /// A name that a path places in a module. If it is not found there, a macro has generated it.
    fn in_module(&mut self, from: ModuleId, module: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let is_circular = self.asked.contains(&(from, module, name.to_owned()));
        let found = self.known(from, module, name);
        if is_circular || !found.is_empty() {
            return found;
        }
        let at = self.tree.module(module);
        let made = at.made.iter().find(|(word, _)| word == name);
        if made.is_none() && at.globs.iter().any(|glob| self.is_foreign(module, glob)) {
            return [Meaning::Foreign].into();
        }
        let line = made.map_or(1, |(_, line)| *line);
        [Meaning::Item { name: name.to_owned(), file: at.file.clone(), line }].into()
    }

    fn is_foreign(&self, module: ModuleId, glob: &Import) -> bool {
        let mut search = Search { tree: self.tree, asked: self.asked.clone() };
        !search.path(module, &glob.path).iter().any(|meaning| *meaning != Meaning::Foreign)
    }

    /// What a module defines or imports under a name, if `from` may name it.
    fn known(&mut self, from: ModuleId, module: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let mut found = self.defined(from, module, name);
        let question = (from, module, name.to_owned());
        if self.asked.insert(question.clone()) {
            found.extend(self.imported(from, module, name));
            if found.is_empty() {
                found = self.through_globs(from, module, name);
            }
            self.asked.remove(&question);
        }
        found
    }

    fn defined(&self, from: ModuleId, module: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let at = self.tree.module(module);
        let items = at.items.get(name).into_iter().flatten().filter(|item| self.may_name(from, item.scope));
        items
            .map(|item| match item.kind {
                ItemKind::Module(module) => Meaning::Module(module),
                _ => Meaning::Item { name: name.to_owned(), file: at.file.clone(), line: item.line },
            })
            .collect()
    }

    fn imported(&mut self, from: ModuleId, module: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let mut found = BTreeSet::new();
        for import in self.tree.module(module).imports.get(name).into_iter().flatten() {
            if self.may_name(from, import.scope) {
                let meant = self.path(module, &import.path);
                found.extend(if meant.is_empty() { [Meaning::Foreign].into() } else { meant });
            }
        }
        found
    }

    fn through_globs(&mut self, from: ModuleId, module: ModuleId, name: &str) -> BTreeSet<Meaning> {
        let mut found = BTreeSet::new();
        for glob in &self.tree.module(module).globs {
            if !self.may_name(from, glob.scope) {
                continue;
            }
            for meaning in self.path(module, &glob.path) {
                if let Meaning::Module(target) = meaning {
                    found.extend(self.known(module, target, name));
                }
            }
        }
        found
    }

    /// Everything in a module that `from` may name.
    fn all_of(&mut self, from: ModuleId, module: ModuleId) -> BTreeSet<Meaning> {
        let tree = self.tree;
        let at = tree.module(module);
        let names: BTreeSet<&String> = at.items.keys().chain(at.imports.keys()).collect();
        let mut found = BTreeSet::new();
        for name in names {
            found.extend(self.known(from, module, name));
        }
        for glob in at.globs.iter() {
            for meaning in self.path(module, &glob.path) {
                let Meaning::Module(target) = meaning else { continue };
                if self.may_name(from, glob.scope) && self.asked.insert((module, target, "*".to_owned())) {
                    found.extend(self.all_of(module, target));
                }
            }
        }
        found
    }

    fn may_name(&self, from: ModuleId, scope: Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::In(module) => self.tree.is_in(from, module),
        }
    }
}
