//! Counts what of a download came from which peer, and sums it up when the download is complete: for the log, for the
//! events and for the status.

use super::reused::{Reused, ReusedFrom};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::name::ResourceName;
use shared::swarm::PeerAddr;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Limits the peers of one download that are counted separately. Chunks of further peers are counted without an
/// address, so the number of peers is too low then. Beyond this, the number says no more to people.
const SOURCES_MAX: usize = 1024;

/// Limits the peers that the log names, those with the most chunks first. Eight fit on a line.
const SHOWN_MAX: usize = 8;

/// The peers that chunks of a download came from, since this run of the daemon began with it. It outlives a check of
/// the download and a new beginning after a failed sync, and ends with its [summary](Sources::end).
#[derive(Debug, Default)]
pub struct Sources {
    /// The number of chunks that came from each peer.
    peers: BTreeMap<PeerAddr, u32>,
    /// The bytes of all chunks. A chunk that the disk lost and that came once more counts twice.
    bytes: u64,
    /// When the download began, and when the last chunk came; `None` before.
    span: Option<(Instant, Instant)>,
    reused: Reused,
    /// Which chunks `reused` counts. A chunk that is lost and made or copied again is counted once.
    reused_chunks: Option<HaveMap>,
}

/// How a complete download came to be here, in this run of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The name that it was published under. Further names received copies, for which nothing was fetched.
    pub name: ResourceName,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The bytes that came from peers, at most `bytes`. The rest was here: it was reused, or it came in an earlier run.
    pub bytes_fetched: u64,
    /// The chunks that this machine had already in other files, or at other positions.
    pub reused: Reused,
    /// The time from the beginning of the download to its last chunk; zero if nothing was fetched.
    pub took: Duration,
    /// The number of peers that sent a chunk, [`SOURCES_MAX`] at most.
    pub peers: u32,
}

impl Fetched {
    /// The average rate in bytes per second. A download of less than a millisecond counts as one.
    pub fn bytes_per_s(&self) -> u64 {
        (self.bytes_fetched as f64 / self.took.as_secs_f64().max(0.001)) as u64
    }
}

impl Sources {
    /// The download begins, or continues after a check.
    pub fn begin(&mut self, now: Instant) {
        self.span.get_or_insert((now, now));
    }

    /// The download joins its swarm. The time before, in which chunks were taken from this machine, does not count.
    pub fn join(&mut self, now: Instant) {
        if self.bytes == 0 {
            self.span = Some((now, now));
        }
    }

    /// The bytes that came from peers so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The chunks so far that this machine had already.
    pub fn reused(&self) -> &Reused {
        &self.reused
    }

    /// A chunk of this size, of a resource with this many, was on this machine, and is stored.
    pub fn reuse(&mut self, index: ChunkIndex, count: ChunkCount, from: &ReusedFrom, bytes: u64) {
        let counted = self.reused_chunks.get_or_insert_with(|| HaveMap::empty(count));
        if counted.insert(index) {
            self.reused.add(from, bytes);
        }
    }

    /// A chunk of this size came from a peer, and is stored.
    pub fn add(&mut self, peer: PeerAddr, bytes: u64, now: Instant) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.span.get_or_insert((now, now)).1 = now;
        if self.peers.len() < SOURCES_MAX || self.peers.contains_key(&peer) {
            *self.peers.entry(peer).or_default() += 1;
        }
    }

    /// The download is complete and was published under this name, as a file of this size. The next one is counted from
    /// its own beginning.
    pub fn end(&mut self, name: ResourceName, bytes: u64) -> Fetched {
        let Sources { peers, bytes: fetched, span, mut reused, .. } = std::mem::take(self);
        // A chunk that came both ways counts as fetched.
        reused.limit(bytes.saturating_sub(fetched));
        Fetched {
            name,
            bytes,
            bytes_fetched: fetched.min(bytes),
            reused,
            took: span.map_or(Duration::ZERO, |(began, last)| last.saturating_duration_since(began)),
            peers: u32::try_from(peers.len()).unwrap_or(u32::MAX),
        }
    }

    /// The peers that most chunks came from, with their numbers; eight at most.
    pub fn largest(&self) -> Vec<(PeerAddr, u32)> {
        let mut peers: Vec<(PeerAddr, u32)> =
            self.peers.iter().map(|(peer, chunks)| (*peer, *chunks)).collect();
        peers.sort_by_key(|(peer, chunks)| (std::cmp::Reverse(*chunks), *peer));
        peers.truncate(SHOWN_MAX);
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> PeerAddr {
        PeerAddr::from(([10, 0, 0, 1], port))
    }

    /// Reuses a chunk of this size.
    fn reuse(sources: &mut Sources, index: u32, bytes: u64) {
        let count = ChunkCount::new(3).unwrap();
        sources.reuse(ChunkIndex(index), count, &ReusedFrom::Itself, bytes);
    }

    fn name() -> ResourceName {
        "x".parse().unwrap()
    }

    #[test]
    fn what_came_is_summed_up_with_its_time_and_its_sources() {
        let begin = Instant::now();
        let mut sources = Sources::default();
        sources.begin(begin);
        for (port, s) in [(1, 1), (2, 2), (2, 4)] {
            sources.add(peer(port), 100, begin + Duration::from_secs(s));
        }
        sources.begin(begin + Duration::from_secs(5)); // it continues after a check
        assert_eq!((sources.largest(), sources.bytes()), (vec![(peer(2), 2), (peer(1), 1)], 300));
        let fetched = sources.end(name(), 1_000);
        let took = Duration::from_secs(4);
        assert_eq!(
            fetched,
            Fetched {
                name: name(),
                bytes: 1_000,
                bytes_fetched: 300,
                reused: Reused::default(),
                took,
                peers: 2
            }
        );
        assert_eq!(fetched.bytes_per_s(), 75);
    }

    #[test]
    fn what_was_here_took_no_time() {
        let begin = Instant::now();
        let mut sources = Sources::default();
        sources.begin(begin);
        reuse(&mut sources, 0, 7);
        let reused = sources.reused().clone();
        assert_eq!((reused.chunks, reused.bytes), (1, 7));
        let took = Duration::ZERO;
        let here = Fetched { name: name(), bytes: 7, bytes_fetched: 0, reused, took, peers: 0 };
        assert_eq!(sources.end(name(), 7), here);
        assert_eq!(here.bytes_per_s(), 0);
    }

    #[test]
    fn a_download_that_is_fetched_again_counts_from_its_own_beginning() {
        let begin = Instant::now();
        let mut sources = Sources::default();
        sources.begin(begin);
        sources.add(peer(1), 10, begin + Duration::from_secs(1));
        sources.end(name(), 10);
        let later = begin + Duration::from_secs(3_600);
        sources.begin(later);
        sources.add(peer(2), 4, later + Duration::from_secs(2));
        let took = Duration::from_secs(2);
        assert_eq!(
            sources.end(name(), 10),
            Fetched { name: name(), bytes: 10, bytes_fetched: 4, reused: Reused::default(), took, peers: 1 }
        );
    }

    #[test]
    fn the_time_in_which_chunks_are_reused_does_not_count() {
        let begin = Instant::now();
        let mut sources = Sources::default();
        sources.begin(begin);
        reuse(&mut sources, 0, 10);
        sources.join(begin + Duration::from_secs(60));
        sources.add(peer(1), 10, begin + Duration::from_secs(61));
        sources.join(begin + Duration::from_secs(62)); // it was paused
        assert_eq!(sources.end(name(), 20).took, Duration::from_secs(1));
    }

    #[test]
    fn what_came_twice_makes_the_file_no_larger() {
        let mut sources = Sources::default();
        (0..3).for_each(|_| sources.add(peer(1), 10, Instant::now()));
        assert_eq!(sources.end(name(), 20).bytes_fetched, 20);
    }

    #[test]
    fn what_is_reused_twice_or_fetched_after_it_was_reused_counts_once() {
        let mut sources = Sources::default();
        [0, 1, 0].into_iter().for_each(|index| reuse(&mut sources, index, 10));
        assert_eq!((sources.reused().chunks, sources.reused().bytes), (2, 20));
        sources.add(peer(1), 10, Instant::now()); // the third
        sources.add(peer(1), 10, Instant::now()); // one that the disk lost
        let fetched = sources.end(name(), 30);
        assert_eq!((fetched.bytes_fetched, fetched.reused.bytes, fetched.reused.chunks), (20, 10, 1));
        reuse(&mut sources, 0, 10);
        assert_eq!(sources.end(name(), 30).reused.chunks, 1, "the next download counts anew");
    }

    #[test]
    fn no_more_peers_are_remembered_than_there_is_room_for() {
        let mut sources = Sources::default();
        (0..3_000).for_each(|port| sources.add(peer(port), 2, Instant::now()));
        assert_eq!(sources.largest().len(), SHOWN_MAX);
        let fetched = sources.end(name(), 6_000);
        assert_eq!((fetched.peers as usize, fetched.bytes_fetched), (SOURCES_MAX, 6_000));
    }
}
