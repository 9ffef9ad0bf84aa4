//! The text of a listing.

use super::entry::{Entry, EntryKind};
use super::escape::{escaped_bytes, push_escaped};
use super::listing::Listing;
use super::name::TreeName;
use std::fmt::Write;

/// The first lines of every listing. mtree(8) reads what follows as paths below the entry `.`.
pub(super) const HEAD: &str = "#mtree\n# tinytorrent-tree 1\n. type=dir\n";

/// The number of lines in [`HEAD`].
pub(super) const HEAD_LINES: usize = 3;

impl Listing {
    /// The listing as text, which is the content of the member `.MTREE`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(self.bytes() as usize);
        self.push_to(&mut out);
        debug_assert_eq!(out.len() as u64, self.bytes());
        out.into_bytes()
    }

    /// Appends the same text.
    pub fn push_to(&self, out: &mut String) {
        out.push_str(HEAD);
        self.entries().for_each(|entry| push_line(out, self.name(), &entry));
    }
}

/// Appends the line of an entry.
pub(super) fn push_line(out: &mut String, name: &TreeName, entry: &Entry<'_>) {
    out.push_str("./");
    push_escaped(out, name.as_str());
    if !entry.path.is_top() {
        out.push('/');
        push_escaped(out, entry.path.as_str());
    }
    push_keywords(out, entry).expect("a String takes all");
    out.push('\n');
}

fn push_keywords(out: &mut String, entry: &Entry<'_>) -> std::fmt::Result {
    let kind = match entry.kind {
        EntryKind::Directory => "dir",
        EntryKind::File { .. } => "file",
        EntryKind::Symlink { .. } => "link",
    };
    write!(out, " type={kind} mode={:03o}", entry.mode)?;
    if let Some(time) = entry.time {
        write!(out, " time={time}.0")?;
    }
    match entry.kind {
        EntryKind::Directory => {}
        EntryKind::File { bytes } => write!(out, " size={bytes}")?,
        EntryKind::Symlink { target } => {
            out.push_str(" link=");
            push_escaped(out, target);
        }
    }
    Ok(())
}

/// The length of the line of an entry.
pub(super) fn line_bytes(name: &TreeName, entry: &Entry<'_>) -> u64 {
    let slash = usize::from(!entry.path.is_top());
    let path = "./".len() + escaped_bytes(name.as_str()) + slash + escaped_bytes(entry.path.as_str());
    let time = entry
        .time
        .map_or(0, |time| " time=.0".len() + usize::from(time < 0) + decimal_digits(time.unsigned_abs()));
    let kind = match entry.kind {
        EntryKind::Directory => "dir".len(),
        EntryKind::File { bytes } => "file size=".len() + decimal_digits(bytes),
        EntryKind::Symlink { target } => "link link=".len() + escaped_bytes(target),
    };
    (path + " type= mode=000".len() + time + kind + "\n".len()) as u64
}

/// The number of decimal digits of a number.
pub(super) fn decimal_digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
