//! A resource of which it is not known yet what is here: its files are looked at, hashed, or copied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is found out of a resource, and how far that is. When it is dropped the work on it ends soon: nobody wants to
/// know any more.
#[derive(Debug, Default)]
pub struct Checking {
    /// The work, for those who do it.
    pub check: Check,
    /// What is being done.
    pub step: CheckStep,
}

/// What is being done to find out what is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckStep {
    /// It is to be hashed when its turn comes, or when an operator resumes it.
    #[default]
    Waits,
    /// What is on disk is being hashed.
    Hashes,
    /// Its files are looked at, without reading them.
    Looks,
    /// What fits of the file that it will replace is being copied into a download.
    Copies,
}

impl Checking {
    /// One that begins with this step.
    pub fn new(step: CheckStep) -> Checking {
        Checking { check: Check::default(), step }
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.check.0.unwanted.store(true, Ordering::Relaxed);
    }
}

/// The work on one [`Checking`], known to whoever does it.
#[derive(Debug, Clone, Default)]
pub struct Check(Arc<Work>);

#[derive(Debug, Default)]
struct Work {
    bytes_done: AtomicU64,
    /// 0 until it has begun.
    bytes_total: AtomicU64,
    unwanted: AtomicBool,
}

impl Check {
    /// It begins, and has this many bytes to hash.
    pub fn begin(&self, bytes_total: u64) {
        self.0.bytes_total.store(bytes_total, Ordering::Relaxed);
    }

    /// This many bytes are hashed.
    pub fn progress(&self, bytes_done: u64) {
        self.0.bytes_done.store(bytes_done, Ordering::Relaxed);
    }

    /// How many per cent of the bytes are hashed.
    pub fn percent(&self) -> u64 {
        let done = self.0.bytes_done.load(Ordering::Relaxed);
        (done * 100).checked_div(self.0.bytes_total.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether anybody still wants to know.
    pub fn is_wanted(&self) -> bool {
        !self.0.unwanted.load(Ordering::Relaxed)
    }

    /// Whether the two are one and the same.
    pub fn is_same(&self, other: &Check) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
