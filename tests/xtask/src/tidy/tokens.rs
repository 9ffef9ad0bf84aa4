//! Finds paths among tokens that are not parsed: in the input and the bodies of macros, and in attributes.

use proc_macro2::{Spacing, TokenStream, TokenTree};

/// A path and the line on which it begins.
pub(super) type Said = (Vec<String>, usize);

/// All paths among these tokens. `$crate` is returned as `crate`. A path that begins with `::` is left out, because it
/// names another crate. A single word counts only with a capital first letter, because other words are mostly
/// variables.
pub(super) fn paths(tokens: TokenStream) -> Vec<Said> {
    let mut said = Vec::new();
    collect(tokens, &mut said);
    said
}

/// All paths in strings among these tokens, as in `#[serde(with = "a::b")]`.
pub(super) fn quoted_paths(tokens: TokenStream) -> Vec<Said> {
    let mut said = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => said.extend(quoted_paths(group.stream())),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let text = literal.to_string();
                let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                let path = quoted
                    .filter(|text| text.contains("::"))
                    .and_then(|text| syn::parse_str::<syn::Path>(text).ok());
                let words = path.filter(|path| path.leading_colon.is_none()).map(|path| words(&path));
                said.extend(words.map(|words| (words, line)));
            }
            _ => {}
        }
    }
    said
}

/// All words among these tokens, each with its line.
pub(super) fn all_words(tokens: TokenStream) -> Vec<(String, usize)> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => all_words(group.stream()),
            TokenTree::Ident(word) => vec![(word.to_string(), word.span().start().line)],
            _ => Vec::new(),
        })
        .collect()
}

/// The words of a path, without the parts in `<…>`.
pub(super) fn words(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn collect(tokens: TokenStream, said: &mut Vec<Said>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => collect(group.stream(), said),
            TokenTree::Ident(word) => {
                let line = word.span().start().line;
                let is_outside = at >= 2 && is_colons(&tokens[at - 2..]);
                let mut path = vec![word.to_string()];
                while let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    && is_colons(&tokens[at + 1..])
                {
                    path.push(next.to_string());
                    at += 3;
                }
                let is_name = path[0].starts_with(char::is_uppercase);
                if !is_outside && (path.len() > 1 || is_name) {
                    said.push((path, line));
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether tokens begin with `::`.
fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon = |token: Option<&TokenTree>| match token {
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => Some(punct.spacing()),
        _ => None,
    };
    colon(tokens.first()) == Some(Spacing::Joint) && colon(tokens.get(1)).is_some()
}
