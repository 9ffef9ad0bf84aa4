//! Finds the functions of a file, including those inside other functions, tests and macros, because it searches the
//! tokens.

use super::source::Source;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A function; in a trait it may have no body.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    pub(super) name: String,
    /// The line of its `fn`.
    pub(super) first: usize,
    /// The line of its closing brace, or of its parameters if it has no body.
    pub(super) last: usize,
    /// Whether it takes `&mut self`.
    pub(super) changes_self: bool,
}

/// All functions of a file.
pub(super) fn of(source: &Source) -> Vec<Function> {
    let mut functions = Vec::new();
    collect(source.tokens.clone(), &mut functions);
    functions
}

fn collect(tokens: TokenStream, functions: &mut Vec<Function>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "fn" => functions.extend(function(&tokens[at..])),
            TokenTree::Group(group) => collect(group.stream(), functions),
            _ => {}
        }
    }
}

/// The function whose tokens these are, from `fn` on; `None` if it is a function type.
fn function(tokens: &[TokenTree]) -> Option<Function> {
    let TokenTree::Ident(name) = tokens.get(1)? else { return None };
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    let head = tokens.iter().take_while(|token| !is_end(token));
    let groups = head.filter_map(|token| match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    });
    let inputs = groups.clone().find(|group| group.delimiter() == Delimiter::Parenthesis)?;
    let body = groups.clone().find(|group| group.delimiter() == Delimiter::Brace);
    Some(Function {
        name: name.to_string(),
        first: tokens[0].span().start().line,
        last: body.unwrap_or(inputs).span_close().end().line,
        changes_self: is_mut_self(inputs.stream()),
    })
}

/// Whether the inputs begin with `&mut self`, `&'a mut self` or `self: &mut Self`.
fn is_mut_self(inputs: TokenStream) -> bool {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let first: Vec<String> =
        inputs.into_iter().take_while(|token| !is_comma(token)).map(|token| token.to_string()).collect();
    let words: Vec<&str> = first.iter().map(String::as_str).collect();
    matches!(
        words[..],
        ["&", "mut", "self"]
            | ["&", "'", _, "mut", "self"]
            | ["self", ":", "&", "mut", ..]
            | ["mut", "self", ":", "&", "mut", ..]
            | ["self", ":", "&", "'", _, "mut", ..]
    )
}
