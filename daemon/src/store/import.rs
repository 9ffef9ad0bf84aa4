//! A file or directory that ttctl sends from elsewhere. It is hashed as it arrives.

use super::disk::{Disk, Open};
use super::group::TreeGroup;
use super::import_tree::ImportedTree;
use super::tree_form::TreeForm;
use super::{At, FileIdentity, OwnFile, StoreError};
use sha2::{Digest, Sha256};
use shared::chunk::{CHUNK_BYTES, CHUNKS_MAX};
use shared::host::hashing::Hashed;
use shared::id::{ChunkHash, ListDigest, ResourceId, SwarmKey};
use shared::rpc::wire::buffers;
use shared::tree::TreeName;
use std::io;
use std::path::{Path, PathBuf};

/// An import. What was not published of it is removed on drop.
#[derive(Debug)]
pub struct Import {
    target: Target,
    whole: Sha256,
    hashes: Vec<ChunkHash>,
    bytes: u64,
    data_bytes: u64,
    /// The last bytes that arrived, if they are less than a chunk of a directory: ttd itself adds the rest.
    short: Vec<u8>,
    /// The swarm of what is complete.
    key: Option<SwarmKey>,
}

/// What an import becomes.
#[derive(Debug)]
enum Target {
    File(ImportedFile),
    Tree(Box<ImportedTree>),
}

/// The file that has the bytes. It is removed on drop unless it was published.
#[derive(Debug)]
struct ImportedFile {
    disk: Disk,
    own: OwnFile,
}

impl Import {
    /// An import of a file, whose bytes are written to a new file at `path`.
    pub(super) fn of_file(disk: &Disk, path: PathBuf) -> Result<Import, StoreError> {
        let (own, disk) = (OwnFile::new(disk, disk.open(&path, Open::New)?, path), disk.clone());
        Ok(Import::into(Target::File(ImportedFile { disk, own })))
    }

    /// An import of a directory of this name, in which everything gets `group`. It is made in the form. `replaces` is
    /// the directory that has the name now.
    pub(super) fn of_tree(
        form: TreeForm,
        name: TreeName,
        group: TreeGroup,
        replaces: Option<FileIdentity>,
    ) -> Result<Import, StoreError> {
        Ok(Import::into(Target::Tree(Box::new(ImportedTree::create(form, name, group, replaces)?))))
    }

    fn into(target: Target) -> Import {
        let (whole, hashes, short) = (Sha256::new(), Vec::new(), Vec::new());
        Import { target, whole, hashes, bytes: 0, data_bytes: 0, short, key: None }
    }

    /// The file that has the bytes, if it is not a directory.
    pub(super) fn file(&self) -> Option<&OwnFile> {
        match &self.target {
            Target::File(file) => Some(&file.own),
            Target::Tree(_) => None,
        }
    }

    /// The directory, if it is one.
    pub(super) fn tree(&self) -> Option<&ImportedTree> {
        match &self.target {
            Target::File(_) => None,
            Target::Tree(tree) => Some(tree),
        }
    }

    /// Adds the next chunk. Every chunk except the last has [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// When a chunk follows a short one, the file grows too large, the bytes are not those of a directory that should be
    /// one ([`StoreError::is_bad_data`]), or the disk refuses.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.must_fit(bytes.len())?;
        self.data_bytes += bytes.len() as u64;
        let tree = match &mut self.target {
            Target::Tree(tree) => tree,
            Target::File(file) => {
                file.own.write(self.bytes, bytes)?;
                self.hash(bytes, ChunkHash::of(bytes));
                return Ok(());
            }
        };
        if bytes.len() < CHUNK_BYTES as usize {
            tree.write(self.bytes, bytes)?;
            self.short = bytes.to_vec();
            self.bytes += bytes.len() as u64;
            return Ok(());
        }
        // The files are made and hashed here, the chunk and the whole in the thread.
        let (whole, offset) = (&mut self.whole, self.bytes);
        let (written, hash) = std::thread::scope(|scope| {
            let hash = || {
                whole.update(bytes);
                ChunkHash::of(bytes)
            };
            let hashing = std::thread::Builder::new().spawn_scoped(scope, hash);
            let written = tree.write(offset, bytes);
            (written, hashing.and_then(|it| it.join().map_err(|_| io::Error::other("hashing it panicked"))))
        });
        written?;
        let hash = hash.at("import", self.path())?;
        self.hashes.push(hash);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Adds chunks of zeros without writing them. If their number is not a multiple of [`CHUNK_BYTES`], the file ends
    /// with them.
    ///
    /// # Errors
    /// As for [`add`](Import::add).
    pub fn add_zeros(&mut self, bytes: u64) -> Result<(), StoreError> {
        let (begin, zeros) = (self.bytes, vec![0; bytes.min(CHUNK_BYTES.into()) as usize]);
        self.must_fit(zeros.len())?; // zeros are not nothing
        let mut left = bytes;
        while left > 0 {
            let chunk = &zeros[..left.min(CHUNK_BYTES.into()) as usize];
            left -= chunk.len() as u64;
            if matches!(self.target, Target::Tree(_)) {
                self.add(chunk)?;
                continue;
            }
            self.must_fit(chunk.len())?;
            let is_whole = chunk.len() == CHUNK_BYTES as usize;
            self.hash(chunk, if is_whole { ChunkHash::ZEROS } else { ChunkHash::of(chunk) });
        }
        self.file().map_or(Ok(()), |own| own.clear(begin, bytes))
    }

    /// Completes it when all bytes have arrived. A directory gets what has no bytes, and the end of its tar, which follows
    /// from what was received: the sums and the padding.
    ///
    /// # Errors
    /// When bytes of a directory are missing, or the disk refuses.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        if let Target::Tree(tree) = &mut self.target {
            let bytes = tree.finish()?.bytes();
            self.add_end(bytes);
        }
        self.key = Some(self.find_key());
        Ok(())
    }

    /// Hashes the end of a directory's tar, which has `end` bytes.
    fn add_end(&mut self, end: u64) {
        let short = std::mem::take(&mut self.short);
        self.bytes -= short.len() as u64;
        while self.bytes < end {
            let mut chunk = buffers::take((end - self.bytes).min(CHUNK_BYTES.into()) as usize);
            let Some(tree) = self.tree() else { return };
            tree.fill_end(self.bytes, &mut chunk);
            if self.bytes < tree.contents_end() {
                chunk[..short.len()].copy_from_slice(&short);
            }
            self.hash(&chunk, ChunkHash::of(&chunk));
        }
    }

    /// Deletes what was made of it: its room is free when this returns. What is only dropped is deleted later. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn delete(self) -> Result<(), StoreError> {
        match &self.target {
            Target::File(_) => Ok(()), // dropping it is enough
            Target::Tree(tree) => {
                tree.form().settle()?; // another directory may lie in it
                tree.form().disk().remove_all(tree.path())
            }
        }
    }

    /// The swarm of what is complete. Takes no time after [`finish`](Import::finish).
    pub fn key(&self) -> SwarmKey {
        self.key.unwrap_or_else(|| self.find_key())
    }

    fn find_key(&self) -> SwarmKey {
        SwarmKey { resource: self.resource(), digest: ListDigest::of(&self.hashes) }
    }

    fn must_fit(&self, bytes: usize) -> Result<(), StoreError> {
        let in_order = self.bytes.is_multiple_of(u64::from(CHUNK_BYTES));
        let is_chunk = (1..=CHUNK_BYTES as usize).contains(&bytes);
        match is_chunk && in_order && self.hashes.len() < CHUNKS_MAX as usize {
            true => Ok(()),
            false => Err(io::Error::other("it has too many parts, or parts of the wrong size"))
                .at("import", self.path()),
        }
    }

    fn hash(&mut self, chunk: &[u8], hash: ChunkHash) {
        self.whole.update(chunk);
        self.hashes.push(hash);
        self.bytes += chunk.len() as u64;
    }

    /// Where it is made.
    fn path(&self) -> &Path {
        match &self.target {
            Target::File(file) => file.own.path(),
            Target::Tree(tree) => tree.path(),
        }
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were not added as zeros, or were written as zeros into a directory.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// The hashes of what is complete.
    pub fn hashed(&self) -> Hashed {
        Hashed { resource: self.resource(), hashes: self.hashes.clone(), bytes: self.bytes }
    }

    fn resource(&self) -> ResourceId {
        ResourceId(self.whole.clone().finalize().into())
    }
}

impl Drop for ImportedFile {
    fn drop(&mut self) {
        let _ = self.disk.remove(self.own.path()); // a published file was renamed already
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::host::hashing::{hash_file, silent};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_are_hashed_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let mib = u64::from(CHUNK_BYTES);
        for tail in [0, 77, mib] {
            let path = folder.path().join(format!("{tail}.part"));
            let mut import = Import::of_file(&Disk::system(), path.clone()).unwrap();
            import.add_zeros(3 * mib).unwrap();
            import.add(&vec![7; CHUNK_BYTES as usize]).unwrap();
            if tail > 0 {
                import.add_zeros(5 * mib + tail).unwrap();
            }
            assert_eq!(import.data_bytes(), mib);
            let hashed = hash_file(&std::fs::File::open(&path).unwrap(), &silent).unwrap();
            assert_eq!(import.hashed(), hashed);
            let allocated = std::fs::metadata(&path).unwrap().blocks() * 512;
            assert!(allocated <= mib + (64 << 10), "{allocated} bytes are allocated");
        }
    }

    #[test]
    fn zeros_follow_whole_chunks_and_end_a_file_if_they_are_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut import = Import::of_file(&Disk::system(), folder.path().join("x.part")).unwrap();
        assert!(import.add_zeros(0).is_err());
        import.add_zeros((1 << 20) + 1).unwrap();
        assert!(import.add_zeros(1 << 20).is_err());
        assert!(import.add(&[7]).is_err());
    }
}
