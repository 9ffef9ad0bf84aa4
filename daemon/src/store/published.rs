//! A finished file or tree under its name, from which chunks are served.

use super::layout::{Layout, Place};
use super::{FileIdentity, OpenTree, PublishedTree, StoreError, open_regular};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::manifest::Manifest;
use shared::plain::io_error;
use shared::rpc::wire::buffers;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A finished file or tree under its name. It is served only while it is what was hashed. It is opened only to read a
/// chunk, since a daemon may have many thousands of files.
#[derive(Debug)]
pub struct PublishedFile {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its path.
    pub path: PathBuf,
    /// The identity of the file that was hashed; of a tree, that of the whole (see [`PublishedTree::identity_at`]).
    pub identity: FileIdentity,
    /// What its slot says of its files, if it is a tree.
    pub tree: Option<PublishedTree>,
}

impl PublishedFile {
    /// Finds a finished file that can be served, if it has this identity. Accesses the disk.
    ///
    /// # Errors
    /// Why it cannot be served, as text for users.
    pub fn find(
        manifest: &Manifest,
        path: &Path,
        identity: FileIdentity,
        tree: Option<PublishedTree>,
    ) -> Result<PublishedFile, String> {
        let now = identity_at(path, identity.bytes, tree.is_some())
            .map_err(|error| format!("cannot access {}: {}", path.display(), io_error(&error)))?;
        if !identity.is_same(&now) {
            return Err(format!("{} has changed since it was hashed", path.display()));
        }
        let count = manifest.count();
        let above = count.last().map_or(0, |last| last.offset() + 1);
        if !(above..=count.bytes_max()).contains(&identity.bytes) {
            return Err(format!("the size of {} does not match its manifest", path.display()));
        }
        Ok(PublishedFile { manifest: manifest.clone(), path: path.to_owned(), identity, tree })
    }

    /// Whether the file under the name is still the one that was hashed. Of a tree only the top directory is looked at;
    /// its files are when chunks of them are read.
    pub fn is_unchanged(&self) -> bool {
        identity_at(&self.path, self.identity.bytes, self.tree.is_some())
            .is_ok_and(|now| self.identity.is_same(&now))
    }

    /// The open file, if it is still the one that was hashed.
    pub(super) fn open(&self) -> Option<File> {
        let file = open_regular(&self.path).ok()?;
        let now = FileIdentity::of(&file).ok()?;
        self.identity.is_same(&now).then_some(file)
    }

    /// Opens it as a tree, so that it can be read although its name is given to another one meanwhile. `None` if it is no
    /// tree.
    ///
    /// # Errors
    /// When it is not there, or what is known of it cannot be read.
    pub fn open_tree(&self) -> Result<Option<OpenTree>, StoreError> {
        self.tree.as_ref().map(|tree| tree.open(&self.path)).transpose()
    }

    /// Reads a chunk; `None` if the file has changed. Blocks.
    pub fn read(&self, index: ChunkIndex) -> Option<BytesMut> {
        let rest = self.identity.bytes.checked_sub(index.offset())?;
        let mut bytes = buffers::take(rest.min(u64::from(CHUNK_BYTES)) as usize);
        match &self.tree {
            Some(tree) => tree.read(&self.path, index.offset(), &mut bytes)?,
            None => {
                let file = self.open()?;
                let read = |place, part: &mut [u8]| match place {
                    Place::File { offset, .. } => file.read_exact_at(part, offset),
                    Place::Sums(_) => Ok(()), // a plain file has none
                };
                Layout::File.read(index.offset(), &mut bytes, read).ok()?;
            }
        }
        Some(bytes)
    }
}

/// The identity of what is at a path now.
fn identity_at(path: &Path, bytes: u64, is_tree: bool) -> io::Result<FileIdentity> {
    if is_tree { PublishedTree::identity_at(path, bytes) } else { FileIdentity::at(path) }
}
