//! A file of this machine that chunks of a download are taken from.

use super::published_tree::OpenTree;
use super::{At, PartFile, PublishedFile, StoreError, open_regular};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::rpc::wire::buffers;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file that chunks are taken from. It is kept open, so it can be read to its end although its name is given to
/// another file meanwhile. What is read from it may be wrong: somebody may write to it at any time.
#[derive(Debug)]
pub enum Donor {
    /// A finished file.
    Published(OpenFile),
    /// A finished tree.
    Tree(OpenTree),
    /// An unfinished download.
    Part(Arc<PartFile>),
}

/// A finished file that is kept open.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Donor {
    /// Opens a finished file.
    ///
    /// # Errors
    /// When it cannot be opened, or is not the file that was hashed.
    pub fn published(published: &PublishedFile) -> Result<Donor, StoreError> {
        let (path, bytes) = (published.path.clone(), published.identity.bytes);
        if let Some(tree) = &published.tree {
            return Ok(Donor::Tree(tree.open(&path)?));
        }
        let file = open_regular(&path)?;
        let now = super::FileIdentity::of(&file).at("access", &path)?;
        if !published.identity.is_same(&now) {
            return Err(io::Error::other("it has changed since it was hashed")).at("take chunks from", &path);
        }
        Ok(Donor::Published(OpenFile { file, path, bytes }))
    }

    /// Reads a chunk. Blocks.
    ///
    /// # Errors
    /// When the file is shorter than it was, or the disk fails.
    pub fn read(&self, index: ChunkIndex) -> Result<BytesMut, StoreError> {
        match self {
            Donor::Part(part) => part.read(index),
            Donor::Tree(tree) => tree.read(index),
            Donor::Published(OpenFile { file, path, bytes }) => {
                let bytes = bytes.saturating_sub(index.offset()).min(CHUNK_BYTES.into());
                let mut chunk = buffers::take(bytes as usize);
                file.read_exact_at(&mut chunk, index.offset()).at("read", path)?;
                Ok(chunk)
            }
        }
    }

    /// The file, whose blocks another file may share; `None` if there are many.
    pub fn file(&self) -> Option<&File> {
        match self {
            Donor::Part(part) if part.is_tree() => None,
            Donor::Part(part) => Some(part.own().file()),
            Donor::Published(open) => Some(&open.file),
            Donor::Tree(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Disk, FileIdentity};
    use shared::chunk::ChunkCount;
    use shared::id::{ChunkHash, ResourceId};
    use shared::manifest::Manifest;
    use std::fs;

    fn bytes(chunks: usize) -> Vec<u8> {
        (0..chunks * CHUNK_BYTES as usize - 9).map(|at| (at / 5 % 241) as u8).collect()
    }

    fn published(folder: &std::path::Path, bytes: &[u8]) -> PublishedFile {
        let path = folder.join("old");
        fs::write(&path, bytes).unwrap();
        let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
        let hashes = bytes.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
        let manifest =
            Manifest::new("old".parse().unwrap(), ResourceId::of(bytes), trackers, hashes).unwrap();
        let identity = FileIdentity::at(&path).unwrap();
        PublishedFile { manifest, path, identity, tree: None }
    }

    #[test]
    fn a_file_is_read_to_its_end_although_its_name_goes_to_another_one() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes(3));
        let old = published(folder.path(), &bytes);
        let donor = Donor::published(&old).unwrap();
        assert_eq!(donor.read(ChunkIndex(0)).unwrap(), bytes[..1 << 20]);
        fs::write(folder.path().join("new"), "other").unwrap();
        fs::rename(folder.path().join("new"), &old.path).unwrap();
        assert_eq!(donor.read(ChunkIndex(2)).unwrap(), bytes[2 << 20..]);
        assert!(Donor::published(&old).is_err(), "the other file is not what was hashed");
        fs::remove_file(&old.path).unwrap();
        assert_eq!(donor.read(ChunkIndex(1)).unwrap(), bytes[1 << 20..2 << 20]);
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes(2));
        let old = published(folder.path(), &bytes);
        let donor = Donor::published(&old).unwrap();
        File::options().write(true).open(&old.path).unwrap().set_len(5).unwrap();
        assert!(donor.read(ChunkIndex(0)).is_err() && donor.read(ChunkIndex(1)).is_err());
        assert!(donor.read(ChunkIndex(7)).unwrap().is_empty(), "beyond its end there is nothing");
    }

    #[test]
    fn what_is_written_is_what_was_verified_whatever_the_other_file_has_by_now() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes(2));
        let donor = Donor::published(&published(folder.path(), &bytes)).unwrap();
        let count = ChunkCount::new(2).unwrap();
        let part = PartFile::open(&Disk::system(), &folder.path().join("x.part"), count).unwrap();
        let verified = donor.read(ChunkIndex(1)).unwrap();
        fs::write(folder.path().join("old"), vec![7; bytes.len()]).unwrap(); // in place
        part.write_shared(ChunkIndex(1), &verified, donor.file().unwrap(), 1 << 20).unwrap();
        assert_eq!(part.read(ChunkIndex(1)).unwrap(), bytes[1 << 20..]);
        assert_eq!(part.bytes(), Some(bytes.len() as u64));
        // To another position, with the blocks of the other file where the file system can do that.
        let other = donor.read(ChunkIndex(1)).unwrap();
        part.write_shared(ChunkIndex(0), &[7; CHUNK_BYTES as usize], donor.file().unwrap(), 0).unwrap();
        assert_eq!(part.read(ChunkIndex(0)).unwrap(), [7; CHUNK_BYTES as usize][..]);
        assert_eq!(other, [7; (1 << 20) - 9][..]);
    }
}
