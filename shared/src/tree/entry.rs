//! An entry of a tree: a directory, a file or a symbolic link, and what is carried of its metadata.

use super::path::TreePath;
use std::cmp::Ordering;

/// The largest mode: reading, writing and executing for everyone. The setuid, setgid and sticky bits are not carried.
pub const MODE_MAX: u16 = 0o777;

/// Limits the target of a symbolic link in bytes, as Linux does. A longer one is refused.
pub const TARGET_BYTES_MAX: usize = 4095;

/// The position of an entry in its listing, counted from 0. The top directory is entry 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryIndex(pub u32);

impl EntryIndex {
    /// The top directory.
    pub const TOP: EntryIndex = EntryIndex(0);

    /// The index as a position in a slice.
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

/// An entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where it is below the top directory.
    pub path: TreePath<'a>,
    /// Its permissions, at most [`MODE_MAX`]. Those of a symbolic link are always 0o777.
    pub mode: u16,
    /// When it was modified, in seconds since 1970. Either all entries of a tree have a time, or none has.
    pub time: Option<i64>,
    /// What it is.
    pub kind: EntryKind<'a>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind<'a> {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its size.
        bytes: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points: UTF-8 without control characters, 1 to [`TARGET_BYTES_MAX`] bytes. It may lead outside of
        /// the tree; see [`Listing::leads_outside`](super::Listing::leads_outside).
        target: &'a str,
    },
}

impl Entry<'_> {
    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::File { .. })
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == EntryKind::Directory
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        matches!(self.kind, EntryKind::Symlink { .. })
    }

    /// Where it stands among the entries of a tree: by the bytes of its path, to which a directory's has a slash
    /// appended. So everything in a directory follows it directly, and programs that unpack the tar can give the
    /// directory its time after that.
    pub(super) fn place(&self) -> Place<'_> {
        Place { path: self.path, is_directory: self.is_directory() }
    }

    /// The number of bytes of its content in the tar; 0 for what is not a file.
    pub fn content_bytes(&self) -> u64 {
        match self.kind {
            EntryKind::File { bytes } => bytes,
            EntryKind::Directory | EntryKind::Symlink { .. } => 0,
        }
    }
}

/// What entries are ordered by; see [`Entry::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub path: TreePath<'a>,
    pub is_directory: bool,
}

impl Place<'_> {
    /// What is appended to the path. The top directory's is empty, so that it is the first.
    fn slash(&self) -> Option<u8> {
        (self.is_directory && !self.path.is_top()).then_some(b'/')
    }
}

impl Ord for Place<'_> {
    fn cmp(&self, other: &Place<'_>) -> Ordering {
        let (one, two) = (self.path.as_str().as_bytes(), other.path.as_str().as_bytes());
        let common = one.len().min(two.len());
        let next = |place: &Place<'_>, bytes: &[u8]| bytes.get(common).copied().or(place.slash());
        // The longer one has more behind its slash, if both have one here.
        one[..common]
            .cmp(&two[..common])
            .then_with(|| next(self, one).cmp(&next(other, two)))
            .then_with(|| one.len().cmp(&two.len()))
    }
}

impl PartialOrd for Place<'_> {
    fn partial_cmp(&self, other: &Place<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a text can be the target of a symbolic link.
pub(super) fn is_target(text: &str) -> bool {
    !text.is_empty() && text.len() <= TARGET_BYTES_MAX && !text.chars().any(char::is_control)
}
