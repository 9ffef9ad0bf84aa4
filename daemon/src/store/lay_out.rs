//! Finds out whether a download is a tree, and then lays it out: from then on its chunks are written into the tree's
//! files, and the chunks that came before the listing are moved there.
//!
//! Nobody waits meanwhile. A chunk that arrives is written to the part file until the tree is there, and to the tree from
//! then on; a chunk is read from the part file until it is in the tree. After a crash whatever is still in the part file
//! is moved again, and counts only where its hash is right.

use super::staging::is_folding;
use super::tree_part::{MOVED_MAX, WRONG_SIZE};
use super::{At, PartFile, Slot, StagingTree, StoreError};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::ChunkHash;
use shared::manifest::Manifest;
use shared::tree::{Listing, PROBE_BYTES, Probe, TreeLayout, probe};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// The number of bytes of the first member's header.
const HEADER_BYTES: u64 = 512;

/// What a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A plain file.
    File,
    /// It is not known yet. It will be when this number of chunks from the beginning is there.
    Needs(u32),
    /// A tree. Its chunks are in its files.
    Tree,
}

/// Why a download is not laid out.
#[derive(Debug, thiserror::Error)]
pub enum LayOutError {
    /// It begins like a tree and cannot be one.
    #[error("{0}")]
    Bad(String),
    /// This symbolic link, whose path begins with the top directory, leads outside, and that is not allowed.
    #[error("the symbolic link {} leads outside of the directory", .0.escape_debug())]
    LinkOutside(String),
    /// The disk refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This chunk was written, and is not what was written.
    #[error("chunk {0} is damaged on the disk")]
    Lost(ChunkIndex),
    /// Nobody wants it any more.
    #[error("the download has ended")]
    Ended,
}

impl LayOutError {
    /// Why something cannot be a tree, if an error of a check says that.
    pub fn bad_in(error: &io::Error) -> Option<String> {
        match error.get_ref()?.downcast_ref()? {
            LayOutError::Bad(why) => Some(why.clone()),
            _ => None,
        }
    }
}

/// Held while a download is laid out. There is one at a time in the process: the disk is busy with one, and a download
/// that begins anew in the same slot waits until its predecessor has noticed its end.
static LAYING_OUT: Mutex<()> = Mutex::new(());

/// Waits until no download is being laid out. Blocks.
pub fn wait_until_laid_out() {
    drop(LAYING_OUT.lock().unwrap_or_else(PoisonError::into_inner));
}

impl PartFile {
    /// Finds out what the download is, from its first `there` chunks, which are all in it. If it is a tree, it is laid
    /// out when this returns. `links_outside` allows symbolic links that lead outside of it. Blocks. May be called again
    /// after an error of the disk.
    ///
    /// # Errors
    /// When it is neither a plain file nor a tree, or the disk refuses.
    pub fn lay_out(
        &self,
        slot: &Slot,
        manifest: &Manifest,
        there: u32,
        links_outside: bool,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Shape, LayOutError> {
        let _one_at_a_time = LAYING_OUT.lock().unwrap_or_else(PoisonError::into_inner);
        let must_be_wanted = || if is_wanted() { Ok(()) } else { Err(LayOutError::Ended) };
        must_be_wanted()?;
        if self.tree().is_none() {
            let layout = match self.find_layout(manifest, there, links_outside)? {
                Found::Layout(layout) => layout,
                Found::Shape(shape) => return Ok(shape),
            };
            // If it fails, chunks in the one file may be lost as well.
            let sync_all = |tree: &StagingTree| {
                self.own().sync_by(self.failed_syncs(), || tree.disk().sync_all(tree.root()))
            };
            let created = slot.tree().create(*layout, is_wanted, &sync_all);
            let created = created.map_err(|error| match is_folding(&error) {
                true => bad(format!(
                    "two of its names are the same on this file system ({})",
                    error.path.display()
                )),
                false => error.into(),
            })?;
            if !self.begin_tree(created.ok_or(LayOutError::Ended)?) {
                return Err(bad(WRONG_SIZE)); // it came while the tree was made
            }
        }
        self.move_chunks(manifest, self.plain_chunks(), is_wanted)?;
        Ok(Shape::Tree)
    }

    /// Moves everything into the tree that a crash left in the part file of a download that was laid out before.
    ///
    /// # Errors
    /// When a chunk is not what the listing says, or the disk refuses.
    pub fn finish_move(&self, manifest: &Manifest, is_wanted: &dyn Fn() -> bool) -> Result<(), LayOutError> {
        let _one_at_a_time = LAYING_OUT.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_half_moved() {
            return Ok(());
        }
        let length = self.plain_length()?;
        let left = manifest.count().indices().take_while(|index| index.offset() < length).collect();
        self.move_chunks(manifest, left, is_wanted)
    }

    /// What the download is, as far as its first `there` chunks say it, which are all in it; `None` if it is a tree that
    /// can be laid out. Takes no time. Blocks.
    ///
    /// # Errors
    /// When it is neither a plain file nor a tree, or the disk refuses.
    pub fn shape(&self, manifest: &Manifest, there: u32) -> Result<Option<Shape>, LayOutError> {
        if self.tree().is_some() {
            return Ok(None);
        }
        Ok(match self.find_listing(manifest, there)? {
            Listed::Shape(shape) => Some(shape),
            Listed::Bytes(_) => None,
        })
    }

    /// Finds out how long the listing is, if it is there.
    fn find_listing(&self, manifest: &Manifest, there: u32) -> Result<Listed, LayOutError> {
        let Some(bytes) = self.bytes_at_most() else { return Ok(Listed::Shape(Shape::Needs(1))) };
        if there == 0 {
            return Ok(Listed::Shape(Shape::Needs(1)));
        }
        let begin = self.read_right(manifest, 0, bytes.min(PROBE_BYTES as u64))?;
        let listing_bytes = match probe(&begin) {
            Probe::NotATree => return Ok(Listed::Shape(Shape::File)),
            Probe::Invalid(why) => return Err(bad(why)),
            Probe::Tree { listing_bytes } => listing_bytes,
        };
        let end = HEADER_BYTES + listing_bytes;
        let needed = end.div_ceil(CHUNK_BYTES.into());
        if needed > manifest.count().get().into() || self.bytes().is_some_and(|bytes| end > bytes) {
            return Err(bad("its listing is longer than the file"));
        }
        let is_there = u64::from(there) >= needed;
        Ok(if is_there { Listed::Bytes(listing_bytes) } else { Listed::Shape(Shape::Needs(needed as u32)) })
    }

    fn find_layout(
        &self,
        manifest: &Manifest,
        there: u32,
        links_outside: bool,
    ) -> Result<Found, LayOutError> {
        let listing_bytes = match self.find_listing(manifest, there)? {
            Listed::Bytes(bytes) => bytes,
            Listed::Shape(shape) => return Ok(Found::Shape(shape)),
        };
        let text = self.read_right(manifest, HEADER_BYTES, listing_bytes)?;
        let listing = Listing::parse(&text).map_err(bad)?;
        drop(text);
        if !links_outside && let Some(index) = listing.indices().find(|index| listing.leads_outside(*index)) {
            let link = format!("{}/{}", listing.name(), listing.entry(index).path);
            return Err(LayOutError::LinkOutside(link));
        }
        let layout = TreeLayout::new(listing).map_err(bad)?;
        // While the last chunk is missing, only their number is known.
        if layout.count() != manifest.count() || self.bytes().is_some_and(|bytes| bytes != layout.bytes()) {
            return Err(bad(WRONG_SIZE));
        }
        Ok(Found::Layout(Box::new(layout)))
    }

    fn move_chunks(
        &self,
        manifest: &Manifest,
        chunks: Vec<ChunkIndex>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), LayOutError> {
        let Some(tree) = self.tree() else { return Ok(()) };
        let length = self.plain_length()?;
        let mut moved = Vec::new();
        for index in chunks {
            if !is_wanted() {
                return Err(LayOutError::Ended);
            }
            if tree.placed.contains(index) || index.offset() >= length {
                continue;
            }
            let bytes = (tree.staging.layout().bytes() - index.offset()).min(CHUNK_BYTES.into());
            if index.offset() + bytes > length {
                continue;
            }
            let chunk = self.read_plain(index.offset(), bytes)?;
            if manifest.hash(index) != Some(&ChunkHash::of(&chunk)) {
                continue; // it was not written completely, or never
            }
            tree.staging.write(index.offset(), &chunk).map_err(|error| match error.is_bad_data() {
                true => bad(error.source),
                false => error.into(),
            })?;
            moved.push(index);
            if moved.len() == MOVED_MAX as usize {
                self.settle(&moved)?;
                moved.clear();
            }
        }
        self.end_move(&moved)?;
        Ok(())
    }

    /// Reads bytes of chunks whose hashes are right. What was written and not synced may be lost by now.
    fn read_right(&self, manifest: &Manifest, offset: u64, bytes: u64) -> Result<Vec<u8>, LayOutError> {
        let (mut right, mut at, end) = (Vec::with_capacity(bytes as usize), offset, offset + bytes);
        while at < end {
            let index = ChunkIndex((at / u64::from(CHUNK_BYTES)) as u32);
            let chunk = self.read(index)?;
            if manifest.hash(index) != Some(&ChunkHash::of(&chunk)) {
                return Err(LayOutError::Lost(index));
            }
            let from = (at - index.offset()) as usize;
            let wanted = chunk.get(from..).unwrap_or_default();
            let wanted = &wanted[..wanted.len().min((end - at) as usize)];
            if wanted.is_empty() {
                return Err(bad("it is shorter than its listing says"));
            }
            right.extend_from_slice(wanted);
            at += wanted.len() as u64;
        }
        Ok(right)
    }

    fn read_plain(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, StoreError> {
        let mut buffer = vec![0; bytes as usize]; // at most the limit of a listing
        self.own().file().read_exact_at(&mut buffer, offset).at("read", self.path())?;
        Ok(buffer)
    }
}

/// What is known of the listing.
enum Listed {
    /// It is there, and has this many bytes.
    Bytes(u64),
    Shape(Shape),
}

enum Found {
    Layout(Box<TreeLayout>),
    Shape(Shape),
}

fn bad(why: impl ToString) -> LayOutError {
    LayOutError::Bad(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::root::Root;
    use crate::store::{Disk, Home, Medium, Open, Step, System};
    use shared::id::ResourceId;
    use shared::tree::{Entry, EntryKind, Sums, TreePath};
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The disk, which looks how much there is of our own files before everything that is written.
    #[derive(Debug, Default)]
    struct Watching {
        folder: Mutex<Option<std::path::PathBuf>>,
        peak: AtomicU64,
    }

    fn allocated(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let bytes = entries.map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => allocated(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        });
        bytes.sum()
    }

    impl Medium for Watching {
        fn open(&self, path: &Path, how: Open) -> io::Result<File> {
            System.open(path, how)
        }

        fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
            System.open_below(root, below, how)
        }

        fn perform(&self, step: Step<'_>) -> io::Result<()> {
            if let (Step::Write { .. }, Some(folder)) = (step, &*self.folder.lock().unwrap()) {
                self.peak.fetch_max(allocated(folder), Ordering::Relaxed);
            }
            System.perform(step)
        }
    }

    /// The tar of a directory with one file of this size.
    fn tar(file_bytes: u64) -> Vec<u8> {
        let kind = EntryKind::File { bytes: file_bytes };
        let entry = |path, kind| Entry { path: TreePath::new(path).unwrap(), mode: 0o755, time: None, kind };
        let entries = [entry("", EntryKind::Directory), entry("file", kind)];
        let layout = TreeLayout::new(Listing::new("app".parse().unwrap(), entries).unwrap()).unwrap();
        let mut tar: Vec<u8> = (0..layout.bytes()).map(|at| (at / 5 % 251) as u8).collect();
        layout.fill_synthetic(0, &mut tar);
        let range = layout.sums_range();
        tar[range.start as usize..range.end as usize]
            .copy_from_slice(&Sums::unknown(&layout).to_bytes(&layout));
        tar
    }

    fn manifest_of(tar: &[u8]) -> Manifest {
        let hashes = tar.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
        let (name, trackers) = ("app.tar".parse().unwrap(), vec!["tt://t".parse().unwrap()]);
        Manifest::new(name, ResourceId::of(tar), trackers, hashes).unwrap()
    }

    #[test]
    fn a_last_chunk_of_the_wrong_length_that_comes_while_the_tree_is_made_is_noticed() {
        let good = tar(3 << 19);
        for tar in [[&good[..], &[0; 512]].concat(), good[..good.len() - 512].to_vec()] {
            let (manifest, folder) = (manifest_of(&tar), tempfile::tempdir().unwrap());
            let slot = Home::open(folder.path()).unwrap().slot(manifest.key());
            slot.make_folder().unwrap();
            let part = slot.open_part(manifest.count()).unwrap();
            part.write(ChunkIndex(0), &tar[..CHUNK_BYTES as usize]).unwrap();
            // It is asked once before the length is looked at, and then while the tree is made.
            let asked = AtomicU64::new(0);
            let is_wanted = || {
                if asked.fetch_add(1, Ordering::Relaxed) == 1 {
                    assert!(part.tree().is_none());
                    part.write(ChunkIndex(1), &tar[CHUNK_BYTES as usize..]).unwrap();
                }
                true
            };
            let laid_out = part.lay_out(&slot, &manifest, 1, false, &is_wanted);
            assert!(matches!(&laid_out, Err(LayOutError::Bad(why)) if why == WRONG_SIZE), "{laid_out:?}");
        }
    }

    #[test]
    fn few_chunks_are_on_the_disk_twice_while_a_download_is_laid_out() {
        let tar = tar(u64::from(4 * MOVED_MAX) << 20);
        let manifest = manifest_of(&tar);
        let (disk, folder) = (Arc::new(Watching::default()), tempfile::tempdir().unwrap());
        let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
        let slot = home.slot(manifest.key());
        slot.make_folder().unwrap();
        let part = slot.open_part(manifest.count()).unwrap();
        for (index, chunk) in manifest.count().indices().zip(tar.chunks(CHUNK_BYTES as usize)) {
            part.write(index, chunk).unwrap();
        }
        *disk.folder.lock().unwrap() = Some(folder.path().to_owned());
        assert_eq!(part.lay_out(&slot, &manifest, 1, false, &|| true).unwrap(), Shape::Tree);
        let peak = disk.peak.load(Ordering::Relaxed);
        let most = tar.len() as u64 + (MOVED_MAX as u64 + 2) * u64::from(CHUNK_BYTES);
        assert!(peak <= most, "{peak} bytes for {}", tar.len());
        for (index, chunk) in manifest.count().indices().zip(tar.chunks(CHUNK_BYTES as usize)) {
            assert!(part.read(index).unwrap()[..] == *chunk, "chunk {index}");
        }
    }
}
