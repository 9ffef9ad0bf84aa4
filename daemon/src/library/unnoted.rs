//! Limits the chunks that a crash may cost: those written since the have map on disk was last updated. If the disk is
//! slower than the network, further chunks wait here.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Limits the written chunks that the have map on disk does not claim. Further chunks wait. After a crash these are
/// fetched again; 64 MiB take a fast network about half a second.
const UNNOTED_MAX: u32 = 64;

/// Counts the chunks of a download that its have map on disk does not claim yet.
#[derive(Debug, Default)]
pub struct Unnoted {
    state: Mutex<State>,
    fewer: Condvar,
}

#[derive(Debug, Default)]
struct State {
    chunks: u32,
    ended: bool,
}

/// A counted chunk. Dropping this subtracts it again, because it was not accepted.
#[derive(Debug)]
pub struct Entered<'a>(&'a Unnoted);

impl Entered<'_> {
    /// Keeps the chunk counted until it is noted: it was written.
    pub fn stay(self) {
        std::mem::forget(self);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}

impl Unnoted {
    /// A count that starts with `chunks` chunks, which are here and not noted.
    pub fn beginning_with(chunks: u32) -> Unnoted {
        let state = State { chunks, ended: false };
        Unnoted { state: Mutex::new(state), fewer: Condvar::new() }
    }

    /// Counts one more chunk. Blocks until there is room. Returns `None` if the download has ended.
    pub fn enter(&self) -> Option<Entered<'_>> {
        let full = |state: &mut State| state.chunks >= UNNOTED_MAX && !state.ended;
        let mut state = self.fewer.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return None;
        }
        state.chunks += 1;
        Some(Entered(self))
    }

    /// Subtracts chunks that were noted or not accepted.
    pub fn leave(&self, chunks: u32) {
        let mut state = self.state();
        state.chunks = state.chunks.saturating_sub(chunks);
        self.fewer.notify_all();
    }

    /// Ends the download: nobody waits any more.
    pub fn end(&self) {
        self.state().ended = true;
        self.fewer.notify_all();
    }

    /// The number of counted chunks.
    #[cfg(test)]
    pub fn chunks(&self) -> u32 {
        self.state().chunks
    }

    /// Whether the download has ended.
    pub fn has_ended(&self) -> bool {
        self.state().ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    /// Limits the wait for another thread.
    const CAP: Duration = Duration::from_secs(60);

    #[test]
    fn no_more_than_that_many_get_ahead_of_the_map() {
        let (unnoted, entered) = (Arc::new(Unnoted::default()), Arc::new(AtomicU32::new(0)));
        let enter_all = {
            let (unnoted, entered) = (unnoted.clone(), entered.clone());
            move || {
                while let Some(one) = unnoted.enter() {
                    one.stay();
                    entered.fetch_add(1, Ordering::AcqRel);
                }
            }
        };
        let thread = std::thread::spawn(enter_all);
        let wait_for = |chunks| {
            let begin = Instant::now();
            while entered.load(Ordering::Acquire) < chunks {
                assert!(begin.elapsed() < CAP, "the {chunks}th does not enter");
                std::thread::yield_now();
            }
        };
        wait_for(UNNOTED_MAX);
        unnoted.leave(3);
        wait_for(UNNOTED_MAX + 3);
        unnoted.end();
        thread.join().unwrap();
        assert_eq!(entered.load(Ordering::Acquire), UNNOTED_MAX + 3);
        assert!(unnoted.has_ended());
    }

    #[test]
    fn only_a_chunk_that_was_accepted_stays_counted() {
        let unnoted = Unnoted::beginning_with(2);
        unnoted.enter().expect("it has not ended").stay();
        drop(unnoted.enter());
        assert_eq!((unnoted.chunks(), unnoted.has_ended()), (3, false));
        unnoted.leave(2);
        assert_eq!(unnoted.chunks(), 1);
    }
}
