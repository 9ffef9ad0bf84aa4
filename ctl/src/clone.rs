//! Taking a file into the shared folder without copying it, where the file system can let two files have the same
//! blocks (btrfs, XFS and others) and the caller may write in the folder as its owner would.

use crate::dress;
use crate::error::{Error, Kind};
use crate::files::NewFile;
use shared::name::ResourceName;
use shared::rpc::control::DaemonInfo;
use std::fs::File;
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
