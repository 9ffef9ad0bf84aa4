//! The listing: all entries of a tree, in order.

use super::entry::{Entry, EntryIndex, Place};
use super::name::TreeName;
use super::path::TreePath;
use super::rows::Rows;

/// Limits the entries of a tree. A directory with more is refused, and so is a listing with more. With the paths of
/// a million entries a machine needs about 150 MB.
pub const ENTRIES_MAX: usize = 1_000_000;

/// Limits a listing in bytes: 256 MiB, 268 for each of a million entries. A longer one is refused before room for it
/// is reserved.
pub const LISTING_BYTES_MAX: u64 = 256 << 20;

/// All entries of a tree, strictly ascending by the bytes of their paths, to which a directory's has a slash appended. The
/// first one is the top directory, and each other one is in a directory of the listing, which it follows directly or
/// after others in it.
///
/// ```
/// use shared::tree::{Entry, EntryKind, Listing, TreePath};
///
/// let path = TreePath::new("tool").unwrap();
/// let entries = [
///     Entry { path, mode: 0o755, time: Some(1_700_000_000), kind: EntryKind::File { bytes: 12 } },
///     Entry { path: TreePath::TOP, mode: 0o755, time: Some(0), kind: EntryKind::Directory },
/// ];
/// let listing = Listing::new("app".parse().unwrap(), entries).unwrap();
/// let text = "#mtree\n# tinytorrent-tree 1\n. type=dir\n\
///     ./app type=dir mode=755 time=0.0\n\
///     ./app/tool type=file mode=755 time=1700000000.0 size=12\n";
/// assert_eq!(listing.to_bytes(), text.as_bytes());
/// assert_eq!(Listing::parse(text.as_bytes()), Ok(listing));
/// ```
#[derive(Debug, Clone)]
pub struct Listing {
    name: TreeName,
    rows: Rows,
    has_times: bool,
    bytes: u64,
}

impl Listing {
    /// A listing of rows that were checked: they are in order, and a tree. `bytes` is the length of the text.
    pub(super) fn of_checked(name: TreeName, rows: Rows, has_times: bool, bytes: u64) -> Listing {
        Listing { name, rows, has_times, bytes }
    }

    /// The name of the top directory.
    pub fn name(&self) -> &TreeName {
        &self.name
    }

    /// The number of entries, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "the top directory is always there")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the entries have times.
    pub fn has_times(&self) -> bool {
        self.has_times
    }

    /// The entry at an index.
    ///
    /// # Panics
    ///
    /// If there is no such entry.
    pub fn entry(&self, index: EntryIndex) -> Entry<'_> {
        let entry = self.rows.entry(index);
        Entry { time: entry.time.filter(|_| self.has_times), ..entry }
    }

    /// The index of each entry, in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = EntryIndex> + ExactSizeIterator + use<> {
        (0..self.rows.len() as u32).map(EntryIndex)
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> + ExactSizeIterator {
        self.indices().map(|index| self.entry(index))
    }

    /// The entry with this path.
    pub fn find(&self, path: TreePath<'_>) -> Option<EntryIndex> {
        let place = |is_directory| Place { path, is_directory };
        let find = |is_directory| self.rows.find(place(is_directory), self.rows.len());
        find(false).or_else(|| find(true))
    }

    /// The length of [`to_bytes`](Listing::to_bytes), at most [`LISTING_BYTES_MAX`].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
impl Listing {
    /// The memory that the entries take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes()
    }
}

impl PartialEq for Listing {
    fn eq(&self, other: &Listing) -> bool {
        self.name == other.name && self.entries().eq(other.entries())
    }
}

impl Eq for Listing {}
