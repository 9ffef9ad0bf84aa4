//! Recognizes whether a file is still what it was when the directory was walked.

use rustix::fs::Stat;

/// The metadata of a file that changes when it is replaced, written to, or given other permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The device's number.
    pub device: u64,
    /// The file's number on the device.
    pub inode: u64,
    /// When its content was modified, in seconds since 1970.
    pub modified_s: i64,
    /// The nanoseconds of that.
    pub modified_ns: u32,
    /// When its content or its metadata was changed, in seconds since 1970.
    pub changed_s: i64,
    /// The nanoseconds of that.
    pub changed_ns: u32,
}

impl Seen {
    pub(super) fn of(stat: &Stat) -> Seen {
        Seen {
            device: stat.st_dev,
            inode: stat.st_ino,
            modified_s: stat.st_mtime,
            modified_ns: stat.st_mtime_nsec as u32,
            changed_s: stat.st_ctime,
            changed_ns: stat.st_ctime_nsec as u32,
        }
    }
}
