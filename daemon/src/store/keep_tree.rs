//! Takes a directory that lies in the shared directory as it is: its chunks are served from its files.

use super::tree_form::{TreeForm, TreeIdentities};
use super::{At, FileIdentity, Slot, StoreError};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use shared::host::tree::HashedTree;
use shared::tree::EntryKind;
use std::io;
use std::path::Path;

/// Opens a directory. A symbolic link to one is refused.
///
/// # Errors
/// When there is none.
pub fn open_directory(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    opened.map_err(io::Error::from).at("open", path)
}

impl Slot {
    /// Notes the listing, the sums and the identities of a directory that was hashed. The slot may have no record yet;
    /// without one it is removed at the next start.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_tree(&self, tree: &HashedTree) -> Result<(), StoreError> {
        self.make_folder()?;
        self.tree().keep(tree)
    }

    /// Removes what [`keep_tree`](Slot::keep_tree) noted in a slot that has no record.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_tree(&self) -> Result<(), StoreError> {
        self.tree().remove()?;
        self.disk.remove_folder(&self.folder)
    }

    /// The same, unless the slot has a record: then the same directory is here already, and what was noted of it is right.
    pub(super) fn forget_tree_without_record(&self) {
        if !self.record().exists()
            && let Err(error) = self.forget_tree()
        {
            tracing::warn!(%error, "cannot remove what was noted of a directory"); // the next start does
        }
    }
}

impl TreeForm {
    /// Notes the listing, the sums and the identities of a directory that was hashed.
    pub(super) fn keep(&self, tree: &HashedTree) -> Result<(), StoreError> {
        let (layout, seen) = (&tree.walked.layout, &tree.walked.seen);
        let listing = layout.listing();
        let mut identities = TreeIdentities::new(seen[0].inode, listing.len());
        for (index, seen) in listing.indices().zip(seen) {
            if let EntryKind::File { bytes } = listing.entry(index).kind {
                let identity = FileIdentity::of_parts(seen.inode, bytes, seen.modified_s, seen.modified_ns);
                identities.set(index, &identity);
            }
        }
        self.write_sums(&tree.sums.to_bytes(layout))?;
        self.write_identities(&identities)?;
        // With the listing it counts as a tree.
        self.write_listing(listing)
    }
}
