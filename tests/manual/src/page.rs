//! One man page: sections of paragraphs, terms and examples, in roff.

use crate::notes::Part;
use crate::synopsis::Piece;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// The columns of a line of text on a terminal of 80 columns: man keeps two free.
pub(crate) const COLUMNS: usize = 78;

/// The columns by which text is indented.
const INDENT: usize = 7;

/// A page that is being written. Everything is added at its end.
pub(crate) struct Page {
    name: String,
    section: u8,
    body: Vec<u8>,
}

impl Page {
    /// A page with its title and its NAME section.
    pub(crate) fn new(name: &str, section: u8, what: &str) -> Page {
        let mut page = Page { name: name.to_owned(), section, body: Vec::new() };
        // An argument without letters is left out by the library, and what follows would take its place.
        let title = format!(".TH \"{}\" {section} \"\" \"{}\" TinyTorrent\n", name.to_uppercase(), source());
        page.body.extend(title.into_bytes());
        // No filling up with blanks, and no hyphens: a word of a command is found as it is typed.
        page.control("ad", &["l".to_owned()]);
        page.control("nh", &[]);
        page.heading("NAME");
        page.inlines(vec![roman(format!("{name} - {what}"))]);
        page
    }

    /// Its name, without the section.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its section.
    pub(crate) fn section(&self) -> u8 {
        self.section
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Begins a section.
    pub(crate) fn heading(&mut self, heading: &str) {
        self.control("SH", &[heading.to_owned()]);
    }

    /// Adds a paragraph of running text.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.control("PP", &[]);
        self.inlines(vec![roman(text)]);
    }

    /// Adds the SYNOPSIS section.
    pub(crate) fn synopsis(&mut self, pieces: &[Piece]) {
        self.heading("SYNOPSIS");
        let mut depth = 0;
        let mut inline = |piece: &Piece| match piece {
            Piece::Literal(word) => bold(word.as_str()),
            Piece::Value(word) => italic(word.as_str()),
            Piece::Mark(mark) => {
                // What stands in brackets stays on one line.
                let mark = if depth > 0 { mark.replace(' ', "\u{a0}") } else { (*mark).to_owned() };
                depth += mark.matches('[').count();
                depth -= mark.matches(']').count();
                roman(mark)
            }
            Piece::Break => roman(""),
        };
        for (at, form) in pieces.split(|piece| *piece == Piece::Break).enumerate() {
            if at > 0 {
                self.control("br", &[]);
            }
            self.inlines(form.iter().map(&mut inline).collect());
        }
    }

    /// Adds sections that are written already.
    pub(crate) fn written(&mut self, sections: Vec<u8>) {
        self.body.extend(sections);
    }

    /// Adds a term with what it means.
    pub(crate) fn term(&mut self, term: &str, meaning: &str) {
        self.control("TP", &[]);
        self.inlines(vec![bold(term)]);
        self.inlines(vec![roman(meaning)]);
    }

    /// Adds parts of running text.
    pub(crate) fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Paragraph(text) => self.paragraph(text),
                Part::Term(term, meaning) => self.term(term, meaning),
                Part::Item(text) => {
                    self.control("IP", &["\u{2022}".to_owned(), "2".to_owned()]);
                    self.inlines(vec![roman(text.as_str())]);
                }
            }
        }
    }

    /// Adds lines that stay as they are. Wide ones are indented less, so that none is broken.
    pub(crate) fn example(&mut self, lines: &str) {
        self.control("PP", &[]);
        let widest = lines.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let indent = INDENT.min(COLUMNS.saturating_sub(widest));
        self.control("in", &[format!("{indent}n")]);
        self.control("nf", &[]);
        for line in lines.lines() {
            self.inlines(vec![roman(line)]);
        }
        self.control("fi", &[]);
        self.control("in", &[]);
    }

    /// Adds the SEE ALSO section: pages with their section, as in `ttd(1)`.
    pub(crate) fn see_also(&mut self, pages: &[&str]) {
        self.heading("SEE ALSO");
        self.paragraph(&pages.join(", "));
    }

    fn control(&mut self, name: &str, args: &[String]) {
        let mut roff = Roff::new();
        roff.control(name, args.iter().map(String::as_str));
        self.add(&roff);
    }

    fn inlines(&mut self, inlines: Vec<Inline>) {
        let mut roff = Roff::new();
        roff.text(inlines);
        self.add(&roff);
    }

    fn add(&mut self, roff: &Roff) {
        self.body.extend(roff.to_roff().into_bytes());
    }
}

/// What stands at the foot of each page.
pub(crate) fn source() -> String {
    format!("TinyTorrent {}", env!("CARGO_PKG_VERSION"))
}
