//! How far a download is with the chunks that are on this machine. They are looked for and taken before it joins its
//! swarm.

use shared::chunk::ChunkIndex;
use shared::name::ResourceName;
use shared::reuse::repeats::Repeats;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a download is with the chunks that are on this machine.
#[derive(Debug, Default)]
pub enum Reuse {
    /// They are still to be looked for. It does not take part in its swarm.
    #[default]
    Due,
    /// They are being looked for or taken. It does not take part in its swarm.
    Runs(Reusing),
    /// All that were found were taken.
    Done,
}

/// The search for chunks, and then their copying. Dropping it makes the work stop soon.
#[derive(Debug, Default)]
pub struct Reusing {
    /// The work, shared with the thread that does it.
    pub work: ReuseWork,
    /// What was found; `None` while it is being looked for.
    pub found: Option<FoundHere>,
    /// The chunks that occur more than once in the download, if that is known.
    pub repeats: Option<Arc<Repeats>>,
}

/// The work of writing chunks that are like others that are there. Dropping it makes the work stop soon.
#[derive(Debug, Default)]
pub struct Repeating {
    /// The work, shared with the thread that does it.
    pub work: ReuseWork,
    /// The chunks that are there and were not looked at yet.
    pub queue: Vec<ChunkIndex>,
    /// The first chunk of each group of equal ones that is in work.
    pub groups: BTreeSet<ChunkIndex>,
}

/// How much of a download was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundHere {
    /// The number of chunks.
    pub chunks: u32,
    /// The file with most of them; `None` if the download itself has them at other positions.
    pub file: Option<ResourceName>,
    /// The number of further files.
    pub others: u32,
}

impl Drop for Reusing {
    fn drop(&mut self) {
        self.work.stop();
    }
}

impl Drop for Repeating {
    fn drop(&mut self) {
        self.work.stop();
    }
}

/// Work for a download, shared between the driver and the thread that does it.
#[derive(Debug, Clone, Default)]
pub struct ReuseWork(Arc<WorkState>);

#[derive(Debug, Default)]
struct WorkState {
    copies: AtomicBool,
    is_stopped: AtomicBool,
}

impl ReuseWork {
    /// Whether the result is still wanted.
    pub fn is_wanted(&self) -> bool {
        !self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// Whether it copies what was found, and does not wait for a place.
    pub fn copies(&self) -> bool {
        self.0.copies.load(Ordering::Relaxed)
    }

    /// It has a place and begins to copy what was found.
    pub fn begin_copying(&self) {
        self.0.copies.store(true, Ordering::Relaxed);
    }

    /// Whether both are the same work.
    pub fn is_same(&self, other: &ReuseWork) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Makes the work stop soon.
    pub fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }
}

impl Reuse {
    /// Whether this work is the current one.
    pub fn is_in(&self, work: &ReuseWork) -> bool {
        matches!(self, Reuse::Runs(reusing) if reusing.work.is_same(work))
    }

    /// Whether nothing more is looked for, so that the download may join its swarm.
    pub fn is_done(&self) -> bool {
        matches!(self, Reuse::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_nobody_holds_any_more_stops() {
        let (reusing, repeating) = (Reusing::default(), Repeating::default());
        let works = [reusing.work.clone(), repeating.work.clone()];
        assert!(works.iter().all(ReuseWork::is_wanted));
        drop((reusing, repeating));
        assert!(!works.iter().any(ReuseWork::is_wanted));
    }

    #[test]
    fn a_result_counts_only_for_the_work_that_runs() {
        let reusing = Reusing::default();
        let work = reusing.work.clone();
        let runs = Reuse::Runs(reusing);
        assert!(runs.is_in(&work) && !runs.is_in(&ReuseWork::default()));
        assert!(!Reuse::Due.is_in(&work) && !Reuse::Done.is_in(&work));
        assert_eq!([Reuse::Due, runs, Reuse::Done].map(|reuse| reuse.is_done()), [false, false, true]);
    }

    #[test]
    fn it_waits_for_a_place_before_it_copies() {
        let work = ReuseWork::default();
        assert!(!work.copies());
        work.clone().begin_copying();
        assert!(work.copies());
    }
}
