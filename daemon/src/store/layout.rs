//! Where the bytes of a resource are. Each chunk is a list of segments, and each segment is in one place. A plain file
//! is the layout with one place; the bytes of a tree are in its files, in its sums, and nowhere: its headers, its
//! listing and its padding follow from the listing.
//!
//! Whatever reads or writes a resource does so through a layout.

use shared::rpc::wire::buffers;
use shared::tree::{EntryIndex, Segment, Segments, TreeLayout};

/// The layout of a resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout<'a> {
    /// All bytes are in one file, in order.
    File,
    /// They are in the files of a tree.
    Tree(&'a TreeLayout),
}

/// A place of bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file, from this offset on. The only file of [`Layout::File`] has the index [`EntryIndex::TOP`].
    File {
        /// The file.
        entry: EntryIndex,
        /// The offset in the file, in bytes.
        offset: u64,
    },
    /// In the sums of a tree, from this offset on, in bytes.
    Sums(u64),
}

impl Layout<'_> {
    /// Fills a buffer with the bytes of the resource from `offset` on. `read` fills the parts that are on the disk.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn read<E>(
        self,
        offset: u64,
        buffer: &mut [u8],
        mut read: impl FnMut(Place, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Layout::Tree(tree) = self {
            tree.fill_synthetic(offset, buffer);
        }
        let mut rest = buffer;
        for (place, bytes) in self.parts(offset, rest.len()) {
            let (own, behind) = rest.split_at_mut(bytes);
            place.map_or(Ok(()), |place| read(place, own))?;
            rest = behind;
        }
        Ok(())
    }

    /// Passes the bytes of the resource from `offset` on to `write`, each part with its place on the disk. Returns
    /// `false`, and writes nothing, if bytes that are on no disk are not what the layout says.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn write<E>(
        self,
        offset: u64,
        bytes: &[u8],
        mut write: impl FnMut(Place, &[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        if let Layout::Tree(tree) = self
            && !has_right_headers(tree, offset, bytes)
        {
            return Ok(false);
        }
        let mut rest = bytes;
        for (place, bytes) in self.parts(offset, rest.len()) {
            let (own, behind) = rest.split_at(bytes);
            place.map_or(Ok(()), |place| write(place, own))?;
            rest = behind;
        }
        Ok(true)
    }

    /// The parts of `bytes` bytes from `offset` on, in order: where each is on the disk, if it is, and its length.
    fn parts(&self, offset: u64, bytes: usize) -> Parts<'_> {
        match self {
            Layout::File => Parts::One(Some((Place::File { entry: EntryIndex::TOP, offset }, bytes))),
            Layout::Tree(tree) => Parts::Tree(tree.segments(offset..offset + bytes as u64)),
        }
    }
}

/// Whether the headers, the listing and the padding in a range are those of the layout.
fn has_right_headers(tree: &TreeLayout, offset: u64, bytes: &[u8]) -> bool {
    let mut made = buffers::take(bytes.len());
    made.copy_from_slice(bytes);
    tree.fill_synthetic(offset, &mut made);
    made == bytes
}

enum Parts<'a> {
    One(Option<(Place, usize)>),
    Tree(Segments<'a>),
}

impl Iterator for Parts<'_> {
    type Item = (Option<Place>, usize);

    fn next(&mut self) -> Option<(Option<Place>, usize)> {
        let segments = match self {
            Parts::One(one) => return one.take().map(|(place, bytes)| (Some(place), bytes)),
            Parts::Tree(segments) => segments,
        };
        let segment = segments.next()?;
        let place = match segment {
            Segment::Synthetic { .. } => None,
            Segment::File { entry, offset, .. } => Some(Place::File { entry, offset }),
            Segment::Sums { offset, .. } => Some(Place::Sums(offset)),
        };
        Some((place, segment.bytes() as usize)) // at most as many as the buffer has
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::tree::{Entry, EntryKind, Listing, TreePath};
    use std::convert::Infallible;

    fn tree() -> TreeLayout {
        let file = |path, bytes| Entry {
            path: TreePath::new(path).unwrap(),
            mode: 0o644,
            time: Some(5),
            kind: EntryKind::File { bytes },
        };
        let top = Entry { path: TreePath::TOP, mode: 0o755, time: Some(0), kind: EntryKind::Directory };
        let listing = Listing::new("app".parse().unwrap(), [top, file("a", 700), file("b", 0), file("c", 3)]);
        TreeLayout::new(listing.unwrap()).unwrap()
    }

    /// Writes all bytes of a tree in pieces, and reads them back in pieces of another size.
    #[test]
    fn what_is_written_is_read_whatever_the_pieces_are() {
        let tree = tree();
        let (layout, total) = (Layout::Tree(&tree), tree.bytes() as usize);
        let mut tar = vec![0; total];
        let contents = |place, part: &mut [u8]| {
            part.iter_mut().enumerate().for_each(|(at, byte)| {
                *byte = match place {
                    Place::File { entry, offset } => (entry.0 as usize * 50 + offset as usize + at) as u8,
                    Place::Sums(offset) => b'0' + ((offset as usize + at) % 10) as u8,
                }
            });
            Ok::<(), Infallible>(())
        };
        layout.read(0, &mut tar, contents).unwrap();
        assert_eq!(&tar[..6], b".MTREE");
        for piece in [1, 100, 512, 513, total] {
            let (mut files, mut sums) = (vec![vec![0; 700]; 4], vec![0; tree.sums_bytes() as usize]);
            for (at, bytes) in tar.chunks(piece).enumerate() {
                let write = |place, part: &[u8]| {
                    let there = match place {
                        Place::File { entry, offset } => &mut files[entry.slot()][offset as usize..],
                        Place::Sums(offset) => &mut sums[offset as usize..],
                    };
                    there[..part.len()].copy_from_slice(part);
                    Ok::<(), Infallible>(())
                };
                assert!(layout.write((at * piece) as u64, bytes, write).unwrap());
            }
            let mut read = vec![9; 700];
            let start = tree.content_range(EntryIndex(1)).start;
            layout
                .read(start, &mut read, |place, part| {
                    let Place::File { entry, offset } = place else { panic!("{place:?}") };
                    part.copy_from_slice(&files[entry.slot()][offset as usize..][..part.len()]);
                    Ok::<(), Infallible>(())
                })
                .unwrap();
            assert_eq!(read, tar[start as usize..][..700], "pieces of {piece} bytes");
        }
    }

    #[test]
    fn a_byte_of_a_header_that_is_not_the_layouts_is_refused_and_nothing_is_written() {
        let tree = tree();
        let (layout, mut tar) = (Layout::Tree(&tree), vec![0; tree.bytes() as usize]);
        layout.read(0, &mut tar, |_, _| Ok::<(), Infallible>(())).unwrap();
        let headers: Vec<usize> = vec![0, 156, tree.listing_range().start as usize + 60, tar.len() - 1];
        for at in headers {
            tar[at] ^= 1;
            let written = layout.write(0, &tar, |_, _| -> Result<(), Infallible> { panic!("written") });
            assert!(!written.unwrap(), "byte {at}");
            tar[at] ^= 1;
        }
    }

    #[test]
    fn a_plain_file_is_one_part() {
        let mut parts = Vec::new();
        let write = |place, part: &[u8]| {
            parts.push((place, part.to_vec()));
            Ok::<(), Infallible>(())
        };
        assert!(Layout::File.write(7, b"bytes", write).unwrap());
        assert_eq!(parts, [(Place::File { entry: EntryIndex::TOP, offset: 7 }, b"bytes".to_vec())]);
    }
}
