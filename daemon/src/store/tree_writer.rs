//! Writes the files of a tree in the order of its tar: each of them is made, written, hashed and dressed once. This is for
//! who has the bytes in order; a download has not, and writes into a [`StagingTree`](super::StagingTree).

use super::disk::{Disk, Open};
use super::dress_tree::Dresser;
use super::group::TreeGroup;
use super::layout::{Layout, Place};
use super::root::Root;
use super::tree_form::TreeIdentities;
use super::{At, StoreError, invalid};
use sha2::{Digest, Sha256};
use shared::id::ResourceId;
use shared::tree::{Entry, EntryIndex, EntryKind, Sums, TreeLayout};
use shared::zeros::{self, Part};
use std::fs::File;
use std::path::Path;

/// A tree that is being written.
#[derive(Debug)]
pub(super) struct TreeWriter {
    disk: Disk,
    root: Root,
    layout: TreeLayout,
    group: TreeGroup,
    /// The byte of the tar that comes next.
    next: u64,
    learned: Learned,
    is_finished: bool,
}

/// What is known of the files that were written.
#[derive(Debug)]
struct Learned {
    sums: Sums,
    identities: TreeIdentities,
    /// The file of which some bytes were written.
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    file: File,
    /// The hash of the bytes so far.
    hasher: Sha256,
}

impl TreeWriter {
    /// Makes the directories of a tree at `path`, where nothing is. Everything in it gets `group`.
    ///
    /// # Errors
    /// When the disk refuses. An error of kind [`io::ErrorKind::AlreadyExists`] means that the file system takes two
    /// names of the tree for the same.
    pub(super) fn create(
        disk: &Disk,
        path: &Path,
        layout: TreeLayout,
        group: TreeGroup,
    ) -> Result<TreeWriter, StoreError> {
        disk.make_folder(path)?;
        let root = Root::open(path).at("open", path)?;
        for entry in layout.listing().entries().skip(1).filter(Entry::is_directory) {
            disk.make_folder_below(&root, entry.path.as_str())?;
        }
        let identities = TreeIdentities::none(&root, layout.listing().len())?;
        let learned = Learned { sums: Sums::unknown(&layout), identities, begun: None };
        Ok(TreeWriter { disk: disk.clone(), root, layout, group, next: 0, learned, is_finished: false })
    }

    /// Its layout.
    pub(super) fn layout(&self) -> &TreeLayout {
        &self.layout
    }

    /// Whether everything is made.
    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Its top directory.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The hash of each file. They are known when it is finished.
    pub(super) fn sums(&self) -> &Sums {
        &self.learned.sums
    }

    /// The identity of each file. They are known when it is finished.
    pub(super) fn identities(&self) -> &TreeIdentities {
        &self.learned.identities
    }

    /// Writes the next bytes of the tar. They end before the sums at the latest.
    ///
    /// # Errors
    /// When the disk refuses. An error of kind [`io::ErrorKind::InvalidData`] means that bytes of a header, the listing or
    /// the padding are not those of the layout, or that there are more bytes than the entries have.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let TreeWriter { disk, root, layout, group, next, learned, .. } = self;
        if *next + bytes.len() as u64 > layout.contents_end() {
            return Err(invalid("it is longer than its listing says")).at("import", root.path());
        }
        let dresser = Dresser::new(disk, root, *group);
        let is_right = Layout::Tree(layout).write(*next, bytes, |place, part| {
            let Place::File { entry: index, offset } = place else { return Ok(()) }; // there are no sums so far
            let entry = layout.listing().entry(index);
            learned.write(disk, &dresser, index, &entry, offset, part)
        })?;
        *next += bytes.len() as u64;
        let wrong = || Err(invalid("it differs from what its listing says"));
        if is_right { Ok(()) } else { wrong().at("import", root.path()) }
    }

    /// Makes what has no bytes: empty files and links; then dresses the directories. Nothing is durable before the file
    /// system is synced.
    ///
    /// # Errors
    /// When bytes are missing, or the disk refuses.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        let TreeWriter { disk, root, layout, group, next, learned, is_finished } = self;
        if *next != layout.contents_end() {
            return Err(invalid("it is shorter than its listing says")).at("import", root.path());
        }
        let dresser = Dresser::new(disk, root, *group);
        for index in layout.listing().indices() {
            let entry = layout.listing().entry(index);
            match entry.kind {
                EntryKind::File { bytes: 0 } => learned.write(disk, &dresser, index, &entry, 0, &[])?,
                EntryKind::Symlink { target } => disk.make_new_link(root, entry.path.as_str(), target)?,
                EntryKind::File { .. } | EntryKind::Directory => {}
            }
        }
        dresser.finish(layout.listing())?;
        *is_finished = true;
        Ok(())
    }
}

impl Learned {
    /// Writes a piece of a file, which is the first one or follows the piece before.
    fn write(
        &mut self,
        disk: &Disk,
        dresser: &Dresser<'_>,
        index: EntryIndex,
        entry: &Entry<'_>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let root = dresser.root();
        let is_last = offset + bytes.len() as u64 == entry.content_bytes();
        let Begun { file, mut hasher } = match self.begun.take().filter(|_| offset > 0) {
            Some(begun) => begun,
            None => {
                let file = disk.open_below(root, entry.path.as_str(), Open::New)?;
                Begun { file, hasher: Sha256::new() }
            }
        };
        let ends_in_hole = write_parts(disk, root, entry, &file, offset, bytes)?;
        hasher.update(bytes);
        if !is_last {
            self.begun = Some(Begun { file, hasher });
            return Ok(());
        }
        if ends_in_hole {
            disk.set_length(&file, &root.join(entry.path.as_str()), entry.content_bytes())?;
        }
        self.identities.set(index, &dresser.dress_file(entry, &file)?);
        self.sums.set(index, ResourceId(hasher.finalize().into()));
        Ok(())
    }
}

/// Writes bytes to a new file; long runs of zeros are left out. Returns whether the last bytes were.
fn write_parts(
    disk: &Disk,
    root: &Root,
    entry: &Entry<'_>,
    file: &File,
    offset: u64,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    let path = root.join(entry.path.as_str());
    let mut ends_in_hole = false;
    for part in zeros::parts(bytes) {
        ends_in_hole = matches!(part, Part::Zeros(_));
        if let Part::Data(range) = part {
            disk.write(file, &path, offset + range.start as u64, &bytes[range])?;
        }
    }
    Ok(ends_in_hole)
}
