//! Taking a file into the shared folder without copying it, where the file system can let two files have the same
//! blocks (btrfs, XFS and others) and the caller may write in the folder as its owner would.

use crate::error::{Error, Kind};
use crate::files::NewFile;
use rustix::fs::{Gid, Mode, Uid};
use shared::name::ResourceName;
use shared::rpc::control::DaemonInfo;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A file that lies in the shared folder now, and is nobody's yet.
pub(crate) struct Cloned {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Puts a clone of `file` into the daemon's folder under a name that nothing has there, with the owner, the group and
/// the mode that the daemon would give it. `None` when it cannot be done so, for whatever reason: sending the bytes
/// always can, and then the daemon says what is wrong.
pub(crate) fn clone_in(file: &File, name: &ResourceName, daemon: &DaemonInfo) -> Option<Cloned> {
    let folder = std::fs::metadata(&daemon.folder).ok()?;
    let is_theirs = (folder.dev(), folder.ino()) == (daemon.folder_device, daemon.folder_inode);
    let user = rustix::process::geteuid();
    if !is_theirs || !(user.is_root() || user.as_raw() == folder.uid()) {
        return None;
    }
    let path = daemon.folder.join(name.as_str());
    let mut new = NewFile::create(&path).ok()?;
    rustix::fs::ioctl_ficlone(&*new.file(), file).ok()?;
    make_theirs(new.file(), &folder, daemon).ok()?;
    let made = new.file().metadata().ok()?;
    new.publish(false).ok()?;
    Some(Cloned { path, device: made.dev(), inode: made.ino() })
}

fn make_theirs(file: &File, folder: &Metadata, daemon: &DaemonInfo) -> io::Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    let owner = is_root.then(|| Uid::from_raw(folder.uid()));
    let group = daemon.file_group.or(is_root.then(|| folder.gid()));
    rustix::fs::fchown(file, owner, group.map(Gid::from_raw))?;
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(daemon.file_mode))?)
}

impl Cloned {
    /// Takes it back when the daemon refused it. After other errors it may be shared all the same.
    pub(crate) fn undo_after(&self, error: &Error) {
        let may_be_shared =
            matches!(error.kind, Kind::NoDaemon | Kind::Interrupted | Kind::TimedOut | Kind::Internal);
        let is_same = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.device, self.inode));
        if is_same && !may_be_shared {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
