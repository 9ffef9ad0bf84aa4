//! Which steps a failing disk refuses.

use super::super::disk::Step;
use rustix::io::Errno;

/// The way in which the disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// The disk is full; files can still be removed.
    Full,
    /// All changes and syncs fail.
    Broken,
    /// All changes fail.
    ReadOnly,
    /// The write-back of a file fails once. Only the next sync of it reports that.
    WriteBack,
    /// The same, of the file with this inode.
    WriteBackOf(u64),
    /// ttd panics once when it syncs or copies a file.
    Panic,
}

/// What becomes of a step.
pub(super) enum Refusal {
    /// It happens.
    None,
    /// It fails.
    Error(Errno),
    /// ttd panics.
    Panic,
}

impl DiskFault {
    /// What becomes of this step. `None` is a step that opens a file.
    pub(super) fn refusal(self, step: Option<&Step<'_>>) -> Refusal {
        match (self, step) {
            (_, Some(Step::DropCached { .. })) => Refusal::None,
            (DiskFault::Full, Some(step)) if step.needs_no_room() => Refusal::None,
            (
                DiskFault::ReadOnly,
                Some(Step::SyncFile { .. } | Step::SyncFolder { .. } | Step::SyncAll { .. }),
            ) => Refusal::None,
            (DiskFault::WriteBack | DiskFault::WriteBackOf(_), _) => Refusal::None,
            (DiskFault::Panic, Some(Step::SyncFile { .. } | Step::Copy { .. } | Step::SyncFolder { .. })) => {
                Refusal::Panic
            }
            (DiskFault::Panic, _) => Refusal::None,
            (DiskFault::Full, _) => Refusal::Error(Errno::NOSPC),
            (DiskFault::ReadOnly, _) => Refusal::Error(Errno::ROFS),
            (DiskFault::Broken, _) => Refusal::Error(Errno::IO),
        }
    }

    /// Whether the write-back of this file fails.
    pub(super) fn is_of_write_back(self, inode: u64) -> bool {
        self == DiskFault::WriteBack || self == DiskFault::WriteBackOf(inode)
    }
}
