//! Reads the text of a listing. It comes from strangers: only the one form that [`Listing::to_bytes`] writes is taken.

use super::builder::ListingBuilder;
use super::entry::{Entry, EntryIndex, EntryKind};
use super::escape::unescape;
use super::listing::Listing;
use super::name::TreeName;
use super::path::TreePath;
use super::refused::{BadListing, Refused};
use super::text::{HEAD, HEAD_LINES};
use std::str;

impl Listing {
    /// Reads the bytes of [`to_bytes`](Listing::to_bytes), and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Listing, BadListing> {
        let mut rest = bytes.strip_prefix(HEAD.as_bytes()).ok_or(BadListing::Head)?;
        let mut builder: Option<(TreeName, ListingBuilder)> = None;
        let (mut path, mut target) = (Vec::new(), Vec::new());
        let mut number = HEAD_LINES;
        while !rest.is_empty() {
            number += 1;
            let bad = BadListing::Line { line: number };
            let end = rest.iter().position(|&byte| byte == b'\n').ok_or(bad)?;
            let line = Line::split(&rest[..end]).ok_or(bad)?;
            rest = &rest[end + 1..];
            let path = unescaped(line.path, &mut path).and_then(|path| path.strip_prefix("./")).ok_or(bad)?;
            let (top, below) = path.split_once('/').unwrap_or((path, ""));
            let (name, builder) = match &mut builder {
                Some((name, builder)) => (&*name, builder),
                None => {
                    let name: TreeName = top.parse().map_err(BadListing::Name)?;
                    let (name, builder) = builder.insert((name.clone(), ListingBuilder::new(name)));
                    builder.reserve(1 + rest.iter().filter(|&&byte| byte == b'\n').count());
                    (&*name, builder)
                }
            };
            // A path that ends in a slash has nothing behind it either.
            if top != name.as_str() || path.len() == top.len() + 1 {
                return Err(bad);
            }
            let refused = |why| BadListing::Entry { line: number, why };
            let path = TreePath::new(below).map_err(|why| refused(Refused::Path(why)))?;
            let entry = line.entry(path, &mut target).ok_or(bad)?;
            builder.push(&entry).map_err(refused)?;
        }
        let no_entry = BadListing::Entry { line: number + 1, why: Refused::Top };
        let (_, builder) = builder.ok_or(no_entry)?;
        builder.finish_in_order().map_err(|(_, index, why)| BadListing::Entry { line: line_of(index), why })
    }
}

/// What a line of a valid listing says of a file, without its end: the path below the top directory, which is put in
/// `buffer`, and the size in bytes. `None` for directories and links.
pub fn file_of_line<'a>(line: &[u8], buffer: &'a mut Vec<u8>) -> Option<(&'a str, u64)> {
    let line = Line::split(line).filter(|line| line.kind == b"file")?;
    let bytes = decimal(line.last?.strip_prefix(b"size=")?)?;
    let path = unescaped(line.path, buffer)?.strip_prefix("./")?;
    Some((path.split_once('/')?.1, bytes))
}

/// The number of an entry's line, counted from 1.
fn line_of(index: EntryIndex) -> usize {
    HEAD_LINES + 1 + index.slot()
}

/// A line, taken apart at its spaces.
struct Line<'a> {
    path: &'a [u8],
    kind: &'a [u8],
    mode: &'a [u8],
    time: Option<&'a [u8]>,
    /// The size of a file, the target of a link.
    last: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    fn split(line: &'a [u8]) -> Option<Line<'a>> {
        let mut words = line.split(|&byte| byte == b' ');
        let path = words.next()?;
        let kind = words.next()?.strip_prefix(b"type=")?;
        let mode = words.next()?.strip_prefix(b"mode=")?;
        let mut last = words.next();
        let time = last.and_then(|word| word.strip_prefix(b"time="));
        if time.is_some() {
            last = words.next();
        }
        match words.next() {
            Some(_) => None,
            None => Some(Line { path, kind, mode, time, last }),
        }
    }

    fn entry<'t>(&self, path: TreePath<'t>, target: &'t mut Vec<u8>) -> Option<Entry<'t>> {
        let kind = match (self.kind, self.last) {
            (b"dir", None) => EntryKind::Directory,
            (b"file", Some(last)) => EntryKind::File { bytes: decimal(last.strip_prefix(b"size=")?)? },
            (b"link", Some(last)) => {
                EntryKind::Symlink { target: unescaped(last.strip_prefix(b"link=")?, target)? }
            }
            _ => return None,
        };
        let time = self.time.map(|time| seconds(time).ok_or(())).transpose().ok()?;
        Some(Entry { path, mode: mode(self.mode)?, time, kind })
    }
}

fn unescaped<'a>(text: &[u8], buffer: &'a mut Vec<u8>) -> Option<&'a str> {
    unescape(text, buffer).then_some(())?;
    str::from_utf8(buffer).ok()
}

/// Three octal digits.
fn mode(text: &[u8]) -> Option<u16> {
    let is_octal = text.len() == 3 && text.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    is_octal.then(|| text.iter().fold(0, |mode, digit| mode << 3 | u16::from(digit - b'0')))
}

/// Whole seconds and `.0`; a minus only before what is not 0.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b".0")?;
    match text.strip_prefix(b"-") {
        Some(text) => 0i64.checked_sub_unsigned(decimal(text)?).filter(|&seconds| seconds != 0),
        None => decimal(text)?.try_into().ok(),
    }
}

/// A number without leading zeros.
fn decimal(text: &[u8]) -> Option<u64> {
    let is_digits = text.iter().all(u8::is_ascii_digit);
    let has_one_form = text.len() == 1 || text.first() != Some(&b'0');
    (is_digits && has_one_form).then_some(())?;
    str::from_utf8(text).ok()?.parse().ok()
}
