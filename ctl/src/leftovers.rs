//! What a copy is made in, beside its target, until it is complete. While it is made it is locked; what a killed ttctl
//! left there is not, and the next one that writes into the same directory removes it.

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// What the names begin with of files and directories that are not complete yet.
pub(crate) const PREFIX: &str = ".tinytorrent-";
/// What the name of such a file ends in.
pub(crate) const FILE_SUFFIX: &str = ".part";
/// What the name of such a directory ends in.
pub(crate) const DIRECTORY_SUFFIX: &str = ".parts";

/// The name of the file that shows that a directory is one of ours. Somebody else who may write to the directory above it
/// could give our names to other directories of this user.
const MARK: &str = "made-by-ttctl";

/// Marks a directory as one that may be removed if it is left.
pub(crate) fn mark(directory: &Path) -> io::Result<()> {
    File::create_new(directory.join(MARK)).map(drop)
}

/// Locks what was just made at a path. Returns whether it is still there: until it was locked, somebody else may have
/// taken it for a leftover.
pub(crate) fn lock(made: &File, path: &Path) -> bool {
    // Where nothing can be locked, nothing is removed as a leftover either.
    let _ = flock(made, FlockOperation::NonBlockingLockExclusive);
    let place = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (made.metadata().map(place), fs::symlink_metadata(path).map(place)) {
        (Ok(made), Ok(there)) => made == there,
        _ => false,
    }
}

/// Removes what a killed ttctl of this user has left in a directory. What cannot be removed stays.
pub(crate) fn remove(directory: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let is_directory = name.ends_with(DIRECTORY_SUFFIX);
        let path = entry.path();
        let is_ours = |path: &Path, is_directory: bool| {
            fs::symlink_metadata(path).is_ok_and(|found| {
                found.uid() == user && if is_directory { found.is_dir() } else { found.is_file() }
            })
        };
        let is_marked = !is_directory || is_ours(&path.join(MARK), false);
        let is_ours = is_marked && is_ours(&path, is_directory);
        if !is_ours || !(is_directory || name.ends_with(FILE_SUFFIX)) || !is_left(&path) {
            continue;
        }
        let _ = match is_directory {
            true => remove_directory(&path),
            false => fs::remove_file(&path),
        };
    }
}

/// Whether nobody has locked it.
fn is_left(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(found) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    flock(&found, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Removes a directory with everything in it, also where its modes forbid that.
///
/// # Errors
/// When something in it cannot be removed.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    make_removable(path);
    fs::remove_dir_all(path)
}

/// Lets the owner remove what is in a directory. What cannot be changed is left as it is.
fn make_removable(directory: &Path) {
    let Ok(metadata) = fs::symlink_metadata(directory) else { return };
    if !metadata.is_dir() {
        return;
    }
    let mode = metadata.permissions().mode();
    if mode & 0o700 != 0o700 {
        let _ = fs::set_permissions(directory, Permissions::from_mode(mode | 0o700));
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_locked_or_not_ours_stays_and_a_leftover_goes() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let (working, left) = (at(".tinytorrent-a.parts"), at(".tinytorrent-b.parts"));
        let unmarked = at(".tinytorrent-prod.parts");
        for directory in [&working, &left, &at(".tinytorrent-c"), &at("app.parts"), &unmarked] {
            fs::create_dir_all(directory.join("new/sub")).unwrap();
            fs::write(directory.join("new/sub/file"), "x").unwrap();
            fs::set_permissions(directory.join("new/sub"), Permissions::from_mode(0o555)).unwrap();
            if *directory != unmarked {
                mark(directory).unwrap();
            }
        }
        let locked = File::open(&working).unwrap();
        assert!(lock(&locked, &working));
        fs::write(at(".tinytorrent-d.part"), "x").unwrap();
        fs::write(at("file.part"), "x").unwrap();
        std::os::unix::fs::symlink(at("app.parts"), at(".tinytorrent-e.parts")).unwrap();
        let there = || {
            let mut there: Vec<_> =
                fs::read_dir(home.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
            there.sort();
            there
        };
        remove(home.path());
        let stays = [
            ".tinytorrent-a.parts",
            ".tinytorrent-c",
            ".tinytorrent-e.parts",
            ".tinytorrent-prod.parts",
            "app.parts",
            "file.part",
        ];
        assert_eq!(there(), stays);
        drop(locked);
        remove(home.path());
        assert_eq!(there(), stays[1..]);
        make_removable(home.path());
    }

    #[test]
    fn what_was_removed_before_it_was_locked_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".tinytorrent-a.part");
        let made = File::create(&path).unwrap();
        remove(home.path());
        assert!(!path.exists() && !lock(&made, &path));
    }
}
