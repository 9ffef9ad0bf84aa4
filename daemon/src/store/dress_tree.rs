//! Gives what is in a tree its group, mode and time, and makes its links.

use super::disk::Disk;
use super::group::{SETGID, TreeGroup};
use super::mode::{OWNER_MOVES, mode_of, mode_of_file};
use super::root::Root;
use super::tree_form::TreeIdentities;
use super::{At, FileIdentity, StoreError};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use shared::tree::{Entry, EntryIndex, EntryKind, Listing};
use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// Dresses the entries of one tree.
#[derive(Debug)]
pub(super) struct Dresser<'a> {
    disk: &'a Disk,
    root: &'a Root,
    group: TreeGroup,
}

impl<'a> Dresser<'a> {
    /// For the tree at `root`, in which everything gets `group`.
    pub(super) fn new(disk: &'a Disk, root: &'a Root, group: TreeGroup) -> Dresser<'a> {
        Dresser { disk, root, group }
    }

    /// The tree's top directory.
    pub(super) fn root(&self) -> &'a Root {
        self.root
    }

    /// Dresses a whole tree: files first, then what [`finish`](Dresser::finish) does. `dressed` tells the identity of a file
    /// that had its mode and time already; only its group may be missing. It is not opened if it is still the same.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn dress(
        &self,
        listing: &Listing,
        dressed: impl Fn(EntryIndex) -> Option<FileIdentity>,
    ) -> Result<TreeIdentities, StoreError> {
        let mut identities = TreeIdentities::none(self.root, listing.len())?;
        let mut look = Look { root: self.root, folder: None };
        for index in listing.indices() {
            let entry = listing.entry(index);
            if let EntryKind::File { .. } = entry.kind {
                let known = if self.group.group.is_none() { dressed(index) } else { None };
                let same = known.filter(|known| look.finds(&entry, known));
                let identity = same.map_or_else(|| self.dress_present(&entry), Ok)?;
                identities.set(index, &identity);
            }
        }
        self.finish(listing)?;
        Ok(identities)
    }

    fn dress_present(&self, entry: &Entry<'_>) -> Result<FileIdentity, StoreError> {
        let file = self.open(entry, OFlags::RDONLY | OFlags::NONBLOCK)?;
        self.dress_file(entry, &file)
    }

    /// Dresses an open file whose content is complete.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn dress_file(&self, entry: &Entry<'_>, file: &File) -> Result<FileIdentity, StoreError> {
        self.dress_one(entry, file)?;
        FileIdentity::of(file).at("access", &self.root.join(entry.path.as_str()))
    }

    /// Makes the links, and dresses the directories from the deepest up: a directory may forbid to write in it, and its
    /// time changes when something is made in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn finish(&self, listing: &Listing) -> Result<(), StoreError> {
        for entry in listing.entries() {
            if let EntryKind::Symlink { target } = entry.kind {
                self.disk.make_link(self.root, entry.path.as_str(), target)?;
                if let Some(time) = entry.time {
                    self.disk.set_link_time(self.root, entry.path.as_str(), time)?;
                }
            }
        }
        for entry in listing.entries().rev().filter(Entry::is_directory) {
            let directory = self.open(&entry, OFlags::RDONLY | OFlags::DIRECTORY)?;
            self.dress_one(&entry, &directory)?;
        }
        Ok(())
    }

    fn open(&self, entry: &Entry<'_>, flags: OFlags) -> Result<File, StoreError> {
        let path = entry.path.as_str();
        self.root.open_below(path, flags, Mode::empty()).at("open", &self.root.join(path))
    }

    fn dress_one(&self, entry: &Entry<'_>, file: &File) -> Result<(), StoreError> {
        let place = self.root.join(entry.path.as_str());
        let mut now = file.metadata().at("access", &place)?;
        if let Some(group) = self.group.group.filter(|group| now.gid() != *group) {
            self.disk.set_group(file, &place, group)?;
            now = file.metadata().at("access", &place)?; // this may have cleared its setgid bit
        }
        let mut mode = mode_of(entry, &now);
        if entry.is_directory() && self.group.is_handed_on {
            mode |= SETGID;
        }
        let mode = if entry.path.is_top() { mode | OWNER_MOVES } else { mode };
        self.disk.set_mode(file, &place, mode)?;
        if let Some(time) = entry.time {
            self.disk.set_time(file, &place, time)?;
        }
        Ok(())
    }
}

/// Looks at files in the order of a listing: most are in the same directory as the one before, which stays open.
struct Look<'a> {
    root: &'a Root,
    folder: Option<(String, File)>,
}

impl Look<'_> {
    /// Looks whether a file has this identity and its mode. To write to it or to sync it, its owner may have been allowed
    /// more since it got its mode. No link is followed.
    fn finds(&mut self, entry: &Entry<'_>, identity: &FileIdentity) -> bool {
        let path = entry.path.as_str();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if self.folder.as_ref().is_none_or(|(open, _)| open != folder) {
            let opened = self.root.open_below(folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
            self.folder = opened.ok().map(|opened| (folder.to_owned(), opened));
        }
        let Some((_, folder)) = &self.folder else { return false };
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let bytes = stat.st_size.cast_unsigned();
        let now = FileIdentity::of_parts(stat.st_ino, bytes, stat.st_mtime, stat.st_mtime_nsec as u32);
        let has_mode = stat.st_mode & 0o7777 == mode_of_file(entry);
        has_mode && FileType::from_raw_mode(stat.st_mode).is_file() && identity.is_same(&now)
    }
}
