//! What the slot of a tree keeps beside the record: the listing, the sums, and, when the tree has its name, the
//! identity of each of its files.
//!
//! ```text
//! .tinytorrent/resources/KEY/
//!     tree/           the tree, until it has its name; afterwards what it replaced, until that is in the trash
//!     former/         the same, on a file system that cannot exchange two directories
//!     listing         the text of the listing, sealed: it is written when the tree was made
//!     sums            the content of the sums
//!     identities      sealed: the top directory's inode, and 24 bytes for each entry
//! ```

use super::disk::Disk;
use super::have_file::HAVE;
use super::mode::dress_top;
use super::root::Root;
use super::trash::Trash;
use super::{At, FileIdentity, Slot, StagingTree, StoreError, atomic, invalid};
use rustix::fs::{Mode, OFlags};
use shared::tree::{EntryIndex, EntryKind, LISTING_BYTES_MAX, Listing, TreeLayout};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

const LISTING_BEGIN: &str = "tt-listing";
const LISTING_VERSION: u32 = 1;
const IDENTITIES_BEGIN: &str = "tt-identities";
const IDENTITIES_VERSION: u32 = 1;

/// The bytes of one entry's identity: inode, seconds, nanoseconds and 4 bytes that are 0.
const IDENTITY_BYTES: usize = 24;

/// The bytes of the top directory's inode, before the entries' identities.
const TOP_BYTES: usize = 8;

/// Where the files of a slot's tree are.
#[derive(Debug, Clone)]
pub struct TreeForm {
    disk: Disk,
    trash: Trash,
    folder: PathBuf,
}

/// The identities of a finished tree's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeIdentities {
    /// The inode of the top directory.
    pub(super) top: u64,
    /// For each entry of the listing in turn; zeros for what is not a file.
    records: Vec<u8>,
}

impl Slot {
    /// Where the files of its tree are, if it is one.
    pub fn tree(&self) -> TreeForm {
        TreeForm::new(&self.disk, &self.trash, self.folder.clone())
    }
}

impl TreeForm {
    /// The form of a tree that is made in `folder`.
    pub(super) fn new(disk: &Disk, trash: &Trash, folder: PathBuf) -> TreeForm {
        TreeForm { disk: disk.clone(), trash: trash.clone(), folder }
    }

    /// Where the tree is until it has its name.
    pub(super) fn staging(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Where the directory is that a tree replaced on a file system that cannot exchange the two.
    pub(super) fn former(&self) -> PathBuf {
        self.folder.join("former")
    }

    /// Where the sums are.
    pub(super) fn sums(&self) -> PathBuf {
        self.folder.join("sums")
    }

    /// Where the listing is.
    pub(super) fn listing(&self) -> PathBuf {
        self.folder.join("listing")
    }

    /// Where the identities are.
    pub(super) fn identities(&self) -> PathBuf {
        self.folder.join("identities")
    }

    /// Whether the resource of this slot was laid out as a tree.
    pub fn exists(&self) -> bool {
        self.listing().exists()
    }

    /// The medium.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The trash.
    pub(super) fn trash(&self) -> &Trash {
        &self.trash
    }

    /// Removes the directory that all is in: it has lost its name when this returns, and its files are deleted later. Of
    /// what the tree replaced, only what is ours.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn discard(&self) -> Result<(), StoreError> {
        self.settle()?;
        self.trash.take(&self.folder)
    }

    /// Whether the tree may have its name, although it is not known which files it has: it is not where a download
    /// makes it.
    pub fn may_have_name(&self) -> bool {
        !self.staging().exists()
    }

    /// Whether the identities of its files are known, which they are once the tree has its name.
    pub fn has_identities(&self) -> bool {
        self.identities().exists()
    }

    /// Forgets durably which files the tree has: what has its name now counts as nothing that is known.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_identities(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.identities())?;
        self.disk.sync_folder(&self.folder)
    }

    /// The slot's own directory.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the tree of a download; `None` if it is not wanted any more. `sync_all` syncs its file system. The listing is
    /// written last: with it, the tree is complete as far as its directories and the lengths of its files go.
    ///
    /// # Errors
    /// Those of [`StagingTree::create`] and of `sync_all`.
    pub(super) fn create(
        &self,
        layout: TreeLayout,
        is_wanted: &dyn Fn() -> bool,
        sync_all: &dyn Fn(&StagingTree) -> Result<(), StoreError>,
    ) -> Result<Option<StagingTree>, StoreError> {
        let created = self.create_staging(layout, is_wanted)?;
        if let Some(staging) = &created {
            sync_all(staging)?;
            self.disk.sync_folder(&self.folder)?;
            self.write_listing(staging.layout().listing())?;
        }
        Ok(created)
    }

    /// Opens the tree of a download that was laid out before.
    ///
    /// # Errors
    /// When it is missing, torn, or of a later version.
    pub(super) fn open_staging(&self) -> Result<StagingTree, StoreError> {
        let layout = self.load()?;
        if self.has_staging(&layout) {
            return StagingTree::open(&self.disk, &self.staging(), &self.sums(), layout);
        }
        // The tree had its name and is gone. What was in it is not in the new one.
        self.disk.remove(&self.folder.join(HAVE))?;
        let created = self.create_staging(layout, &|| true)?.expect("it is wanted until the end");
        self.disk.sync_all(created.root())?;
        self.disk.sync_folder(&self.folder)?;
        Ok(created)
    }

    /// Whether the tree of the download is in its place. After the switch, what it replaced lies there. The identities
    /// tell the two apart: they are written before the switch, and removed when a tree is made.
    fn has_staging(&self, layout: &TreeLayout) -> bool {
        let Ok(there) = self.staging().symlink_metadata() else { return false };
        let is_it = |identities: TreeIdentities| identities.top == there.ino();
        there.is_dir()
            && self.read_identities(layout.listing().len()).map_or_else(|_| !self.has_identities(), is_it)
    }

    /// Makes an empty tree in the place of whatever lies there. From then on nothing that has the name already counts as
    /// the tree of this slot.
    fn create_staging(
        &self,
        layout: TreeLayout,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Option<StagingTree>, StoreError> {
        self.settle()?;
        if !self.has_staging(&layout) {
            self.hand_over(&self.staging())?;
        }
        self.forget_identities()?;
        self.trash.take(&self.staging())?; // what an earlier attempt left
        must_have_files_left(&self.folder, layout.listing().len())?;
        let created = StagingTree::create(&self.disk, &self.staging(), &self.sums(), layout, is_wanted);
        if created.is_err() {
            let _ = self.trash.take(&self.staging()); // what was made would keep others from making any
        }
        created
    }

    /// Writes the listing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_listing(&self, listing: &Listing) -> Result<(), StoreError> {
        let mut content = format!("{LISTING_BEGIN}{LISTING_VERSION}\n");
        // Tens of megabytes for a large tree, so they are in memory once.
        content.reserve_exact(listing.bytes() as usize + atomic::SEAL_BYTES);
        listing.push_to(&mut content);
        atomic::write(&self.disk, &self.listing(), &atomic::seal_here(content.into_bytes()))?;
        self.disk.sync_folder(&self.folder)
    }

    /// Writes the sums of a tree that is complete.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn write_sums(&self, sums: &[u8]) -> Result<(), StoreError> {
        atomic::write(&self.disk, &self.sums(), sums)
    }

    /// The layout, from the listing.
    ///
    /// # Errors
    /// When the listing is missing, torn, or of a later version.
    pub fn load(&self) -> Result<TreeLayout, StoreError> {
        let path = self.listing();
        let sealed = self.disk.read(&path, LISTING_BYTES_MAX + 4096).at("read", &path)?;
        let listing = unsealed(&sealed, LISTING_BEGIN, LISTING_VERSION).and_then(|text| {
            let listing = Listing::parse(text).map_err(invalid)?;
            TreeLayout::new(listing).map_err(invalid)
        });
        listing.at("read", &path)
    }

    /// Writes the identities of the files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_identities(&self, identities: &TreeIdentities) -> Result<(), StoreError> {
        let mut content = format!("{IDENTITIES_BEGIN}{IDENTITIES_VERSION}\n").into_bytes();
        content.reserve_exact(TOP_BYTES + identities.records.len() + atomic::SEAL_BYTES);
        content.extend_from_slice(&identities.top.to_le_bytes());
        content.extend_from_slice(&identities.records);
        atomic::write(&self.disk, &self.identities(), &atomic::seal_here(content))?;
        self.disk.sync_folder(&self.folder)
    }

    /// Reads the identities of a tree with this many entries.
    ///
    /// # Errors
    /// When they are missing, torn, of another tree, or of a later version.
    pub fn read_identities(&self, entries: usize) -> Result<TreeIdentities, StoreError> {
        let path = self.identities();
        let records_bytes = entries * IDENTITY_BYTES;
        let mut sealed = self.disk.read(&path, records_bytes as u64 + 4096).at("read", &path)?;
        let content = unsealed(&sealed, IDENTITIES_BEGIN, IDENTITIES_VERSION).and_then(|content| {
            let (top, records) = content.split_first_chunk().ok_or_else(|| invalid("it is too short"))?;
            match records.len() == records_bytes {
                true => Ok((u64::from_le_bytes(*top), sealed.len() - records.len() - atomic::SEAL_BYTES)),
                false => Err(invalid("it belongs to another directory")),
            }
        });
        let (top, before) = content.at("read", &path)?;
        // They have 24 MB for a million entries, and are in memory once.
        sealed.drain(..before);
        sealed.truncate(records_bytes);
        Ok(TreeIdentities { top, records: sealed })
    }

    /// Opens the listing and the identities, to read them part by part. Their checksums are not compared.
    ///
    /// # Errors
    /// When one is missing.
    pub(super) fn open(&self) -> Result<(File, File), StoreError> {
        let open = |path: PathBuf| File::open(&path).at("open", &path);
        Ok((open(self.listing())?, open(self.identities())?))
    }

    /// The identity of a file of this many bytes, from the file of identities.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn identity_in(
        &self,
        identities: &File,
        entry: EntryIndex,
        bytes: u64,
    ) -> Result<FileIdentity, StoreError> {
        let mut record = [0; IDENTITY_BYTES];
        let head = IDENTITIES_BEGIN.len() + IDENTITIES_VERSION.to_string().len() + 1 + TOP_BYTES;
        let offset = (head + entry.slot() * IDENTITY_BYTES) as u64;
        identities.read_exact_at(&mut record, offset).at("read", &self.identities())?;
        Ok(identity_of(&record, bytes))
    }

    /// The identity of the tree at a path, if it is this one: it got its name, and a crash prevented that this was
    /// recorded. Its top directory gets its mode, which it can have only after that.
    pub fn published_at(&self, path: &Path) -> Option<FileIdentity> {
        let (layout, top, identity) = self.find_at(path)?;
        let known = self.read_identities(layout.listing().len()).ok()?;
        if TreeIdentities::now(&top, &layout).ok()? != known {
            return None; // one that was edited, and that is made anew in this slot
        }
        if let Err(error) = dress_top(&self.disk, &top, &layout.listing().entry(EntryIndex::TOP)) {
            tracing::warn!(%error, "cannot set the permissions of a directory");
        }
        Some(identity)
    }

    /// The identity of the tree at a path, if it is this one.
    pub(super) fn identity_at(&self, path: &Path) -> Option<FileIdentity> {
        self.find_at(path).map(|(_, _, identity)| identity)
    }

    fn find_at(&self, path: &Path) -> Option<(TreeLayout, Root, FileIdentity)> {
        let layout = self.load().ok()?;
        let identities = self.read_identities(layout.listing().len()).ok()?;
        let top = Root::open(path).ok()?;
        let metadata = top.directory().metadata().ok()?;
        let identity = FileIdentity::of_tree(&metadata, layout.bytes());
        (metadata.ino() == identities.top).then_some((layout, top, identity))
    }

    /// Handles a crash between the two renames of a switch without an exchange: nothing has the name, and the directory
    /// that had it lies in the slot. It gets its name back.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn move_former_back(&self, path: &Path) -> Result<(), StoreError> {
        let former = self.former();
        if former.symlink_metadata().is_err() || path.symlink_metadata().is_ok() {
            return Ok(());
        }
        self.disk.rename(&former, path).at("move back", path)
    }

    /// Removes everything of a tree: the resource turned out to be a plain file, or none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self) -> Result<(), StoreError> {
        self.tidy()?;
        self.disk.remove(&self.listing())?;
        self.disk.remove(&self.identities())?;
        self.disk.remove(&self.sums())
    }

    /// Whether something of the tree is here that only an unfinished download needs, or that it replaced.
    pub(super) fn is_untidy(&self) -> bool {
        self.has_leaving()
            || [self.staging(), self.former()].iter().any(|path| path.symlink_metadata().is_ok())
    }

    /// Removes it: it has lost its name when this returns, and its files are deleted later. Of what the tree replaced, only
    /// what is ours.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        self.settle()?;
        self.trash.take(&self.staging())
    }
}

impl TreeIdentities {
    /// The identities of a tree's files as they are now; none for a file that is missing or has another size.
    ///
    /// # Errors
    /// When the top directory or a file cannot be accessed.
    pub(super) fn now(root: &Root, layout: &TreeLayout) -> io::Result<TreeIdentities> {
        let listing = layout.listing();
        let mut identities = TreeIdentities::new(root.directory().metadata()?.ino(), listing.len());
        for index in listing.indices() {
            let entry = listing.entry(index);
            if !matches!(entry.kind, EntryKind::File { .. }) {
                continue;
            }
            if let Ok(file) = root.open_below(entry.path.as_str(), OFlags::PATH, Mode::empty()) {
                let metadata = file.metadata()?;
                if metadata.is_file() && metadata.len() == entry.content_bytes() {
                    identities.set(index, &FileIdentity::of_metadata(&metadata));
                }
            }
        }
        Ok(identities)
    }

    /// No identities yet, for a tree with this many entries and this top directory.
    pub(super) fn new(top: u64, entries: usize) -> TreeIdentities {
        TreeIdentities { top, records: vec![0; entries * IDENTITY_BYTES] }
    }

    /// No identities yet, for the tree at `root` with this many entries.
    ///
    /// # Errors
    /// When its top directory cannot be accessed.
    pub(super) fn none(root: &Root, entries: usize) -> Result<TreeIdentities, StoreError> {
        let top = root.directory().metadata().at("access", root.path())?.ino();
        Ok(TreeIdentities::new(top, entries))
    }

    /// Notes a file.
    pub(super) fn set(&mut self, entry: EntryIndex, identity: &FileIdentity) {
        let (inode, seconds, nanoseconds) = identity.parts();
        let record = &mut self.records[entry.slot() * IDENTITY_BYTES..][..IDENTITY_BYTES];
        record[..8].copy_from_slice(&inode.to_le_bytes());
        record[8..16].copy_from_slice(&seconds.to_le_bytes());
        record[16..20].copy_from_slice(&nanoseconds.to_le_bytes());
    }

    /// The identity of a file of this many bytes.
    pub(super) fn of(&self, entry: EntryIndex, bytes: u64) -> FileIdentity {
        identity_of(self.record(entry), bytes)
    }

    /// Whether a file is there.
    pub(super) fn has(&self, entry: EntryIndex) -> bool {
        self.record(entry).iter().any(|byte| *byte != 0)
    }

    /// Whether an entry is the same in both.
    pub(super) fn agrees(&self, other: &TreeIdentities, entry: EntryIndex) -> bool {
        self.record(entry) == other.record(entry)
    }

    /// Takes an entry from another one.
    pub(super) fn take(&mut self, other: &TreeIdentities, entry: EntryIndex) {
        let range = entry.slot() * IDENTITY_BYTES..(entry.slot() + 1) * IDENTITY_BYTES;
        self.records[range].copy_from_slice(other.record(entry));
    }

    fn record(&self, entry: EntryIndex) -> &[u8] {
        &self.records[entry.slot() * IDENTITY_BYTES..][..IDENTITY_BYTES]
    }
}

/// What a record of an identity says of a file of this many bytes.
fn identity_of(record: &[u8], bytes: u64) -> FileIdentity {
    let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("8 bytes were taken"));
    FileIdentity::of_parts(word(0), bytes, word(8).cast_signed(), word(16) as u32)
}

/// The files and directories that must still be possible when a tree was made: for the records of ttd, and for others.
const FILES_LEFT_MIN: u64 = 1000;

/// Checks that the file system of a directory can have as many further files and directories as a tree needs.
///
/// # Errors
/// Of kind [`io::ErrorKind::StorageFull`] if it cannot.
pub(super) fn must_have_files_left(folder: &Path, entries: usize) -> Result<(), StoreError> {
    let stat = rustix::fs::statvfs(folder).at("get the free space of", folder)?;
    must_fit(entries as u64, stat.f_files, stat.f_favail).at("make a directory in", folder)
}

/// `total` and `left` are the numbers of files that the file system can have at all, and still; both are 0 where it knows
/// no such limit.
fn must_fit(entries: u64, total: u64, left: u64) -> io::Result<()> {
    if total == 0 || entries.saturating_add(FILES_LEFT_MIN) <= left {
        return Ok(());
    }
    let why = format!(
        "it has {entries} files and directories, and the file system can have only {left} more (`df -i`)"
    );
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// The content of one of these files.
fn unsealed<'a>(sealed: &'a [u8], begin: &str, version: u32) -> io::Result<&'a [u8]> {
    atomic::refuse_later(sealed, begin, version)?;
    let line = format!("{begin}{version}\n");
    let content = atomic::unseal(sealed)?.strip_prefix(line.as_bytes());
    content.ok_or_else(|| invalid("it is not what its name says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_not_begun_where_it_has_more_files_than_there_can_be() {
        let is_full = |entries, total, left| {
            must_fit(entries, total, left).is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
        };
        assert!(!is_full(5_000, 1 << 20, 600_000));
        assert!(is_full(1_000_000, 1 << 20, 600_000));
        assert!(is_full(599_500, 1 << 20, 600_000), "some are left for others");
        assert!(!is_full(1_000_000, 0, 0), "a file system without such a limit");
        must_have_files_left(tempfile::tempdir().unwrap().path(), 5).unwrap();
    }
}
