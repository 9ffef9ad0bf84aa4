//! A file of Rust, read and parsed: all that the rules are given.

use proc_macro2::TokenStream;
use std::collections::BTreeMap;

/// Files by their path from the workspace's root on, with `/` between folders.
pub(super) type Sources = BTreeMap<String, Source>;

/// One file.
pub(super) struct Source {
    pub(super) path: String,
    /// How many lines it has.
    pub(super) lines: usize,
    /// What its text consists of, without comments.
    pub(super) tokens: TokenStream,
}

impl Source {
    /// Takes a text apart.
    ///
    /// # Errors
    /// When it is no Rust; the error names file and line.
    pub(super) fn of(path: &str, text: &str) -> Result<Source, String> {
        let tokens = text
            .parse::<TokenStream>()
            .map_err(|error| format!("{path}:{}: this is no Rust: {error}", error.span().start().line))?;
        Ok(Source { path: path.to_owned(), lines: text.lines().count(), tokens })
    }

    /// The file's items.
    ///
    /// # Errors
    /// When it is no Rust; the error names file and line.
    pub(super) fn items(&self) -> Result<syn::File, String> {
        syn::parse2(self.tokens.clone())
            .map_err(|error| format!("{}:{}: this is no Rust: {error}", self.path, error.span().start().line))
    }
}
