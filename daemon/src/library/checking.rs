//! A resource that is being checked: its files are examined or hashed to find out what is here.

use shared::name::ResourceName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The check of a resource, and its progress. Dropping it makes the work on it stop soon.
#[derive(Debug, Default)]
pub struct Checking {
    /// The work, shared with the tasks that do it.
    pub check: Check,
    /// The current step.
    pub step: CheckStep,
    /// Which file is hashed, or will be. It is decided when the check begins to hash; before that, it is the file that
    /// was served until now, if one was.
    pub file: CheckFile,
}

/// The file that is hashed, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckFile {
    /// The name that has the file; `None` for the part file of a download.
    pub of: Option<ResourceName>,
    /// The name that somebody asked about and who hears the result; `None` if nobody did. It differs from `of` if that
    /// name has no file of its own yet.
    pub asked: Option<ResourceName>,
}

/// A step of a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckStep {
    /// It waits to be hashed, until its turn comes or a user resumes it.
    #[default]
    Waits,
    /// The data on disk is being hashed.
    Hashes,
    /// Its files are examined without being read.
    Looks,
}

impl Checking {
    /// A check that begins with this step.
    pub fn new(step: CheckStep) -> Checking {
        Checking { check: Check::default(), step, file: CheckFile::default() }
    }

    /// A check that waits for its turn. `served` is the name whose file was served until now and is in doubt.
    pub fn waiting(served: Option<ResourceName>) -> Checking {
        let file = CheckFile { of: served, asked: None };
        Checking { check: Check::default(), step: CheckStep::Waits, file }
    }

    /// A check that begins to hash this file.
    pub fn of(file: CheckFile) -> Checking {
        Checking { check: Check::default(), step: CheckStep::Hashes, file }
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.check.0.unwanted.store(true, Ordering::Relaxed);
    }
}

/// The work on one [`Checking`], shared with the tasks that do it.
#[derive(Debug, Clone, Default)]
pub struct Check(Arc<Work>);

#[derive(Debug, Default)]
struct Work {
    bytes_done: AtomicU64,
    /// 0 before it has begun.
    bytes_total: AtomicU64,
    unwanted: AtomicBool,
}

impl Check {
    /// Begins with this many bytes to hash.
    pub fn begin(&self, bytes_total: u64) {
        self.0.bytes_total.store(bytes_total, Ordering::Relaxed);
    }

    /// Sets the number of hashed bytes.
    pub fn progress(&self, bytes_done: u64) {
        self.0.bytes_done.store(bytes_done, Ordering::Relaxed);
    }

    /// The percentage of hashed bytes.
    pub fn percent(&self) -> u64 {
        let done = self.0.bytes_done.load(Ordering::Relaxed);
        (done * 100).checked_div(self.0.bytes_total.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether the result is still wanted.
    pub fn is_wanted(&self) -> bool {
        !self.0.unwanted.load(Ordering::Relaxed)
    }

    /// Whether both are the same work.
    pub fn is_same(&self, other: &Check) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_progress_is_told_in_percent_of_the_bytes() {
        let check = Check::default();
        assert_eq!(check.percent(), 0, "it has not begun");
        check.begin(300);
        let percent = [0, 1, 3, 150, 299, 300].map(|bytes| {
            check.progress(bytes);
            check.percent()
        });
        assert_eq!(percent, [0, 0, 1, 50, 99, 100]);
    }

    #[test]
    fn its_work_is_not_wanted_after_it_was_dropped() {
        let checking = Checking::waiting(None);
        let check = checking.check.clone();
        assert!(check.is_wanted() && check.is_same(&checking.check) && !check.is_same(&Check::default()));
        drop(checking);
        assert!(!check.is_wanted());
    }

    #[test]
    fn it_waits_until_it_is_known_which_file_is_hashed() {
        let served: ResourceName = "x".parse().unwrap();
        let waiting = Checking::waiting(Some(served.clone()));
        assert_eq!((waiting.step, &waiting.file.of), (CheckStep::Waits, &Some(served)));
        let hashing = Checking::of(waiting.file.clone());
        assert_eq!((hashing.step, &hashing.file), (CheckStep::Hashes, &waiting.file));
    }
}
