//! Undoes what a power cut takes back on the faulty disk.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// A change that is not durable yet.
#[derive(Debug)]
pub(super) enum Undo {
    /// The bytes that were there before.
    Bytes {
        file: File,
        inode: u64,
        offset: u64,
        old: Vec<u8>,
        written: u64,
        bytes: u64,
        modified: SystemTime,
        /// Whether data was written, whose write-back can fail. Holes and lengths are in the journal.
        is_data: bool,
        /// They never reach the disk, whatever syncs report.
        lost: bool,
    },
    /// A name in this directory was changed.
    Name { folder: PathBuf, change: Change },
}

/// A change of a name.
#[derive(Debug)]
pub(super) enum Change {
    Made(PathBuf),
    MadeFolder(PathBuf),
    Removed { path: PathBuf, grave: PathBuf },
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<PathBuf> },
    Exchanged { one: PathBuf, other: PathBuf },
}

impl Undo {
    /// Undoes the change. Errors are ignored: a later durable change may make it impossible.
    pub(super) fn perform(self) {
        let change = match self {
            Undo::Bytes { file, offset, mut old, written, bytes, modified, .. } => {
                old.resize(written as usize, 0);
                let end = offset + written;
                let now = file.metadata().map_or(0, |metadata| metadata.len());
                file.write_all_at(&old, offset).unwrap();
                if now <= end {
                    file.set_len(bytes).unwrap();
                }
                return file.set_times(FileTimes::new().set_modified(modified)).unwrap();
            }
            Undo::Name { change, .. } => change,
        };
        let _ = match change {
            Change::Made(path) => fs::remove_file(path),
            Change::MadeFolder(path) => fs::remove_dir_all(path),
            Change::Removed { path, grave } => fs::rename(grave, path),
            Change::Renamed { from, to, replaced } => fs::rename(&to, from).and_then(|()| match replaced {
                Some(grave) => fs::rename(grave, to),
                None => Ok(()),
            }),
            Change::Exchanged { one, other } => super::root::exchange(&one, &other),
        };
    }
}
