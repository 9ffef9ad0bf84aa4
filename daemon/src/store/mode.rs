//! The modes of a tree's files and directories.

use super::disk::Disk;
use super::group::SETGID;
use super::root::Root;
use super::{At, StoreError};
use shared::tree::Entry;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What its owner may do at least: with less, ttd could not serve what it has fetched.
const OWNER_READS: u32 = 0o400;
const OWNER_ENTERS: u32 = 0o500;

/// What a directory's owner must be allowed to while the directory is moved to another one.
pub(super) const OWNER_MOVES: u32 = 0o700;

/// Lets the owner of a directory move it. Returns its former mode if that had to be changed.
pub(super) fn let_move(disk: &Disk, directory: &Root) -> Result<Option<u32>, StoreError> {
    let mode = directory.directory().metadata().at("access", directory.path())?.mode() & 0o7777;
    if mode & OWNER_MOVES == OWNER_MOVES {
        return Ok(None);
    }
    disk.set_mode(directory.directory(), directory.path(), mode | OWNER_MOVES)?;
    Ok(Some(mode))
}

/// The mode that an entry gets. A directory that hands its group on goes on doing that.
pub(super) fn mode_of(entry: &Entry<'_>, now: &Metadata) -> u32 {
    match entry.is_directory() {
        true => u32::from(entry.mode) | OWNER_ENTERS | (now.mode() & SETGID),
        false => mode_of_file(entry),
    }
}

/// The mode that a file gets.
pub(super) fn mode_of_file(entry: &Entry<'_>) -> u32 {
    u32::from(entry.mode) | OWNER_READS
}

/// Gives a top directory its mode and time, which it can have only after it was moved.
pub(super) fn dress_top(disk: &Disk, top: &Root, entry: &Entry<'_>) -> Result<(), StoreError> {
    let mode = mode_of(entry, &top.directory().metadata().at("access", top.path())?);
    disk.set_mode(top.directory(), top.path(), mode)?;
    if let Some(time) = entry.time {
        disk.set_time(top.directory(), top.path(), time)?;
    }
    disk.sync_file(top.directory(), top.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_can_be_moved_by_its_owner_whatever_its_mode_was() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, former, now) in
            [(0o500, Some(0o500), 0o700), (0o750, None, 0o750), (0o2055, Some(0o2055), 0o2755)]
        {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let root = Root::open(folder.path()).unwrap();
            assert_eq!(let_move(&Disk::system(), &root).unwrap(), former, "{mode:o}");
            assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, now, "{mode:o}");
        }
    }
}
