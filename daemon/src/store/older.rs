//! What a download keeps of the directory that it will replace: the directory's manifest, listing, sums and identities,
//! beside its own files. The directory's own slot is removed when the download begins, and without these files nobody
//! would know what is in the directory.
//!
//! ```text
//! .tinytorrent/resources/KEY/older/
//!     manifest, sums, identities, listing
//!     found                               only if nobody knew the directory
//! ```
//!
//! They only save fetching: a missing or torn one means that nothing is taken from the directory.

use super::slot::{MANIFEST_BYTES_MAX, manifest_of, sealed_manifest};
use super::{At, Home, PublishedFile, PublishedTree, Slot, StoreError, atomic};
use shared::host::tree::HashedTree;
use shared::manifest::Manifest;
use shared::name::ResourceName;

impl Slot {
    /// The directory in which they are kept: of the form of a slot, without a record.
    pub(super) fn older(&self) -> Slot {
        Slot::new(&self.disk, &self.trash, self.folder.join("older"))
    }

    /// Keeps what is known of a finished tree, which the download of this slot will replace.
    ///
    /// # Errors
    /// When the disk refuses, or the tree's slot lacks a file.
    pub fn keep_older(&self, former: &PublishedFile) -> Result<(), StoreError> {
        let Some(tree) = &former.tree else { return Ok(()) };
        let (older, from) = (self.older(), tree.form());
        self.forget_older()?;
        self.disk.make_folder(&older.folder)?;
        let to = older.tree();
        if from.is_of_unknown() {
            older.mark_unknown()?;
        }
        atomic::write(&self.disk, &older.manifest(), &sealed_manifest(&former.manifest))?;
        // The listing comes last: with it, the others are there.
        for (from, to) in
            [(from.sums(), to.sums()), (from.identities(), to.identities()), (from.listing(), to.listing())]
        {
            self.disk.link(&from, &to)?;
        }
        Ok(())
    }

    /// Keeps what was found in a directory that nobody knows, which the download of this slot will replace. `content` is
    /// the manifest of what is in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_unknown(&self, tree: &HashedTree, content: &Manifest) -> Result<PublishedTree, StoreError> {
        let older = self.older();
        self.forget_older()?;
        self.make_folder()?;
        self.disk.make_folder(&older.folder)?;
        older.mark_unknown()?;
        atomic::write(&self.disk, &older.manifest(), &sealed_manifest(content))?;
        older.tree().keep(tree)?;
        Ok(PublishedTree::new(older.tree()))
    }

    /// Removes what was kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn forget_older(&self) -> Result<(), StoreError> {
        let older = self.older().folder;
        if older.exists() { self.disk.remove_folder(&older) } else { Ok(()) }
    }

    /// The tree that the download of this slot will replace under a name, if it is still there and is the one that was
    /// kept.
    pub fn older_tree(&self, home: &Home, name: &ResourceName) -> Option<PublishedFile> {
        let (older, path) = (self.older(), home.tree(name)?);
        let form = older.tree();
        if !form.exists() {
            return None;
        }
        let sealed = self.disk.read(&older.manifest(), MANIFEST_BYTES_MAX).at("read", &older.manifest());
        let manifest = sealed.and_then(|sealed| manifest_of(&sealed).at("read", &older.manifest())).ok()?;
        let identity = form.identity_at(&path)?;
        Some(PublishedFile { manifest, path, identity, tree: Some(PublishedTree::new(form)) })
    }

    /// What [`keep_older`](Slot::keep_older) keeps of a tree, instead of what its own slot has.
    pub fn instead_of(&self, former: PublishedFile) -> PublishedFile {
        let tree = former.tree.map(|_| PublishedTree::new(self.older().tree()));
        PublishedFile { tree, ..former }
    }
}
