//! A finished file under its name, from which chunks are served.

use super::{FileIdentity, open_regular};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::manifest::Manifest;
use shared::plain::io_error;
use shared::rpc::wire::buffers;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A finished file under its name. It is served only while it is the file that was hashed. It is opened only to read a
/// chunk, since a daemon may have many thousands of files.
#[derive(Debug)]
pub struct PublishedFile {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its path.
    pub path: PathBuf,
    /// The identity of the file that was hashed.
    pub identity: FileIdentity,
}

impl PublishedFile {
    /// Finds a finished file that can be served, if it has this identity. Accesses the disk.
    ///
    /// # Errors
    /// Why it cannot be served, as text for users.
    pub fn find(manifest: &Manifest, path: &Path, identity: FileIdentity) -> Result<PublishedFile, String> {
        let now = FileIdentity::at(path)
            .map_err(|error| format!("cannot access {}: {}", path.display(), io_error(&error)))?;
        if !identity.is_same(&now) {
            return Err(format!("{} has changed since it was hashed", path.display()));
        }
        let count = manifest.count();
        let above = count.last().map_or(0, |last| last.offset() + 1);
        if !(above..=count.bytes_max()).contains(&identity.bytes) {
            return Err(format!("the size of {} does not match its manifest", path.display()));
        }
        Ok(PublishedFile { manifest: manifest.clone(), path: path.to_owned(), identity })
    }

    /// Whether the file under the name is still the one that was hashed.
    pub fn is_unchanged(&self) -> bool {
        FileIdentity::at(&self.path).is_ok_and(|now| self.identity.is_same(&now))
    }

    fn open(&self) -> Option<File> {
        let file = open_regular(&self.path).ok()?;
        let now = FileIdentity::of(&file).ok()?;
        self.identity.is_same(&now).then_some(file)
    }

    /// Reads a chunk; `None` if the file has changed. Blocks.
    pub fn read(&self, index: ChunkIndex) -> Option<BytesMut> {
        let file = self.open()?;
        let rest = self.identity.bytes.checked_sub(index.offset())?;
        let mut bytes = buffers::take(rest.min(u64::from(CHUNK_BYTES)) as usize);
        file.read_exact_at(&mut bytes, index.offset()).ok()?;
        Some(bytes)
    }
}
