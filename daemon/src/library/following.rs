//! A download whose content is also searched in an older file, where it may have been shifted. While that succeeds, the
//! chunks that may be found there are not fetched from peers: they are held.

use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How long chunks are held while the old file is searched and nothing is found. Near the expected place content is
/// found within milliseconds. When the search goes further, the peers need not wait for it.
const SEARCH_MAX: Duration = Duration::from_secs(1);

/// How long chunks are held while a chunk is awaited from peers and no byte comes. Other chunks may be easier to get.
const AWAIT_MAX: Duration = Duration::from_secs(3);

/// The driver's side of a follower, which searches on a thread of its own. Dropping this ends it.
#[derive(Debug)]
pub struct Following {
    /// Where the follower is told which chunks have arrived. Each chunk is told once.
    arrivals: Sender<ChunkIndex>,
    follow: Follow,
    /// The chunks that may be found.
    to_hold: HaveMap,
    /// Whether they are held now.
    is_held: bool,
    /// For how long nothing has been found and nothing has come.
    idle: Duration,
}

/// One run of a follower: tells it whether it is still wanted, and distinguishes it from a later one of the same download.
#[derive(Debug, Clone, Default)]
pub struct Follow {
    has_ended: Arc<AtomicBool>,
}

impl Follow {
    /// Whether the follower is to go on.
    pub fn is_wanted(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }
}

/// What the follower of a download says.
#[derive(Debug)]
pub enum Followed {
    /// These chunks may be found in the old file, and others may not.
    Hold(HaveMap),
    /// It has ended: `found` chunks were found in the old file.
    Over {
        /// How many chunks.
        found: u32,
    },
}

impl Following {
    /// A follower that is told of arrivals and of its end in this way. It holds nothing yet.
    pub fn new(arrivals: Sender<ChunkIndex>, follow: Follow, none: HaveMap) -> Following {
        Following { arrivals, follow, to_hold: none, is_held: true, idle: Duration::ZERO }
    }

    /// Whether this is the follower of that run.
    pub fn is(&self, follow: &Follow) -> bool {
        Arc::ptr_eq(&self.follow.has_ended, &follow.has_ended)
    }

    /// Whether a chunk is held now.
    #[cfg(test)]
    pub fn holds(&self, index: ChunkIndex) -> bool {
        self.is_held && self.to_hold.contains(index)
    }

    /// A chunk has arrived: the follower may be waiting for it.
    pub fn tell(&mut self, index: ChunkIndex) {
        let _ = self.arrivals.send(index); // it may have ended
        self.idle = Duration::ZERO;
    }

    /// The follower expects to find these chunks. Returns what to hold now.
    pub fn hold(&mut self, chunks: HaveMap) -> Option<HaveMap> {
        self.to_hold = chunks;
        self.is_held.then(|| self.to_hold.clone())
    }

    /// A chunk was found. Returns what to hold from now on, if that changes.
    pub fn found(&mut self) -> Option<HaveMap> {
        self.idle = Duration::ZERO;
        let was_held = std::mem::replace(&mut self.is_held, true);
        (!was_held).then(|| self.to_hold.clone())
    }

    /// Some time has passed. `awaits` says whether chunks are awaited from peers, and `comes` whether bytes of them have
    /// come meanwhile. Returns whether to hold nothing any more.
    pub fn pass(&mut self, span: Duration, awaits: bool, comes: bool) -> bool {
        self.idle = if comes { Duration::ZERO } else { self.idle + span };
        let max = if awaits { AWAIT_MAX } else { SEARCH_MAX };
        let gives_up = self.is_held && self.idle >= max;
        self.is_held &= !gives_up;
        gives_up
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.follow.has_ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;

    const STEP: Duration = Duration::from_millis(250);

    fn following() -> (Following, HaveMap) {
        let count = ChunkCount::new(4).unwrap();
        let following =
            Following::new(std::sync::mpsc::channel().0, Follow::default(), HaveMap::empty(count));
        (following, HaveMap::full(count))
    }

    #[test]
    fn what_is_not_found_soon_is_fetched_and_held_again_when_something_is_found() {
        let (mut following, all) = following();
        assert_eq!(following.hold(all.clone()), Some(all.clone()));
        assert!((0..3).all(|_| !following.pass(STEP, false, false)));
        assert_eq!(following.found(), None, "it is held as it was");
        assert!((0..3).all(|_| !following.pass(STEP, false, false)));
        assert!(following.pass(STEP, false, false));
        assert!(!following.pass(STEP, false, false), "once");
        assert_eq!(following.hold(all.clone()), None);
        assert_eq!(following.found(), Some(all));
    }

    #[test]
    fn who_waits_for_slow_peers_has_longer() {
        let (mut following, all) = following();
        following.hold(all);
        assert!((0..100).all(|_| !following.pass(STEP, true, true)), "bytes come");
        assert!((0..11).all(|_| !following.pass(STEP, true, false)));
        following.tell(ChunkIndex(1));
        assert!((0..11).all(|_| !following.pass(STEP, true, false)));
        assert!(following.pass(STEP, true, false));
    }

    #[test]
    fn dropping_it_ends_the_follower() {
        let (follow, none) = (Follow::default(), HaveMap::empty(ChunkCount::new(4).unwrap()));
        let following = Following::new(std::sync::mpsc::channel().0, follow.clone(), none);
        assert!(following.is(&follow) && !following.is(&Follow::default()) && follow.is_wanted());
        drop(following);
        assert!(!follow.is_wanted());
    }
}
