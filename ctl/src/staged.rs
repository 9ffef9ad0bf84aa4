//! A directory that is made beside its target, and takes its place as a whole when it is complete.

use crate::error::Error;
use crate::files::{self, write_error};
use crate::leftovers;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How often another directory is made if somebody else has removed the last one.
const ATTEMPTS_MAX: usize = 8;

/// The directory. If it is dropped before it is published, nothing of it is left.
pub(crate) struct Staged<'a> {
    target: &'a Path,
    /// Both the new directory and the one that it replaced are in it.
    beside: TempDir,
    /// Keeps it locked.
    opened: File,
}

impl<'a> Staged<'a> {
    /// Begins a directory that will be at `target`, and removes what a killed ttctl has left there.
    pub(crate) fn create(target: &'a Path) -> Result<Staged<'a>, Error> {
        let parent = files::parent(target);
        leftovers::remove(parent);
        let failed = |error: io::Error| write_error(target, &error);
        for _ in 0..ATTEMPTS_MAX {
            let beside = tempfile::Builder::new()
                .prefix(leftovers::PREFIX)
                .suffix(leftovers::DIRECTORY_SUFFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)
                .map_err(failed)?;
            let opened = match File::open(beside.path()) {
                Ok(opened) => opened,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if leftovers::lock(&opened, beside.path()) {
                leftovers::mark(beside.path()).map_err(failed)?;
                return Ok(Staged { target, beside, opened });
            }
        }
        Err(Error::internal(format!("somebody else removes what is made beside {}", target.display())))
    }

    /// Where to make it. Nothing is there yet. The path leads through an open descriptor, so it means the same directory
    /// although somebody else may give its name to another one.
    pub(crate) fn new_path(&self) -> PathBuf {
        self.inside("new")
    }

    fn inside(&self, name: &str) -> PathBuf {
        let opened = PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()));
        // Where /proc is not mounted, only the name is left.
        if opened.exists() { opened.join(name) } else { self.beside.path().join(name) }
    }

    /// Syncs it and gives it its name. Its mode may forbid its owner to move it. With `replace` it takes the place of another directory, which is removed; if some
    /// of that cannot be removed, it returns a warning.
    pub(crate) fn publish(self, replace: bool) -> Result<Option<String>, Error> {
        let failed = |error: io::Error| write_error(self.target, &error);
        rustix::fs::syncfs(&self.opened).map_err(|error| failed(error.into()))?;
        self.rename(replace)?;
        File::open(files::parent(self.target)).and_then(|parent| parent.sync_all()).map_err(failed)?;
        let beside = self.beside.path();
        Ok(leftovers::remove_directory(beside)
            .err()
            .map(|error| format!("cannot remove the former directory, now {}: {error}", beside.display())))
    }

    fn rename(&self, replace: bool) -> Result<(), Error> {
        // A directory that its owner may not write to cannot be moved to another parent by it.
        let failed = |error: io::Error| write_error(self.target, &error);
        let new = Movable::new(&self.new_path()).map_err(failed)?;
        let former = if replace { Movable::new(self.target).ok() } else { None };
        let renamed = self.give_name(replace);
        // Of the former one only if it keeps its place.
        let as_before = former.filter(|_| renamed.is_err()).map_or(Ok(()), |former| former.restore());
        renamed.and(as_before.and_then(|()| new.restore()).map_err(failed))
    }

    fn give_name(&self, replace: bool) -> Result<(), Error> {
        let (new, target) = (self.new_path(), self.target);
        let failed = |error: io::Error| write_error(target, &error);
        let is_there = fs::symlink_metadata(target).is_ok();
        if is_there && !replace {
            return Err(files::exists(target));
        }
        let flags = if is_there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match rustix::fs::renameat_with(CWD, &new, CWD, target, flags) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(files::exists(target)),
            // a file system that cannot do this
            Err(Errno::INVAL | Errno::NOSYS) if !is_there => fs::rename(&new, target).map_err(failed),
            Err(Errno::INVAL | Errno::NOSYS) => {
                let former = self.inside("former");
                fs::rename(target, &former).map_err(failed)?;
                fs::rename(&new, target).map_err(|error| {
                    let _ = fs::rename(&former, target); // otherwise the name is lost, and the former one with it
                    failed(error)
                })
            }
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// A directory that its owner may move. Its own mode and time are known.
struct Movable {
    opened: File,
    own: Metadata,
}

impl Movable {
    fn new(path: &Path) -> io::Result<Movable> {
        let opened = File::open(path)?;
        let own = opened.metadata()?;
        let mode = own.permissions().mode();
        if mode & 0o700 != 0o700 {
            opened.set_permissions(Permissions::from_mode(mode | 0o700))?;
        }
        Ok(Movable { opened, own })
    }

    fn restore(&self) -> io::Result<()> {
        self.opened.set_times(FileTimes::new().set_modified(self.own.modified()?))?;
        self.opened.set_permissions(self.own.permissions())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Directories that nobody may write to could not be emptied.
        let _ = leftovers::remove_directory(self.beside.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn make(at: &Path, content: &str) {
        fs::create_dir_all(at.join("sub")).unwrap();
        fs::write(at.join("sub/file"), content).unwrap();
        fs::set_permissions(at.join("sub"), Permissions::from_mode(0o555)).unwrap();
    }

    #[test]
    fn it_has_its_name_at_once_and_replaces_only_if_it_may() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("app");
        for (content, replace, is_published) in
            [("one", false, true), ("two", false, false), ("three", true, true)]
        {
            let staged = Staged::create(&target).unwrap();
            make(&staged.new_path(), content);
            assert_eq!(staged.publish(replace).is_ok(), is_published);
            assert_eq!(names(home.path()), ["app"]);
            assert_eq!(fs::read_to_string(target.join("sub/file")).unwrap() == content, is_published);
        }
        leftovers::remove_directory(&target).unwrap();
    }

    #[test]
    fn nothing_is_left_of_one_that_is_given_up_or_was_killed() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("app");
        let given_up = Staged::create(&target).unwrap();
        make(&given_up.new_path(), "x");
        let other = Staged::create(&target).unwrap(); // does not take the first for a leftover
        assert!(given_up.new_path().exists());
        drop((given_up, other));
        assert!(names(home.path()).is_empty());

        make(&home.path().join(".tinytorrent-killed.parts/new"), "x");
        leftovers::mark(&home.path().join(".tinytorrent-killed.parts")).unwrap();
        drop(Staged::create(&target).unwrap());
        assert!(names(home.path()).is_empty());
    }

    #[test]
    fn a_directory_that_its_owner_may_not_write_to_is_moved_and_replaced() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("app");
        for content in ["one", "two"] {
            let staged = Staged::create(&target).unwrap();
            make(&staged.new_path(), content);
            fs::set_permissions(staged.new_path(), Permissions::from_mode(0o555)).unwrap();
            File::open(staged.new_path()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            // As root nothing is refused, so this shows the modes only.
            staged.publish(true).unwrap();
            let metadata = fs::metadata(&target).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o555);
            assert_eq!(metadata.modified().unwrap(), std::time::UNIX_EPOCH);
            assert_eq!(fs::read_to_string(target.join("sub/file")).unwrap(), content);
        }
        leftovers::remove_directory(&target).unwrap();
    }

    #[test]
    fn what_takes_its_name_is_not_written_to() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("app");
        let staged = Staged::create(&target).unwrap();
        let (name, aside) = (staged.beside.path().to_owned(), home.path().join("aside"));
        fs::rename(&name, &aside).unwrap();
        fs::create_dir(&name).unwrap();
        make(&staged.new_path(), "x");
        assert!(names(&name).is_empty());
        assert!(aside.join("new/sub/file").exists());
        leftovers::remove_directory(&aside).unwrap();
    }
}
