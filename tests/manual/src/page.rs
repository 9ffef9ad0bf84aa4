//! One man page: sections of paragraphs, terms and examples, in roff.

use crate::synopsis::Piece;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// A page that is being written. Everything is added at its end.
pub(crate) struct Page {
    name: String,
    section: u8,
    body: Vec<u8>,
}

impl Page {
    /// A page with its title and its NAME section.
    pub(crate) fn new(name: &str, section: u8, what: &str) -> Page {
        let mut page = Page::empty(name, section);
        let title = [name.to_uppercase(), section.to_string(), String::new(), source()];
        let title = [&title[..], &["TinyTorrent".to_owned()]].concat();
        page.control("TH", &title);
        page.heading("NAME");
        page.paragraph(&format!("{name} - {what}"));
        page
    }

    /// A page whose first sections are written already.
    pub(crate) fn begun(name: &str, section: u8, body: Vec<u8>) -> Page {
        Page { body, ..Page::empty(name, section) }
    }

    fn empty(name: &str, section: u8) -> Page {
        Page { name: name.to_owned(), section, body: Vec::new() }
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
        let inline = |piece: &Piece| match piece {
            Piece::Literal(word) => bold(word.as_str()),
            Piece::Value(word) => italic(word.as_str()),
            Piece::Mark(mark) => roman(*mark),
            Piece::Break => roman(""),
        };
        for (at, form) in pieces.split(|piece| *piece == Piece::Break).enumerate() {
            if at > 0 {
                self.control("br", &[]);
            }
            self.inlines(form.iter().map(inline).collect());
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

    /// Adds lines that stay as they are.
    pub(crate) fn example(&mut self, lines: &str) {
        self.control("PP", &[]);
        self.control("nf", &[]);
        for line in lines.lines() {
            self.inlines(vec![roman(line)]);
        }
        self.control("fi", &[]);
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
