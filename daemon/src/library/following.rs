//! A download whose content is also searched in an older file, where it may have been shifted. While that succeeds, the
//! chunks that may be found there are not fetched from peers: they are held.

use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::Notify;

/// How long chunks of a file are held while the old file is searched, less [`FOUND_WORTH`] for each chunk found. Near the
/// expected place content is found within milliseconds. When the search goes further, the peers need not wait for it.
const SEARCH_MAX: Duration = Duration::from_secs(1);

/// How long chunks of a directory are held while no chunk is taken from its older version. Most of its files are known to
/// be the same; a busy disk may take seconds for the thousand files of one chunk.
const TREE_SEARCH_MAX: Duration = Duration::from_secs(10);

/// The time of searching that a found chunk is worth: about as long as a chunk takes over a link of 100 Mbit/s. Where the
/// search finds chunks more slowly, chunks are not held for long, because links are faster.
const FOUND_WORTH: Duration = Duration::from_millis(80);

/// How long chunks are held while a chunk is awaited from peers and no byte comes. Other chunks may be easier to get.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// The same while no peer may be asked for the awaited chunk, because another machine of the zone is to fetch it. That
/// machine may not want it soon.
const ZONE_MAX: Duration = Duration::from_millis(500);

/// How long chunks are held while a chunk is awaited from peers, even if bytes come. A peer that sends a chunk of 1 MiB
/// more slowly than in this time must not keep all other links idle.
const AWAIT_MAX: Duration = Duration::from_secs(5);

/// What [`AWAIT_MAX`], [`SILENCE_MAX`] and [`ZONE_MAX`] are multiplied by for a directory. Before its listing is here,
/// nobody knows what else has to be fetched, so peers may take longer to send it.
const TREE_PATIENCE: u32 = 4;

/// The driver's side of a follower, which searches on a thread of its own. Dropping this ends it.
#[derive(Debug)]
pub struct Following {
    /// Where the follower is told which chunks have arrived. Each chunk is told once.
    arrivals: Sender<News>,
    /// How much it was told, and the chunk that arrived last.
    told: (u64, Option<ChunkIndex>),
    follow: Follow,
    kind: Kind,
    /// The chunks that a directory's older version probably has, once that is known.
    takes: Option<u32>,
    /// The chunks that may be found.
    to_hold: HaveMap,
    /// Whether they are held now.
    is_held: bool,
    /// For how long the old file was searched, less what was found. At its limit nothing is held any more; when it is zero
    /// again, chunks are held again.
    searched: Duration,
    /// For how long a chunk has been awaited from peers.
    awaited: Duration,
    /// For how long no byte has come meanwhile.
    silent: Duration,
}

/// What a follower searches in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In an older file.
    File,
    /// In an older directory.
    Tree,
}

/// What a follower is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A chunk has arrived.
    Arrived(ChunkIndex),
    /// The download is a directory, and was laid out.
    LaidOut,
}

/// What the follower is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Nothing: it searches or compares.
    Nothing,
    /// A chunk from peers.
    Peers,
    /// A chunk that another machine of the zone is to fetch from outside.
    Zone,
}

/// One run of a follower: tells it whether it is still wanted, and distinguishes it from a later one of the same download.
#[derive(Debug, Clone, Default)]
pub struct Follow(Arc<End>);

/// How a run ends.
#[derive(Debug, Default)]
struct End {
    has_come: AtomicBool,
    /// Wakes the task that waits for the follower's turn.
    wake: Notify,
}

impl Follow {
    /// Whether the follower is to go on.
    pub fn is_wanted(&self) -> bool {
        !self.0.has_come.load(Ordering::Relaxed)
    }

    /// Waits until the follower is not wanted any more. Only one task at a time may wait.
    pub async fn ended(&self) {
        self.0.wake.notified().await;
    }
}

/// What the follower of a download says.
#[derive(Debug)]
pub enum Followed {
    /// These chunks may be found in the old file, and others may not.
    Hold(HaveMap),
    /// It begins to take this number of chunks from an older directory.
    Takes(u32),
    /// It had nothing to do and has made way for others. It begins again when a chunk arrives.
    MadeWay {
        /// How many chunks were found in the old file.
        found: u32,
        /// How much it has heard ([`Following::told`]).
        heard: u64,
    },
    /// It has ended: `found` chunks were found in the old file.
    Over {
        /// How many chunks.
        found: u32,
    },
}

impl Following {
    /// A follower that is told of arrivals and of its end in this way. It holds nothing yet.
    pub fn new(arrivals: Sender<News>, follow: Follow, kind: Kind, none: HaveMap) -> Following {
        Following {
            arrivals,
            told: (0, None),
            follow,
            kind,
            takes: None,
            to_hold: none,
            is_held: true,
            searched: Duration::ZERO,
            awaited: Duration::ZERO,
            silent: Duration::ZERO,
        }
    }

    /// Whether this is the follower of that run.
    pub fn is(&self, follow: &Follow) -> bool {
        Arc::ptr_eq(&self.follow.0, &follow.0)
    }

    /// Whether a chunk is held now.
    #[cfg(test)]
    pub fn holds(&self, index: ChunkIndex) -> bool {
        self.is_held && self.to_hold.contains(index)
    }

    /// A chunk has arrived: the follower may be waiting for it.
    pub fn tell(&mut self, index: ChunkIndex) {
        let _ = self.arrivals.send(News::Arrived(index)); // it may have ended
        self.told = (self.told.0 + 1, Some(index));
        (self.awaited, self.silent) = (Duration::ZERO, Duration::ZERO);
    }

    /// The download was laid out as a directory.
    pub fn tell_laid_out(&mut self) {
        let _ = self.arrivals.send(News::LaidOut); // it may have ended
        self.told.0 += 1;
    }

    /// How much it was told, and the chunk that arrived last.
    pub fn told(&self) -> (u64, Option<ChunkIndex>) {
        self.told
    }

    /// What it searches in.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The follower begins to take this number of chunks from an older directory.
    pub fn take(&mut self, chunks: u32) {
        self.takes = Some(chunks);
    }

    /// The number of chunks that are taken from an older directory, while that is being done.
    pub fn takes(&self) -> Option<u32> {
        self.takes
    }

    /// The follower expects to find these chunks. Returns what to hold now.
    pub fn hold(&mut self, chunks: HaveMap) -> Option<HaveMap> {
        self.to_hold = chunks;
        self.is_held.then(|| self.to_hold.clone())
    }

    /// A chunk was found. That takes [`FOUND_WORTH`] off the time of searching, and all of it if a directory is updated.
    /// When none of that time is left, the chunks that may be found are held again. Returns them in that case, and
    /// otherwise `None`.
    pub fn found(&mut self) -> Option<HaveMap> {
        self.searched = match self.kind {
            Kind::File => self.searched.saturating_sub(FOUND_WORTH),
            Kind::Tree => Duration::ZERO,
        };
        (self.awaited, self.silent) = (Duration::ZERO, Duration::ZERO);
        let holds_again = !self.is_held && self.searched.is_zero();
        self.is_held |= holds_again;
        holds_again.then(|| self.to_hold.clone())
    }

    /// Some time has passed. `comes` says whether bytes have come from peers meanwhile. Returns whether to hold nothing
    /// any more.
    pub fn pass(&mut self, span: Duration, awaited: Awaited, comes: bool) -> bool {
        let (search_max, patience) = match self.kind {
            Kind::File => (SEARCH_MAX, 1),
            Kind::Tree => (TREE_SEARCH_MAX, TREE_PATIENCE),
        };
        if !self.is_held {
            self.searched = (self.searched + span).min(search_max);
            return false;
        }
        let silence_max = match awaited {
            Awaited::Nothing => {
                self.searched += span;
                SILENCE_MAX
            }
            Awaited::Peers => SILENCE_MAX,
            Awaited::Zone => ZONE_MAX,
        };
        if awaited != Awaited::Nothing {
            self.awaited += span;
            self.silent = if comes { Duration::ZERO } else { self.silent + span };
        }
        let waits_in_vain = self.awaited >= AWAIT_MAX * patience || self.silent >= silence_max * patience;
        let gives_up = self.searched >= search_max || waits_in_vain;
        if gives_up {
            (self.is_held, self.searched) = (false, search_max);
        }
        gives_up
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.follow.0.has_come.store(true, Ordering::Relaxed);
        self.follow.0.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;

    const STEP: Duration = Duration::from_millis(250);

    fn following() -> (Following, HaveMap) {
        following_in(Kind::File)
    }

    fn following_in(kind: Kind) -> (Following, HaveMap) {
        let count = ChunkCount::new(4).unwrap();
        let following =
            Following::new(std::sync::mpsc::channel().0, Follow::default(), kind, HaveMap::empty(count));
        (following, HaveMap::full(count))
    }

    /// How many finds make up for this time.
    fn finds(span: Duration) -> usize {
        span.as_millis().div_ceil(FOUND_WORTH.as_millis()) as usize
    }

    #[test]
    fn what_is_not_found_soon_is_fetched_and_held_again_when_much_is_found() {
        let (mut following, all) = following();
        assert_eq!(following.hold(all.clone()), Some(all.clone()));
        assert!((0..3).all(|_| !following.pass(STEP, Awaited::Nothing, false)));
        assert!((0..finds(STEP * 3)).all(|_| following.found().is_none()), "it is held as it was");
        assert!((0..3).all(|_| !following.pass(STEP, Awaited::Nothing, false)));
        assert!(following.pass(STEP, Awaited::Nothing, false));
        assert!(!following.pass(STEP, Awaited::Nothing, false), "once");
        assert_eq!(following.hold(all.clone()), None);
        assert!((1..finds(SEARCH_MAX)).all(|_| following.found().is_none()));
        assert_eq!(following.found(), Some(all));
    }

    #[test]
    fn long_searches_that_find_little_hold_chunks_only_once() {
        let (mut following, all) = following();
        following.hold(all);
        let mut held = 0;
        for index in 0..100 {
            following.tell(ChunkIndex(index % 4)); // the probe, and after 0.75 s three chunks are found
            for _ in 0..3 {
                held += u32::from(following.is_held);
                following.pass(STEP, Awaited::Nothing, false);
            }
            (0..3).for_each(|_| _ = following.found());
        }
        assert!(held <= 6, "the peers had nothing to do for {:?}", STEP * held);
    }

    #[test]
    fn who_waits_for_slow_peers_has_longer() {
        let (mut following, all) = following();
        following.hold(all);
        assert!((0..11).all(|_| !following.pass(STEP, Awaited::Peers, false)));
        following.tell(ChunkIndex(1));
        assert!((0..11).all(|_| !following.pass(STEP, Awaited::Peers, false)));
        assert!(following.pass(STEP, Awaited::Peers, false));
    }

    #[test]
    fn a_peer_that_sends_very_slowly_does_not_keep_chunks_held() {
        let (mut following, all) = following();
        following.hold(all.clone());
        for _ in 0..2 {
            assert!((0..19).all(|_| !following.pass(STEP, Awaited::Peers, true)), "bytes come");
            assert!(following.pass(STEP, Awaited::Peers, true));
            let held = (0..finds(SEARCH_MAX)).filter_map(|_| following.found()).last();
            assert_eq!(held.as_ref(), Some(&all), "it has as long again after a find");
        }
    }

    #[test]
    fn a_chunk_that_another_machine_of_the_zone_is_to_fetch_is_not_waited_for() {
        let (mut following, all) = following();
        following.hold(all);
        assert!(!following.pass(STEP, Awaited::Zone, false));
        assert!(following.pass(STEP, Awaited::Zone, false));
    }

    #[test]
    fn a_directory_is_held_while_something_is_taken_from_its_older_version() {
        let (mut following, all) = following_in(Kind::Tree);
        following.hold(all.clone());
        for _ in 0..3 {
            assert!((0..39).all(|_| !following.pass(STEP, Awaited::Nothing, false)));
            assert_eq!(following.found(), None, "it is held as it was");
        }
        assert!((0..39).all(|_| !following.pass(STEP, Awaited::Nothing, false)));
        assert!(following.pass(STEP, Awaited::Nothing, false));
        assert_eq!(following.found(), Some(all), "one chunk is enough");
        assert!((0..47).all(|_| !following.pass(STEP, Awaited::Peers, false)));
        assert!(following.pass(STEP, Awaited::Peers, false));
    }

    #[test]
    fn the_follower_hears_of_each_arrival_and_of_the_layout() {
        let (arrivals, heard) = std::sync::mpsc::channel();
        let none = HaveMap::empty(ChunkCount::new(4).unwrap());
        let mut following = Following::new(arrivals, Follow::default(), Kind::Tree, none);
        assert_eq!((following.kind(), following.told()), (Kind::Tree, (0, None)));
        following.tell(ChunkIndex(3));
        following.tell(ChunkIndex(1));
        assert_eq!(following.told(), (2, Some(ChunkIndex(1))));
        following.tell_laid_out();
        assert_eq!(following.told(), (3, Some(ChunkIndex(1))));
        let arrived = |index| News::Arrived(ChunkIndex(index));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [arrived(3), arrived(1), News::LaidOut]);
        assert_eq!(following.takes(), None);
        following.take(7);
        assert_eq!(following.takes(), Some(7));
    }

    #[tokio::test]
    async fn dropping_it_ends_the_follower_and_whoever_waits_for_its_turn() {
        let (follow, none) = (Follow::default(), HaveMap::empty(ChunkCount::new(4).unwrap()));
        let following = Following::new(std::sync::mpsc::channel().0, follow.clone(), Kind::File, none);
        assert!(following.is(&follow) && !following.is(&Follow::default()) && follow.is_wanted());
        let mut waiting = std::pin::pin!(follow.ended());
        assert!(by_now(waiting.as_mut()).await.is_none(), "it goes on");
        drop(following);
        assert!(!follow.is_wanted());
        assert!(by_now(waiting.as_mut()).await.is_some());
    }

    /// What a future has come to by now.
    async fn by_now<F: Future>(future: F) -> Option<F::Output> {
        tokio::time::timeout(Duration::ZERO, future).await.ok()
    }
}
