//! Writes a file's mutants into it, so that a number chooses one at run time: `a < b` becomes
//! `(match crate::mutation::active(7) { 7 => (a) <= (b), _ => a < b })`.

use super::mutant::{Genre, Mutant, Position};
use std::cmp::Reverse;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A mutant's number; 0 means none.
pub(super) type Number = usize;

/// A file with its mutants.
#[derive(Debug)]
pub(super) struct Switched {
    pub(super) text: String,
    /// Where the mutants are in the text, from the largest place to the smallest around each byte.
    pub(super) places: Vec<Place>,
}

/// A part of the new text.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) range: Range<usize>,
    pub(super) mutants: Vec<Number>,
    pub(super) part: Part,
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A mutant's own code and nothing else.
    Alternative,
    /// The beginning of a function, with its mutants.
    Begin,
    /// An expression or the condition of an arm, with its mutants.
    Inside,
}

/// Writes these mutants into a file. Those that are in no place belong to code that cannot be written so.
pub(super) fn switch(source: &str, mutants: &[(Number, &Mutant)]) -> Result<Switched, String> {
    let file = syn::parse_file(source).map_err(|error| error.to_string())?;
    let lines = Lines::of(source);
    let at = |position: Position| lines.offset(source, position);
    let mut finder = Finder { source, sites: Vec::new(), mutants: Vec::new() };
    for &(number, mutant) in mutants {
        let offset = at(mutant.begin).ok_or_else(|| format!("{}: no such place", mutant.name))?;
        if mutant.genre == Genre::Body {
            finder.add(offset..offset, Kind::Begin, number, format!("return {}", mutant.replacement));
        } else {
            finder.mutants.push((offset, number, mutant));
        }
    }
    finder.visit_file(&file);
    let mut sites = finder.sites;
    sites.sort_by_key(|site| (site.range.start, site.kind != Kind::Begin, Reverse(site.range.end)));
    let mut writer = Writer { source, switched: Switched { text: String::new(), places: Vec::new() } };
    writer.write(0..source.len(), &sites);
    Ok(writer.switched)
}

/// A part of the source that has mutants.
struct Site {
    range: Range<usize>,
    kind: Kind,
    /// Each mutant's code.
    mutants: Vec<(Number, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The beginning of a function. Its mutants return.
    Begin,
    /// An expression. Each mutant is another one.
    Choice,
    /// Behind the pattern of an arm, which has no condition. The mutant is that it never matches.
    Arm,
}

struct Finder<'a> {
    source: &'a str,
    sites: Vec<Site>,
    /// Where each mutant is that has not begun a function.
    mutants: Vec<(usize, Number, &'a Mutant)>,
}

impl Finder<'_> {
    fn add(&mut self, range: Range<usize>, kind: Kind, number: Number, code: String) {
        match self.sites.iter_mut().find(|site| site.range == range && site.kind == kind) {
            Some(site) if kind == Kind::Begin => site.mutants.push((number, code)),
            _ => self.sites.push(Site { range, kind, mutants: vec![(number, code)] }),
        }
    }

    /// Adds the mutants of a genre that begin at an offset as choices for an expression.
    fn choose(&mut self, at: usize, genre: Genre, range: Range<usize>, code: impl Fn(&Mutant) -> String) {
        let mutants: Vec<(Number, String)> =
            self.at(at, genre).map(|(n, mutant)| (n, code(mutant))).collect();
        if !mutants.is_empty() {
            self.sites.push(Site { range, kind: Kind::Choice, mutants });
        }
    }

    fn at(&self, at: usize, genre: Genre) -> impl Iterator<Item = (Number, &Mutant)> {
        let is_here =
            move |(offset, _, mutant): &&(usize, Number, &Mutant)| *offset == at && mutant.genre == genre;
        self.mutants.iter().filter(is_here).map(|&(_, number, mutant)| (number, mutant))
    }

    fn text(&self, part: &impl Spanned) -> &str {
        &self.source[range(part)]
    }
}

fn range(part: &impl Spanned) -> Range<usize> {
    part.span().byte_range()
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        // `a || let …` is no expression.
        if !has_let(&binary.left) && !has_let(&binary.right) {
            let (left, right) = (self.text(&*binary.left).to_owned(), self.text(&*binary.right).to_owned());
            let code = |mutant: &Mutant| format!("({left}) {} ({right})", mutant.replacement);
            self.choose(range(&binary.op).start, Genre::Binary, range(binary), code);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let operand = format!("({})", self.text(&*unary.expr));
        self.choose(range(unary).start, Genre::Unary, range(unary), |_| operand.clone());
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        match &arm.pat {
            syn::Pat::Guard(syn::PatGuard { guard, .. }) if !has_let(guard) => {
                self.choose(range(guard).start, Genre::Guard, range(guard), |mutant| {
                    mutant.replacement.clone()
                });
            }
            syn::Pat::Guard(_) => {}
            pattern => {
                let deleted: Vec<Number> = self.at(range(arm).start, Genre::Arm).map(|(n, _)| n).collect();
                let end = range(pattern).end;
                deleted.into_iter().for_each(|number| self.add(end..end, Kind::Arm, number, String::new()));
            }
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, literal: &'ast syn::ExprStruct) {
        if let Some(rest) = &literal.rest {
            let base = format!("({} {{ ..{} }})", self.text(&literal.path), self.text(&**rest));
            for field in &literal.fields {
                let (at, value) = (range(field).start, range(&field.expr));
                let code = format!("{base}.{}", self.text(&field.member));
                // `S { a, ..b }` has no place for an expression.
                if field.colon_token.is_some() {
                    self.choose(at, Genre::Field, value, |_| code.clone());
                }
            }
        }
        visit::visit_expr_struct(self, literal);
    }
}

/// Whether a condition declares a name, as in `a && let Some(b) = c`.
fn has_let(condition: &syn::Expr) -> bool {
    match condition {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

struct Writer<'a> {
    source: &'a str,
    switched: Switched,
}

impl Writer<'_> {
    /// Writes a part of the source, in which these sites are.
    fn write(&mut self, part: Range<usize>, mut sites: &[Site]) {
        let mut at = part.start;
        while let Some((site, others)) = sites.split_first() {
            self.switched.text += &self.source[at..site.range.start];
            let is_inside = |other: &&Site| other.range.start < site.range.end;
            let (inside, behind) = others.split_at(others.iter().take_while(is_inside).count());
            self.site(site, inside);
            (at, sites) = (site.range.end, behind);
        }
        self.switched.text += &self.source[at..part.end];
    }

    fn site(&mut self, site: &Site, inside: &[Site]) {
        let place = self.switched.places.len();
        let (begin, numbers) = (self.switched.text.len(), site.mutants.iter().map(|(number, _)| *number));
        let mutants: Vec<Number> = numbers.collect();
        let active = format!("crate::mutation::active({})", mutants[0]);
        let part = if site.kind == Kind::Begin { Part::Begin } else { Part::Inside };
        self.switched.places.push(Place { range: begin..begin, mutants, part });
        match site.kind {
            Kind::Arm => self.switched.text += &format!(" if {active} != {} ", site.mutants[0].0),
            Kind::Begin => {
                self.switched.text += &format!("match {active} {{ ");
                self.alternatives(site);
                self.switched.text += "_ => {} }\n";
            }
            Kind::Choice => {
                self.switched.text += &format!("(match {active} {{ ");
                self.alternatives(site);
                self.switched.text += "_ => ";
                self.write(site.range.clone(), inside);
                self.switched.text += " })";
            }
        }
        self.switched.places[place].range.end = self.switched.text.len();
    }

    fn alternatives(&mut self, site: &Site) {
        for (number, code) in &site.mutants {
            self.switched.text += &format!("{number} => ");
            let begin = self.switched.text.len();
            self.switched.text += code;
            let range = begin..self.switched.text.len();
            self.switched.places.push(Place { range, mutants: vec![*number], part: Part::Alternative });
            self.switched.text += ", ";
        }
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        Lines([0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn offset(&self, text: &str, position: Position) -> Option<usize> {
        let begin = *self.0.get(position.line.checked_sub(1)?)?;
        let column = position.column.checked_sub(1)?;
        text[begin..].char_indices().nth(column).map(|(at, _)| begin + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(genre: Genre, line: usize, column: usize, replacement: &str) -> Mutant {
        Mutant {
            name: "m".to_owned(),
            file: "a.rs".to_owned(),
            genre,
            begin: Position { line, column },
            replacement: replacement.to_owned(),
        }
    }

    #[track_caller]
    fn check(source: &str, mutants: &[Mutant], expected: &str) {
        let numbered: Vec<(Number, &Mutant)> = (1..).zip(mutants).collect();
        let switched = switch(source, &numbered).unwrap();
        syn::parse_file(&switched.text).unwrap();
        let text = switched.text.replace("crate::mutation::active", "active");
        assert_eq!(text, expected);
    }

    #[test]
    fn operators_and_functions_become_choices() {
        check(
            "fn f(ä: u8, b: u8) -> bool { ä < !b }",
            &[
                mutant(Genre::Body, 1, 30, "true"),
                mutant(Genre::Body, 1, 30, "false"),
                mutant(Genre::Binary, 1, 32, "<="),
                mutant(Genre::Unary, 1, 34, ""),
            ],
            "fn f(ä: u8, b: u8) -> bool { match active(1) { 1 => return true, 2 => return false, _ => {} }\n\
             (match active(3) { 3 => (ä) <= (!b), _ => ä < (match active(4) { 4 => (b), _ => !b }) }) }",
        );
    }

    #[test]
    fn arms_conditions_and_fields_become_choices() {
        check(
            "fn f(a: u8, s: S) -> S { match a { 1 => s, b if b == 2 => S { x: 1, ..s }, _ => s } }",
            &[
                mutant(Genre::Arm, 1, 36, ""),
                mutant(Genre::Guard, 1, 49, "true"),
                mutant(Genre::Binary, 1, 51, "!="),
                mutant(Genre::Field, 1, 63, ""),
            ],
            "fn f(a: u8, s: S) -> S { match a { 1 if active(1) != 1  => s, b if (match active(2) { 2 => true, _ => \
             (match active(3) { 3 => (b) != (2), _ => b == 2 }) }) => S { x: (match active(4) { 4 => (S { ..s }).x, \
             _ => 1 }), ..s }, _ => s } }",
        );
    }

    #[test]
    fn a_condition_that_declares_a_name_stays() {
        let source =
            "fn f(a: Option<u8>) -> bool { if a.is_some() && let Some(b) = a { b == 1 } else { false } }";
        check(source, &[mutant(Genre::Binary, 1, 46, "||")], source);
    }
}
