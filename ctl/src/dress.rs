//! The owner, the group and the mode of files in the shared directory: files that ttctl puts there get the same as
//! files that ttd puts there.

use rustix::fs::{Gid, Mode, Uid};
use shared::rpc::control::DaemonInfo;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// An owner, a group and a mode; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dress {
    owner: Option<u32>,
    group: Option<u32>,
    mode: u32,
}

/// The owner, group and mode of the daemon's files, as far as this user may set them. `None` if this user is neither
/// root nor the owner of the daemon's directory, or if the directory is not where the daemon says.
pub(crate) fn of_daemon(daemon: &DaemonInfo) -> Option<Dress> {
    let folder = std::fs::metadata(&daemon.folder).ok()?;
    let is_theirs = (folder.dev(), folder.ino()) == (daemon.folder_device, daemon.folder_inode);
    let user = rustix::process::geteuid();
    if !is_theirs || !(user.is_root() || user.as_raw() == folder.uid()) {
        return None;
    }
    let owner = user.is_root().then(|| folder.uid());
    let group = daemon.file_group.or(user.is_root().then(|| folder.gid()));
    Some(Dress { owner, group, mode: daemon.file_mode })
}

/// Whether this user may change a file to look like `theirs`: root may, and otherwise only the file's owner.
pub(crate) fn may_wear(file: &Dress, theirs: &Dress) -> bool {
    theirs.owner.is_some() || file.owner == Some(rustix::process::geteuid().as_raw())
}

impl Dress {
    /// Reads it from a file.
    pub(crate) fn of(metadata: &Metadata) -> Dress {
        let (owner, group) = (Some(metadata.uid()), Some(metadata.gid()));
        Dress { owner, group, mode: metadata.mode() & 0o7777 }
    }

    /// Sets it on a file.
    pub(crate) fn put_on(&self, file: &File) -> io::Result<()> {
        rustix::fs::fchown(file, self.owner.map(Uid::from_raw), self.group.map(Gid::from_raw))?;
        Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode))?)
    }
}
