//! The headers of the tar's members: a ustar header each, and before it a pax header where ustar has no room.

use super::entry::{Entry, EntryIndex, EntryKind};
use super::name::TreeName;
use super::text::decimal_digits;
use std::fmt::{Display, Write};

/// A tar consists of blocks of this many bytes. A header is one block; a content is filled up with zeros.
pub(super) const BLOCK_BYTES: u64 = 512;

/// The first number that 11 octal digits cannot write: 8 GiB, or a time in the year 2242.
const OCTAL_END: u64 = 1 << 33;

/// The room for a path, for a link's target, and for the directories before a path.
const PATH_BYTES: usize = 100;
const TARGET_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// The number of bytes in the blocks that a content needs.
pub(super) fn whole_blocks(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// The length of an entry's headers: one block; with a pax header at least three.
pub(super) fn head_bytes(name: &TreeName, entry: &Entry<'_>) -> u64 {
    if is_short(name, entry) {
        return BLOCK_BYTES;
    }
    match records(&member_path(name, entry), entry).len() as u64 {
        0 => BLOCK_BYTES,
        bytes => BLOCK_BYTES + whole_blocks(bytes) + BLOCK_BYTES,
    }
}

/// Appends an entry's headers.
pub(super) fn push_head(out: &mut Vec<u8>, name: &TreeName, index: EntryIndex, entry: &Entry<'_>) {
    let path = member_path(name, entry);
    let records = records(&path, entry);
    if !records.is_empty() {
        let name = format!("PaxHeaders/{}", index.0);
        out.extend(Ustar { kind: b'x', ..Ustar::of_file(name.as_bytes(), records.len() as u64) }.block());
        out.extend(records.as_bytes());
        out.resize(out.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    }
    let (kind, target) = match entry.kind {
        EntryKind::Directory => (b'5', ""),
        EntryKind::File { .. } => (b'0', ""),
        EntryKind::Symlink { target } => (b'2', target),
    };
    let (prefix, path) = path.split_at(cut(&path).unwrap_or(0));
    let ustar = Ustar {
        path: path.strip_prefix('/').unwrap_or(path).as_bytes(),
        mode: entry.mode,
        bytes: Some(entry.content_bytes()).filter(|&bytes| bytes < OCTAL_END).unwrap_or(0),
        time: octal_time(entry).unwrap_or(0),
        kind,
        target: target.as_bytes(),
        prefix: prefix.as_bytes(),
    };
    out.extend(ustar.block());
}

/// The header of the listing or of the sums.
pub(super) fn member_head(path: &str, bytes: u64) -> [u8; BLOCK_BYTES as usize] {
    Ustar::of_file(path.as_bytes(), bytes).block()
}

/// The path of an entry as the tar has it: `app/bin/tool`, and a directory's with a slash at the end.
pub(super) fn member_path(name: &TreeName, entry: &Entry<'_>) -> String {
    let (name, path) = (name.as_str(), entry.path.as_str());
    let mut all = String::with_capacity(name.len() + path.len() + 2);
    all.push_str(name);
    if !entry.path.is_top() {
        all.push('/');
        all.push_str(path);
    }
    if entry.is_directory() {
        all.push('/');
    }
    all
}

/// Whether an entry certainly needs no pax header. This is the usual case, found out without an allocation.
fn is_short(name: &TreeName, entry: &Entry<'_>) -> bool {
    let target = match entry.kind {
        EntryKind::Symlink { target } => target,
        EntryKind::Directory | EntryKind::File { .. } => "",
    };
    let (name, path) = (name.as_str(), entry.path.as_str());
    name.len() + "/".len() + path.len() + "/".len() <= PATH_BYTES
        && target.len() <= TARGET_BYTES
        && name.is_ascii()
        && path.is_ascii()
        && target.is_ascii()
        && entry.content_bytes() < OCTAL_END
        && octal_time(entry).is_some()
}

/// The records of an entry's pax header, in the order of their keys; empty if it needs none.
fn records(path: &str, entry: &Entry<'_>) -> String {
    let mut out = String::new();
    if let EntryKind::Symlink { target } = entry.kind
        && (!target.is_ascii() || target.len() > TARGET_BYTES)
    {
        push_record(&mut out, "linkpath", target);
    }
    if let (None, Some(time)) = (octal_time(entry), entry.time) {
        push_record(&mut out, "mtime", time);
    }
    if !path.is_ascii() || cut(path).is_none() {
        push_record(&mut out, "path", path);
    }
    if entry.content_bytes() >= OCTAL_END {
        push_record(&mut out, "size", entry.content_bytes());
    }
    out
}

/// Appends `LENGTH KEY=VALUE` and a line feed. The length counts its own digits, too.
fn push_record(out: &mut String, key: &str, value: impl Display) {
    let rest = format!(" {key}={value}\n");
    let digits = decimal_digits(rest.len() as u64);
    // The digits may make the number longer by one digit.
    let bytes = rest.len() + decimal_digits((rest.len() + digits) as u64);
    write!(out, "{bytes}{rest}").expect("a String takes all");
}

/// Where a path is cut into ustar's prefix and path: 0 if it fits uncut; otherwise at the last slash that is not at
/// the end and leaves a prefix that fits. `None` if the rest is too long then.
fn cut(path: &str) -> Option<usize> {
    if path.len() <= PATH_BYTES {
        return Some(0);
    }
    let bytes = path.as_bytes();
    let end = bytes.len().saturating_sub(1).min(PREFIX_BYTES + 1);
    let slash = bytes[..end].iter().rposition(|&byte| byte == b'/')?;
    (bytes.len() - slash - 1 <= PATH_BYTES).then_some(slash)
}

/// An entry's time as ustar writes it, 0 if it has none; `None` if 11 octal digits cannot write it.
fn octal_time(entry: &Entry<'_>) -> Option<u64> {
    let time = u64::try_from(entry.time.unwrap_or(0)).ok()?;
    (time < OCTAL_END).then_some(time)
}

/// A ustar header.
struct Ustar<'a> {
    /// What is longer than its room is cut off: a pax header has all of it.
    path: &'a [u8],
    mode: u16,
    bytes: u64,
    time: u64,
    kind: u8,
    target: &'a [u8],
    prefix: &'a [u8],
}

impl<'a> Ustar<'a> {
    /// Of a file that everyone may read, without a time.
    fn of_file(path: &'a [u8], bytes: u64) -> Ustar<'a> {
        Ustar { path, mode: 0o644, bytes, time: 0, kind: b'0', target: b"", prefix: b"" }
    }

    /// The header as one block. Owner and group are 0 and have no names.
    fn block(&self) -> [u8; BLOCK_BYTES as usize] {
        let mut block = [0; BLOCK_BYTES as usize];
        put_text(&mut block[0..100], self.path);
        put_octal(&mut block[100..107], self.mode.into());
        put_octal(&mut block[108..115], 0);
        put_octal(&mut block[116..123], 0);
        put_octal(&mut block[124..135], self.bytes);
        put_octal(&mut block[136..147], self.time);
        block[148..156].fill(b' ');
        block[156] = self.kind;
        put_text(&mut block[157..257], self.target);
        block[257..265].copy_from_slice(b"ustar\x0000");
        put_octal(&mut block[329..336], 0);
        put_octal(&mut block[337..344], 0);
        put_text(&mut block[345..500], self.prefix);
        // The sum is made with its own place full of spaces.
        let sum = block.iter().map(|&byte| u64::from(byte)).sum();
        put_octal(&mut block[148..154], sum);
        block[154] = 0;
        block
    }
}

fn put_text(place: &mut [u8], text: &[u8]) {
    let bytes = text.len().min(place.len());
    place[..bytes].copy_from_slice(&text[..bytes]);
}

/// Fills a place with octal digits, zeros first.
fn put_octal(place: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    debug_assert_eq!(rest, 0, "{number} fits");
}
