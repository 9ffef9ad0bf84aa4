//! Puts a file into the shared directory without copying it. This works if the file system lets two files share blocks
//! (btrfs, XFS and others) and the caller may write to the directory as its owner would.

use crate::dress;
use crate::error::{Error, Kind};
use crate::files::NewFile;
use shared::name::ResourceName;
use shared::rpc::control::DaemonInfo;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A file that was cloned into the shared directory and is not shared yet.
pub(crate) struct Cloned {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Clones `file` into the daemon's directory, under a name that is free there, with the owner, the group and the mode
/// that the daemon gives its files. `None` if this is not possible for any reason. The caller then sends the bytes, and
/// the daemon reports what is wrong.
pub(crate) fn clone_in(file: &File, name: &ResourceName, daemon: &DaemonInfo) -> Option<Cloned> {
    let theirs = dress::of_daemon(daemon)?;
    let path = daemon.folder.join(name.as_str());
    let mut new = NewFile::create(&path).ok()?;
    rustix::fs::ioctl_ficlone(&*new.file(), file).ok()?;
    theirs.put_on(new.file()).ok()?;
    let made = new.file().metadata().ok()?;
    new.publish(false).ok()?;
    Some(Cloned { path, device: made.dev(), inode: made.ino() })
}

impl Cloned {
    /// Deletes the clone if the daemon refused it. After other errors the file may be shared anyway, and stays.
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
