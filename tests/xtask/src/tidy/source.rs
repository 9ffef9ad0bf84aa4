//! A Rust file, read and parsed, as the input of the rules.

use proc_macro2::TokenStream;
use std::collections::BTreeMap;

/// Files by their paths from the workspace's root, with `/` between folders.
pub(super) type Sources = BTreeMap<String, Source>;

/// One file.
pub(super) struct Source {
    pub(super) path: String,
    /// How many lines it has.
    pub(super) lines: usize,
    /// Its tokens, without comments.
    pub(super) tokens: TokenStream,
}

impl Source {
    /// Reads a text into tokens.
    ///
    /// # Errors
    /// When it is no Rust; the error names file and line.
    pub(super) fn of(path: &str, text: &str) -> Result<Source, String> {
        let tokens = text
            .parse::<TokenStream>()
            .map_err(|error| format!("{path}:{}: not valid Rust: {error}", error.span().start().line))?;
        Ok(Source { path: path.to_owned(), lines: text.lines().count(), tokens })
    }

    /// The file's items.
    ///
    /// # Errors
    /// When it is no Rust; the error names file and line.
    pub(super) fn items(&self) -> Result<syn::File, String> {
        syn::parse2(self.tokens.clone())
            .map_err(|error| format!("{}:{}: not valid Rust: {error}", self.path, error.span().start().line))
    }
}
