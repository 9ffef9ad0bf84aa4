//! A file that ttctl sends from elsewhere. It is hashed as it arrives.

use super::disk::{Disk, Open};
use super::{At, OwnFile, StoreError};
use sha2::{Digest, Sha256};
use shared::chunk::{CHUNK_BYTES, CHUNKS_MAX};
use shared::id::{ChunkHash, ResourceId};
use std::io;
use std::path::PathBuf;

/// An import. Its file is removed on drop unless it was published.
#[derive(Debug)]
pub struct Import {
    disk: Disk,
    own: OwnFile,
    whole: Sha256,
    hashes: Vec<ChunkHash>,
    bytes: u64,
    data_bytes: u64,
}

impl Import {
    pub(super) fn create(disk: &Disk, path: PathBuf) -> Result<Import, StoreError> {
        let (own, disk) = (OwnFile::new(disk, disk.open(&path, Open::New)?, path), disk.clone());
        Ok(Import { disk, own, whole: Sha256::new(), hashes: Vec::new(), bytes: 0, data_bytes: 0 })
    }

    /// The file that has the bytes.
    pub(super) fn own(&self) -> &OwnFile {
        &self.own
    }

    /// Adds the next chunk. Every chunk except the last has [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// When a chunk follows a short one, the file grows too large, or the disk refuses.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.must_fit(bytes.len())?;
        self.own.write(self.bytes, bytes)?;
        self.hash(bytes, ChunkHash::of(bytes));
        self.data_bytes += bytes.len() as u64;
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
            self.must_fit(chunk.len())?;
            let is_whole = chunk.len() == CHUNK_BYTES as usize;
            self.hash(chunk, if is_whole { ChunkHash::ZEROS } else { ChunkHash::of(chunk) });
            left -= chunk.len() as u64;
        }
        self.own.clear(begin, bytes)
    }

    fn must_fit(&self, bytes: usize) -> Result<(), StoreError> {
        let in_order = self.bytes.is_multiple_of(u64::from(CHUNK_BYTES));
        let is_chunk = (1..=CHUNK_BYTES as usize).contains(&bytes);
        match is_chunk && in_order && self.hashes.len() < CHUNKS_MAX as usize {
            true => Ok(()),
            false => Err(io::Error::other("it has too many parts, or parts of the wrong size"))
                .at("import", self.own.path()),
        }
    }

    fn hash(&mut self, chunk: &[u8], hash: ChunkHash) {
        self.whole.update(chunk);
        self.hashes.push(hash);
        self.bytes += chunk.len() as u64;
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were not added as zeros.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// The hashes of the complete file.
    pub fn hashes(&self) -> (ResourceId, Vec<ChunkHash>) {
        (ResourceId(self.whole.clone().finalize().into()), self.hashes.clone())
    }
}

impl Drop for Import {
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
            let mut import = Import::create(&Disk::system(), path.clone()).unwrap();
            import.add_zeros(3 * mib).unwrap();
            import.add(&vec![7; CHUNK_BYTES as usize]).unwrap();
            if tail > 0 {
                import.add_zeros(5 * mib + tail).unwrap();
            }
            assert_eq!(import.data_bytes(), mib);
            let hashed = hash_file(&std::fs::File::open(&path).unwrap(), &silent).unwrap();
            assert_eq!(import.hashes(), (hashed.resource, hashed.hashes));
            assert_eq!(import.bytes(), hashed.bytes);
            let allocated = std::fs::metadata(&path).unwrap().blocks() * 512;
            assert!(allocated <= mib + (64 << 10), "{allocated} bytes are allocated");
        }
    }

    #[test]
    fn zeros_follow_whole_chunks_and_end_a_file_if_they_are_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut import = Import::create(&Disk::system(), folder.path().join("x.part")).unwrap();
        assert!(import.add_zeros(0).is_err());
        import.add_zeros((1 << 20) + 1).unwrap();
        assert!(import.add_zeros(1 << 20).is_err());
        assert!(import.add(&[7]).is_err());
    }
}
