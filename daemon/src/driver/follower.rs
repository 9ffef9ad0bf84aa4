//! The follower of a download: a thread that searches the download's content in an older file and takes over what it
//! finds there. What to search, and what to compare, is decided by the plan.

use crate::inbox::{Context, Input, TaskInput};
use crate::library::{Download, Follow, Followed, ReusedFrom, TakeError};
use crate::panicked::caught;
use crate::store::{Found, OldFile, be_idle};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::name::ResourceName;
use shared::reuse::shift::{Guess, Search, ShiftPlan, Step};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Limits the followers that search at once; further downloads are fetched as usual until it is their turn. Each takes a
/// thread and a few MiB of memory, and reads the disk.
pub(super) const FOLLOWERS_MAX: usize = 4;

/// How often a follower that waits for a chunk looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a follower works with.
pub(super) struct Follower {
    pub(super) context: Arc<Context>,
    pub(super) download: Arc<Download>,
    /// The chunks that the download has.
    pub(super) have: HaveMap,
    /// The name and the path of the old file.
    pub(super) old: (ResourceName, PathBuf),
    /// The chunks that arrived.
    pub(super) arrivals: Receiver<ChunkIndex>,
    pub(super) run: Follow,
    /// Its place among the followers that run at once.
    pub(super) place: OwnedSemaphorePermit,
}

impl Follower {
    /// Searches until there is nothing more to find, or nobody wants it any more. Blocks: it needs a thread of its own.
    pub(super) fn work(self) {
        be_idle();
        let found = caught(|| self.follow());
        let found = found.unwrap_or_else(|panic| {
            let name = self.download.manifest.name();
            tracing::error!(%name, id = %self.download.manifest.key(), error = %panic.at("search", &self.old.1),
                "cannot search the older file; the rest is fetched");
            0
        });
        self.tell(Followed::Over { found });
        drop(self.place);
    }

    /// Returns the number of chunks that were found.
    fn follow(&self) -> u32 {
        let old = match OldFile::open(&self.old.1) {
            Ok(old) => old,
            Err(error) => {
                tracing::debug!(id = %self.download.manifest.key(), %error, "there is no older file to search");
                return 0;
            }
        };
        let mut plan = ShiftPlan::new(self.have.clone(), old.bytes(), rand::random());
        while self.run.is_wanted() {
            self.arrivals.try_iter().for_each(|index| plan.arrived(index));
            if plan.take_news() {
                self.tell(Followed::Hold(plan.held()));
            }
            match plan.step() {
                Step::Search(search) => self.search(&old, &mut plan, &search),
                Step::Compare(guess) => match self.take(&old, guess) {
                    Some(is_equal) => plan.compared(guess, is_equal),
                    None => break,
                },
                Step::Wait => match self.arrivals.recv_timeout(LOOK_EVERY) {
                    Ok(index) => plan.arrived(index),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                Step::Over => break,
            }
        }
        plan.found()
    }

    fn search(&self, old: &OldFile, plan: &mut ShiftPlan, search: &Search) {
        let found = match self.download.file.read(search.index) {
            Ok(chunk) => {
                let found = old.search(&chunk, search, &|| self.run.is_wanted());
                tracing::debug!(id = %self.download.manifest.key(), chunk = %search.index, near = ?search.near,
                    shifts = ?found.shifts, bytes = found.bytes, "searched in the older file");
                found
            }
            Err(_) => Found { shifts: Vec::new(), bytes: 0 },
        };
        plan.searched(search.index, &found.shifts, found.bytes);
    }

    /// Takes a chunk from the old file, if it is there. Returns `None` if nothing can be written any more.
    fn take(&self, old: &OldFile, guess: Guess) -> Option<bool> {
        // A file that is shorter than it was, or cannot be read, costs a fetch.
        let Ok(bytes) = old.read(guess.offset, guess.bytes) else { return Some(false) };
        let taken = self.download.store(guess.index, bytes.freeze());
        let goes_on = match &taken {
            Ok(()) => Some(true),
            Err(TakeError::Corrupt | TakeError::Unread(_)) => return Some(false), // it is another chunk
            Err(_) => None,
        };
        let (download, from) = (self.download.clone(), ReusedFrom::File(self.old.0.clone()));
        let found = TaskInput::Reused { download, index: guess.index, from, taken };
        self.context.tell_blocking(Input::Task(found));
        goes_on
    }

    fn tell(&self, followed: Followed) {
        let followed =
            TaskInput::Followed { download: self.download.clone(), by: self.run.clone(), followed };
        self.context.tell_blocking(Input::Task(followed));
    }
}
