//! How many chunks a crash may cost: those that were taken since the have map on disk was last written. Where the
//! disk is slower than the network, the next chunk waits here.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many chunks may be taken and not noted. They are fetched again after a crash.
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

/// A chunk that is counted, and is not any more when this is dropped: it was of no use.
#[derive(Debug)]
pub struct Entered<'a>(&'a Unnoted);

impl Entered<'_> {
    /// The chunk is written: it counts until it is noted.
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
    /// A download with this many chunks that are there and not noted.
    pub fn beginning_with(chunks: u32) -> Unnoted {
        let state = State { chunks, ended: false };
        Unnoted { state: Mutex::new(state), fewer: Condvar::new() }
    }

    /// One more; waits until there is room. `None` when the download has ended meanwhile.
    pub fn enter(&self) -> Option<Entered<'_>> {
        let full = |state: &mut State| state.chunks >= UNNOTED_MAX && !state.ended;
        let mut state = self.fewer.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return None;
        }
        state.chunks += 1;
        Some(Entered(self))
    }

    /// This many fewer: they were noted, or were of no use.
    pub fn leave(&self, chunks: u32) {
        let mut state = self.state();
        state.chunks = state.chunks.saturating_sub(chunks);
        self.fewer.notify_all();
    }

    /// Nobody needs to wait any more.
    pub fn end(&self) {
        self.state().ended = true;
        self.fewer.notify_all();
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
            while entered.load(Ordering::Acquire) < chunks {
                std::thread::yield_now();
            }
        };
        wait_for(UNNOTED_MAX);
        unnoted.leave(3);
        wait_for(UNNOTED_MAX + 3);
        unnoted.end();
        thread.join().unwrap();
        assert_eq!(entered.load(Ordering::Acquire), UNNOTED_MAX + 3);
    }
}
