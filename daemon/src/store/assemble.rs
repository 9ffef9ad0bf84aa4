//! Makes chunks of a wanted tree from files that are here. Nothing of them is believed: the caller hashes them.

use super::layout::Place;
use super::{OpenTree, PublishedFile, SumsReader};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::rpc::wire::buffers;
use shared::tree::{KnownFiles, OLDER, Piece, TreeLayout};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The donors of a wanted tree's files: the older tree, and finished files.
#[derive(Debug)]
pub struct Donors {
    /// The donor [`OLDER`].
    pub older: Arc<OpenTree>,
    /// The donors from 1 on.
    pub files: Vec<Arc<PublishedFile>>,
}

impl Donors {
    /// Reads the hashes of the older tree's files.
    pub fn older_sums(&self) -> SumsReader<'_> {
        SumsReader::new(self.older.sums(), self.older.layout())
    }

    /// Makes a chunk of the tree `new`; `None` if something in it is not known, has changed or cannot be read. Blocks.
    pub fn assemble(&self, new: &TreeLayout, known: &KnownFiles<'_>, index: ChunkIndex) -> Option<BytesMut> {
        let bytes = new.bytes().checked_sub(index.offset())?.min(CHUNK_BYTES.into());
        let mut chunk = buffers::take(bytes as usize);
        new.fill_synthetic(index.offset(), &mut chunk);
        let mut rest = &mut chunk[..];
        for piece in known.pieces(index.offset()..index.offset() + bytes) {
            let length = match piece {
                Piece::Synthetic { bytes } | Piece::File { bytes, .. } | Piece::OlderSums { bytes, .. } => {
                    bytes
                }
                Piece::UnknownFile { .. } | Piece::UnknownSums { .. } => return None,
            };
            let (own, behind) = rest.split_at_mut(length as usize);
            match piece {
                Piece::File { place, offset, .. } if place.donor == OLDER => {
                    self.older.read_place(Place::File { entry: place.entry, offset }, own)?;
                }
                Piece::File { place, offset, .. } => {
                    let donor = self.files.get(place.donor as usize - 1)?;
                    donor.open()?.read_exact_at(own, offset).ok()?;
                }
                Piece::OlderSums { offset, .. } => self.older.read_place(Place::Sums(offset), own)?,
                Piece::Synthetic { .. } | Piece::UnknownFile { .. } | Piece::UnknownSums { .. } => {}
            }
            rest = behind;
        }
        Some(chunk)
    }
}
