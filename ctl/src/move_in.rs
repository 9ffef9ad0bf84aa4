//! `share --move`: puts a file into the shared directory without keeping the original. On the same file system it is
//! renamed, if the result is the same as that of a copy. Otherwise it is copied, and the original is deleted when the
//! copy is shared. At each moment one of the two places has the whole file.

use crate::dress::{self, Dress};
use crate::error::{Error, Kind};
use crate::files;
use rustix::fs::{Access, AtFlags, CWD, RenameFlags, access, renameat_with};
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{DaemonInfo, Shared};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file to move.
pub(crate) struct Source<'a> {
    path: &'a Path,
    /// Its metadata when it was opened.
    metadata: &'a Metadata,
}

/// A file that was renamed into the shared directory, and is not shared yet.
pub(crate) struct Renamed<'a> {
    from: &'a Path,
    to: PathBuf,
    file: &'a File,
    before: Dress,
}

impl<'a> Source<'a> {
    /// Refuses a file that could not be deleted from its place, before anything is copied.
    pub(crate) fn new(path: &'a Path, metadata: &'a Metadata) -> Result<Source<'a>, Error> {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink());
        if is_link {
            return Err(Error::refused(format!("{} is a symbolic link", path.display()))
                .hint("with --move, name the file that the link points to"));
        }
        access(files::parent(path), Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
            let message = format!("cannot take {} away from its directory", path.display());
            Error::io(message, &error.into()).hint("leave --move out to share a copy")
        })?;
        Ok(Source { path, metadata })
    }

    /// Renames the file into the shared directory, with the owner, the group and the mode that ttd gives its files.
    /// `None` if that is not possible for any reason, or if the result would differ from a copy. A copy is always
    /// possible.
    ///
    /// # Errors
    /// When somebody put another file under the name meanwhile, and that one cannot be put back. It is not shared.
    pub(crate) fn rename(
        &self,
        file: &'a File,
        name: &ResourceName,
        daemon: &DaemonInfo,
    ) -> Result<Option<Renamed<'a>>, Error> {
        let Some(theirs) = dress::of_daemon(daemon) else { return Ok(None) };
        let is_alone = self.metadata.nlink() == 1 && self.metadata.dev() == daemon.folder_device;
        let before = Dress::of(self.metadata);
        if !is_alone || !dress::may_wear(&before, &theirs) || has_attributes(file) {
            return Ok(None);
        }
        let to = daemon.folder.join(name.as_str());
        if renameat_with(CWD, self.path, CWD, &to, RenameFlags::NOREPLACE).is_err() {
            return Ok(None);
        }
        let renamed = Renamed { from: self.path, to, file, before };
        // Somebody may have put another file under the name after this one was opened. That file is not shared.
        if !is_at(&renamed.to, self.metadata) {
            return match renamed.put_back() {
                Ok(()) => Ok(None),
                Err(error) => Err(renamed.holds_another_file(&error)),
            };
        }
        if theirs.put_on(file).is_err() {
            // A file that cannot be put back stays where it is, and is shared from there.
            return Ok(renamed.take_back().is_err().then_some(renamed));
        }
        Ok(Some(renamed))
    }

    /// Deletes the original after its copy was shared, unless it was changed meanwhile. `sent` is the hash of the
    /// copied bytes.
    pub(crate) fn delete(&self, shared: &Shared, sent: Option<ResourceId>) -> Result<(), Error> {
        let path = self.path.display();
        let kept = |why: String| {
            Error::bad_data(format!("{path} stays where it is: {why}"))
                .hint(format!("{} is shared as it was read; delete {path} yourself", shared.name))
        };
        if sent.is_some_and(|sent| sent != shared.resource) {
            return Err(kept("the shared file differs from the one that was read".to_owned()));
        }
        if !is_unchanged(self.path, self.metadata) {
            return Err(kept("it was changed while it was copied".to_owned()));
        }
        std::fs::remove_file(self.path).map_err(|error| {
            Error::io(format!("{} is shared, but {path} cannot be deleted", shared.name), &error)
        })
    }
}

impl Renamed<'_> {
    /// Moves the file back to where it was if the daemon refused it. After other errors it may be shared anyway, and
    /// stays. The error then says where the file is.
    pub(crate) fn undo_after(&self, error: Error) -> Error {
        let may_be_shared =
            matches!(error.kind, Kind::NoDaemon | Kind::Interrupted | Kind::TimedOut | Kind::Internal);
        let stays = match may_be_shared {
            true => true,
            false => self.take_back().is_err(),
        };
        if !stays {
            return error;
        }
        let (from, to) = (self.from.display(), self.to.display());
        Error { message: format!("{}; {from} was moved to {to} before", error.message), ..error }
            .hint(format!("`ttctl share {to}` shares it from there"))
    }

    fn take_back(&self) -> io::Result<()> {
        self.before.put_on(self.file)?;
        self.put_back()
    }

    fn put_back(&self) -> io::Result<()> {
        Ok(renameat_with(CWD, &self.to, CWD, self.from, RenameFlags::NOREPLACE)?)
    }

    /// The error for a file that is not the one that was opened, and whose own name is in use again.
    fn holds_another_file(&self, error: &io::Error) -> Error {
        let (from, to) = (self.from.display(), self.to.display());
        Error::io(format!("{from} was replaced while it was moved; the other file is at {to} now"), error)
            .hint(format!("move {to} to where it belongs; it is not shared"))
    }
}

/// Whether the file has attributes that a copy would not have: access lists, capabilities, or a user's own. Security
/// labels do not count, because the system labels the copy as well.
fn has_attributes(file: &File) -> bool {
    let mut names = [0_u8; 4096];
    match rustix::fs::flistxattr(file, &mut names[..]) {
        Ok(bytes) => {
            let names = names[..bytes].split(|byte| *byte == 0).filter(|name| !name.is_empty());
            names.into_iter().any(|name| name != b"security.selinux")
        }
        Err(error) => error != rustix::io::Errno::OPNOTSUPP,
    }
}

fn is_at(path: &Path, file: &Metadata) -> bool {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|now| (now.st_dev, now.st_ino) == (file.dev(), file.ino()))
}

fn is_unchanged(path: &Path, before: &Metadata) -> bool {
    let marks = |of: &Metadata| (of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec());
    std::fs::symlink_metadata(path).is_ok_and(|now| marks(&now) == marks(before))
}

#[cfg(test)]
mod tests;
