//! Reads a crate's files into its [`Tree`], beginning with the root. Code for tests is left out.

use super::source::Sources;
use super::tokens;
use super::tree::{Import, Item, ItemKind, Mention, MentionKind, Module, ModuleId, ROOT, Scope, Tree};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};

/// Reads the crate with this root file.
///
/// # Errors
/// When a file is not valid Rust.
pub(super) fn read(root: &str, sources: &Sources) -> Result<Tree, String> {
    let mut reader = Reader {
        sources,
        tree: Tree::default(),
        module: ROOT,
        folder: String::new(),
        bound: BTreeSet::new(),
        failure: None,
    };
    reader.add_module(root, None, false);
    reader.file(root, folder_of(root).to_owned());
    match reader.failure {
        None => Ok(reader.tree),
        Some(failure) => Err(failure),
    }
}

struct Reader<'a> {
    sources: &'a Sources,
    tree: Tree,
    /// The module that is being read.
    module: ModuleId,
    /// The folder of the files of this module's children.
    folder: String,
    /// The variables of the present file: a path of one word may mean one of them.
    bound: BTreeSet<String>,
    failure: Option<String>,
}

impl Reader<'_> {
    /// Reads a file into the current module.
    fn file(&mut self, path: &str, folder: String) {
        let Some(source) = self.sources.get(path) else { return };
        match source.items() {
            Err(failure) => self.failure = self.failure.take().or(Some(failure)),
            Ok(file) => {
                let mut variables = Variables::default();
                variables.visit_file(&file);
                let bound = std::mem::replace(&mut self.bound, variables.0);
                let folder = std::mem::replace(&mut self.folder, folder);
                self.visit_file(&file);
                (self.bound, self.folder) = (bound, folder);
            }
        }
    }

    fn add_module(&mut self, file: &str, parent: Option<ModuleId>, is_block: bool) -> ModuleId {
        self.tree.modules.push(Module {
            file: file.to_owned(),
            parent,
            is_block,
            items: Default::default(),
            imports: Default::default(),
            globs: Vec::new(),
            made: Vec::new(),
        });
        ModuleId(self.tree.modules.len() - 1)
    }

    fn here(&mut self) -> &mut Module {
        &mut self.tree.modules[self.module.0]
    }

    fn within(&mut self, module: ModuleId, read: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.module, module);
        read(self);
        self.module = outside;
    }

    fn define(&mut self, name: &syn::Ident, kind: ItemKind, scope: Scope) {
        let item = Item { kind, line: name.span().start().line, scope };
        self.here().items.entry(name.to_string()).or_default().push(item);
    }

    fn mention(&mut self, path: Vec<String>, line: usize, kind: MentionKind) {
        self.tree.mentions.push(Mention { module: self.module, path, line, kind });
    }

    fn mention_all(&mut self, said: Vec<tokens::Said>) {
        for (path, line) in said {
            self.mention(path, line, MentionKind::Plain);
        }
    }

    /// The scope of a name of this visibility.
    fn scope(&self, visibility: &syn::Visibility) -> Scope {
        let here = self.tree.named(self.module);
        match visibility {
            syn::Visibility::Public(_) => Scope::All,
            syn::Visibility::Restricted(restricted) if restricted.path.is_ident("self") => Scope::In(here),
            syn::Visibility::Restricted(restricted) if restricted.path.is_ident("super") => {
                Scope::In(self.tree.above(here).unwrap_or(ROOT))
            }
            syn::Visibility::Restricted(_) => Scope::All, // pub(crate); pub(in path) is rare
            syn::Visibility::Inherited => Scope::In(self.module),
        }
    }

    fn module(&mut self, item: &syn::ItemMod) {
        let name = item.ident.to_string();
        let scope = self.scope(&item.vis);
        let own = self.tree.module(self.module).file.clone();
        let path = match &item.content {
            Some(_) => own,
            None => match self.file_of(item) {
                Some(path) => path,
                None => return, // the file of a module that is left out of this build may be missing
            },
        };
        let id = self.add_module(&path, Some(self.module), false);
        self.define(&item.ident, ItemKind::Module(id), scope);
        match &item.content {
            None => {
                let is_index =
                    ["mod.rs", "lib.rs", "main.rs"].contains(&path.rsplit('/').next().unwrap_or_default());
                let stem = path.strip_suffix(".rs").unwrap_or(&path);
                let folder = if is_index || is_renamed(item) { folder_of(&path) } else { stem };
                self.within(id, |reader| reader.file(&path, folder.to_owned()));
            }
            Some((_, items)) => {
                let inner = join(&self.folder, &name);
                let outer = std::mem::replace(&mut self.folder, inner);
                self.within(id, |reader| items.iter().for_each(|item| reader.visit_item(item)));
                self.folder = outer;
            }
        }
    }

    /// The file of `mod name;`.
    fn file_of(&self, item: &syn::ItemMod) -> Option<String> {
        let name = item.ident.to_string();
        let places = match renamed(item) {
            Some(path) => vec![join(folder_of(&self.tree.module(self.module).file), &path)],
            None => {
                vec![join(&self.folder, &format!("{name}.rs")), join(&self.folder, &format!("{name}/mod.rs"))]
            }
        };
        places.into_iter().find(|place| self.sources.contains_key(place))
    }

    fn import(&mut self, tree: &syn::UseTree, mut before: Vec<String>, scope: Scope) {
        let (name, named_as) = match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.import(&path.tree, before, scope);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before.clone(), scope));
            }
            syn::UseTree::Glob(glob) => {
                let is_private = matches!(scope, Scope::In(module) if module == self.module);
                let kind = if is_private { MentionKind::Plain } else { MentionKind::Everything };
                let line = glob.star_token.spans[0].start().line;
                self.mention(before.clone(), line, kind);
                self.here().globs.push(Import { path: before, scope });
                return;
            }
            syn::UseTree::Name(name) => (&name.ident, &name.ident),
            syn::UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let mut named_as = named_as.to_string();
        if name == "self" && !before.is_empty() {
            if named_as == "self" {
                named_as = before[before.len() - 1].clone();
            }
        } else {
            before.push(name.to_string());
        }
        self.mention(before.clone(), name.span().start().line, MentionKind::Plain);
        self.here().imports.entry(named_as).or_default().push(Import { path: before, scope });
    }

    fn item_macro(&mut self, item: &syn::ItemMacro) {
        let Some(name) = &item.ident else {
            let made = tokens::all_words(item.mac.tokens.clone());
            self.here().made.extend(made);
            return self.visit_macro(&item.mac);
        };
        let is_exported = item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
        let here = self.tree.named(self.module);
        self.define(name, ItemKind::Macro, Scope::In(here));
        if is_exported && here != ROOT {
            let import = Import { path: self.path_of(here, name.to_string()), scope: Scope::All };
            self.tree.modules[ROOT.0].imports.entry(name.to_string()).or_default().push(import);
        }
        // A path from the crate's root in the macro's body means the same everywhere. Other paths depend on the place
        // of use, which is unknown here.
        let said = tokens::paths(item.mac.tokens.clone());
        self.mention_all(said.into_iter().filter(|(path, _)| path[0] == "crate").collect());
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_test(attributes(item)) {
            return;
        }
        match item {
            syn::Item::Mod(item) => return self.module(item),
            syn::Item::Use(item) => {
                if item.leading_colon.is_none() {
                    let scope = self.scope(&item.vis);
                    self.import(&item.tree, Vec::new(), scope);
                }
                return;
            }
            syn::Item::Macro(item) => return self.item_macro(item),
            syn::Item::Const(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Enum(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Fn(item) => self.define(&item.sig.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Static(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Struct(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Trait(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::TraitAlias(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Type(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            syn::Item::Union(item) => self.define(&item.ident, ItemKind::Other, self.scope(&item.vis)),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs[..],
            syn::ImplItem::Fn(item) => &item.attrs[..],
            syn::ImplItem::Type(item) => &item.attrs[..],
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_test(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_expr_block(&mut self, block: &'ast syn::ExprBlock) {
        if !is_test(&block.attrs) {
            visit::visit_expr_block(self, block);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !is_test(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_test(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    /// A block with items is like a module without a name.
    fn visit_block(&mut self, block: &'ast syn::Block) {
        if !block.stmts.iter().any(|statement| matches!(statement, syn::Stmt::Item(_))) {
            return visit::visit_block(self, block);
        }
        let file = self.tree.module(self.module).file.clone();
        let id = self.add_module(&file, Some(self.module), true);
        self.within(id, |reader| visit::visit_block(reader, block));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words = tokens::words(path);
        let is_variable = words.len() == 1 && self.bound.contains(&words[0]);
        if path.leading_colon.is_none() && words[0] != "Self" && !is_variable {
            let line = path.segments[0].ident.span().start().line;
            self.mention(words, line, MentionKind::Plain);
        }
        visit::visit_path(self, path); // visits the parts in <…>
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.leading_colon.is_none() {
            let line = call.path.segments[0].ident.span().start().line;
            self.mention(tokens::words(&call.path), line, MentionKind::Macro);
        }
        self.mention_all(tokens::paths(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let is_left_out = ["doc", "cfg", "cfg_attr"].iter().any(|name| attribute.path().is_ident(name));
        if let (syn::Meta::List(list), false) = (&attribute.meta, is_left_out) {
            self.mention_all(tokens::paths(list.tokens.clone()));
            self.mention_all(tokens::quoted_paths(list.tokens.clone()));
        }
    }

    /// A visibility does not use the module that it names.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

impl Reader<'_> {
    /// The path from the root to a name of this module.
    fn path_of(&self, module: ModuleId, name: String) -> Vec<String> {
        let mut path = vec![name];
        let mut id = module;
        while let Some(parent) = self.tree.module(id).parent {
            let named = self.tree.module(parent).items.iter().find_map(|(name, items)| {
                items.iter().any(|item| item.kind == ItemKind::Module(id)).then(|| name.clone())
            });
            path.extend(named);
            id = parent;
        }
        path.push("crate".to_owned());
        path.reverse();
        path
    }
}

/// The names of a file's variables.
#[derive(Default)]
struct Variables(BTreeSet<String>);

impl<'ast> Visit<'ast> for Variables {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        if !pattern.ident.to_string().starts_with(char::is_uppercase) {
            self.0.insert(pattern.ident.to_string());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Whether something exists only for tests.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let is_test = path.segments.last().is_some_and(|last| last.ident == "test");
        match &attribute.meta {
            syn::Meta::List(list) if path.is_ident("cfg") => needs_test(&list.tokens.to_string()),
            _ => is_test,
        }
    })
}

/// Whether a condition holds only in tests: `test`, or `all(…)` with it.
fn needs_test(condition: &str) -> bool {
    let Ok(meta) = syn::parse_str::<syn::Meta>(condition) else { return false };
    match &meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => {
            let parts = list
                .parse_args_with(syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated);
            parts.is_ok_and(|parts| {
                parts.iter().any(|part| matches!(part, syn::Meta::Path(path) if path.is_ident("test")))
            })
        }
        _ => false,
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The path of `#[path = "…"]`.
fn renamed(item: &syn::ItemMod) -> Option<String> {
    item.attrs.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        match &attribute.meta {
            syn::Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

fn is_renamed(item: &syn::ItemMod) -> bool {
    renamed(item).is_some()
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
