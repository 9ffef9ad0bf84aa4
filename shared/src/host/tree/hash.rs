//! Hashes a directory as a tree: each file, each chunk and the whole, while every file is read once.

use super::error::TreeError;
use super::notes::Noted;
use super::open::TreeFiles;
use super::walk::{Walked, walk};
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::host::hashing::{self, Body, Hashed};
use crate::id::ResourceId;
use crate::tree::{Entry, EntryIndex, EntryKind, Segment, Sums, TreeLayout, TreeName, TreeOptions};
use rustix::fd::OwnedFd;
use rustix::fs::fgetxattr_query;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A directory that was hashed.
#[derive(Debug)]
pub struct HashedTree {
    /// The hashes of its tar.
    pub hashed: Hashed,
    /// Its entries.
    pub walked: Walked,
    /// The hash of each file.
    pub sums: Sums,
}

/// A callback that is told how many bytes of the tar are done, and how many it has; 0 and 0 while the entries are
/// looked for. It is called from any thread. If it returns `Break`, the work stops.
pub type TreeProgress<'a> = dyn Fn(u64, u64) -> ControlFlow<()> + Sync + 'a;

/// Hashes a directory as a tree. If something changes meanwhile, all is done once more.
///
/// # Errors
/// When the directory cannot be a tree, when it changes again, or when something may not be read.
pub fn hash_tree(
    top: OwnedFd,
    name: &TreeName,
    options: TreeOptions,
    progress: &TreeProgress<'_>,
) -> Result<HashedTree, TreeError> {
    let files = TreeFiles::new(top);
    match hash_once(&files, name, options, progress) {
        Err(TreeError::Changed { .. }) => hash_once(&files, name, options, progress),
        result => result,
    }
}

fn hash_once(
    files: &TreeFiles,
    name: &TreeName,
    options: TreeOptions,
    progress: &TreeProgress<'_>,
) -> Result<HashedTree, TreeError> {
    let walked = walk(files.top(), name.clone(), options, &|_| progress(0, 0))?;
    hash_walked(files, walked, progress)
}

/// Hashes the files of a directory whose entries are known.
pub(super) fn hash_walked(
    files: &TreeFiles,
    mut walked: Walked,
    progress: &TreeProgress<'_>,
) -> Result<HashedTree, TreeError> {
    let body = TreeBody::new(files, &walked);
    let total = walked.layout.bytes();
    let hashed = hashing::hash_body(&body, &|done| progress(done, total)).map_err(TreeError::of_io)?;
    let (sums, capabilities) = body.into_learned();
    walked.notes.capabilities = capabilities;
    Ok(HashedTree { hashed, walked, sums })
}

/// The bytes of a directory's tar, from its files.
///
/// A small file is hashed when the chunk that it is in is read. A file that is in several chunks is hashed when these
/// are followed, in order. So all hashes are known when the sums are needed, which are the last part of the tar.
pub(super) struct TreeBody<'a> {
    files: &'a TreeFiles,
    walked: &'a Walked,
    /// Where the last entry ends; the sums follow.
    contents_end: u64,
    learned: Mutex<Learned>,
    /// The end of the last contents, in the chunk in which the sums begin. It is read when all chunks before it were
    /// followed.
    tail: Mutex<Option<Vec<u8>>>,
}

/// What was learned from the files that were read.
struct Learned {
    sums: Sums,
    /// The hash of the first bytes of the file that is in several chunks.
    hasher: Sha256,
    /// Files with capabilities.
    capabilities: Vec<EntryIndex>,
}

impl<'a> TreeBody<'a> {
    pub(super) fn new(files: &'a TreeFiles, walked: &'a Walked) -> TreeBody<'a> {
        let layout = &walked.layout;
        let mut sums = Sums::unknown(layout);
        let empty = ResourceId::of(b"");
        for index in layout.listing().indices() {
            if layout.listing().entry(index).kind == (EntryKind::File { bytes: 0 }) {
                sums.set(index, empty);
            }
        }
        let learned = Learned { sums, hasher: Sha256::new(), capabilities: Vec::new() };
        TreeBody {
            files,
            walked,
            contents_end: layout.contents_end(),
            learned: Mutex::new(learned),
            tail: Mutex::new(None),
        }
    }

    /// The hash of each file, and the programs that have capabilities, after everything was read.
    pub(super) fn into_learned(self) -> (Sums, Noted) {
        let learned = self.learned.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut noted = Noted::default();
        for index in learned.capabilities {
            noted.add(self.walked.layout.listing().entry(index).path.as_str());
        }
        (learned.sums, noted)
    }

    fn layout(&self) -> &TreeLayout {
        &self.walked.layout
    }

    /// Reads a range of the tar in which no sums are.
    fn read_contents(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TreeError> {
        let (mut hashes, mut capabilities) = (Vec::new(), Vec::new());
        read_contents(self.files, self.walked, offset, buffer, |piece| {
            if piece.loses_capabilities {
                capabilities.push(piece.index);
            }
            if is_whole(&piece.entry, piece.bytes) {
                hashes.push((piece.index, ResourceId::of(piece.bytes)));
            }
        })?;
        let mut learned = self.learned();
        learned.capabilities.extend(capabilities);
        hashes.into_iter().for_each(|(index, hash)| learned.sums.set(index, hash));
        Ok(())
    }

    /// Hashes the pieces of files that are in several chunks.
    fn follow_contents(&self, offset: u64, contents: &[u8]) {
        let mut learned = self.learned();
        for (segment, place) in pieces(self.layout(), offset, contents.len()) {
            let Segment::File { entry: index, offset, bytes } = segment else { continue };
            let entry = self.layout().listing().entry(index);
            if is_whole(&entry, &contents[place.clone()]) {
                continue;
            }
            if offset == 0 {
                learned.hasher = Sha256::new();
            }
            learned.hasher.update(&contents[place]);
            if offset + bytes == entry.content_bytes() {
                let hash = ResourceId(learned.hasher.finalize_reset().into());
                learned.sums.set(index, hash);
            }
        }
    }

    /// Reads a range of the tar that is in the chunk in which the sums begin, or in one after it.
    fn read_end(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TreeError> {
        let start = self.follow_end().offset();
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = match &mut *tail {
            Some(tail) => tail,
            none => {
                let mut bytes = vec![0; (self.contents_end - start) as usize];
                self.read_contents(start, &mut bytes)?;
                self.follow_contents(start, &bytes);
                none.insert(bytes)
            }
        };
        self.layout().fill_synthetic(offset, buffer);
        let contents = offset..self.contents_end.min(offset + buffer.len() as u64);
        if !contents.is_empty() {
            let bytes = &tail[(contents.start - start) as usize..(contents.end - start) as usize];
            buffer[..bytes.len()].copy_from_slice(bytes);
        }
        for (segment, place) in pieces(self.layout(), offset, buffer.len()) {
            if let Segment::Sums { offset, .. } = segment {
                self.learned().sums.fill(self.layout(), offset, &mut buffer[place]);
            }
        }
        Ok(())
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for TreeBody<'_> {
    fn bytes(&self) -> u64 {
        self.layout().bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let is_end = offset >= self.follow_end().offset();
        let read = if is_end { self.read_end(offset, buffer) } else { self.read_contents(offset, buffer) };
        read.map_err(TreeError::into_io)
    }

    /// Each file was looked at when it was read.
    fn must_be_unchanged(&self) -> io::Result<()> {
        Ok(())
    }

    /// The chunk in which the sums' header begins.
    fn follow_end(&self) -> ChunkIndex {
        ChunkIndex((self.contents_end / u64::from(CHUNK_BYTES)) as u32)
    }

    fn follow(&self, chunk: ChunkIndex, bytes: &[u8]) -> io::Result<()> {
        self.follow_contents(chunk.offset(), bytes);
        Ok(())
    }
}

/// A piece of a file that was read.
pub(super) struct Piece<'a> {
    pub index: EntryIndex,
    pub entry: Entry<'a>,
    pub bytes: &'a [u8],
    /// Whether the piece is the beginning of a program that has capabilities, which are not carried.
    pub loses_capabilities: bool,
}

/// Reads a range of the tar in which no sums are, and passes on each piece of a file that is in it.
pub(super) fn read_contents(
    files: &TreeFiles,
    walked: &Walked,
    offset: u64,
    buffer: &mut [u8],
    mut with: impl FnMut(Piece<'_>),
) -> Result<(), TreeError> {
    let layout = &walked.layout;
    layout.fill_synthetic(offset, buffer);
    for (segment, place) in pieces(layout, offset, buffer.len()) {
        let Segment::File { entry: index, offset, .. } = segment else { continue };
        let entry = layout.listing().entry(index);
        let bytes = &mut buffer[place];
        let file = files.read(&entry, &walked.seen[index.slot()], offset, bytes)?;
        let loses_capabilities = offset == 0 && has_capabilities(&entry, &file);
        with(Piece { index, entry, bytes, loses_capabilities });
    }
    Ok(())
}

/// Programs only are asked for their capabilities: nothing else can have an effect by them.
fn has_capabilities(entry: &Entry<'_>, file: &File) -> bool {
    entry.mode & 0o111 != 0 && fgetxattr_query(file, c"security.capability").is_ok()
}

/// The segments of a range of the tar, and the place of each in a buffer for the range.
fn pieces(layout: &TreeLayout, offset: u64, bytes: usize) -> impl Iterator<Item = (Segment, Range<usize>)> {
    let mut end = 0;
    layout.segments(offset..offset + bytes as u64).map(move |segment| {
        let start = end;
        end += segment.bytes() as usize;
        (segment, start..end)
    })
}

/// Whether a piece is all that the file has.
fn is_whole(entry: &Entry<'_>, piece: &[u8]) -> bool {
    entry.content_bytes() == piece.len() as u64
}
