//! Counts where the chunks of a download came from, for the log.

use shared::chunk::CHUNK_BYTES;
use shared::swarm::PeerAddr;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Limits the peers of one download that are counted separately. Chunks of further peers are counted without an
/// address, so the number of peers is too low then.
const SOURCES_MAX: usize = 1024;

/// Limits the peers that the log names, those with the most chunks first. Eight fit on a line.
const SHOWN_MAX: usize = 8;

/// The peers that chunks of a download came from, since this run of the daemon began with it.
#[derive(Debug)]
pub struct Sources {
    peers: BTreeMap<PeerAddr, u32>,
    chunks: u32,
    began: Instant,
    /// When the last chunk came.
    last: Instant,
}

/// The result of a download, and its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes that came from peers.
    pub bytes: u64,
    /// The time from the beginning of the download to its last chunk.
    pub took: Duration,
    /// The number of peers.
    pub peers: usize,
}

impl Sources {
    /// A download that begins now.
    pub fn new(now: Instant) -> Sources {
        Sources { peers: BTreeMap::new(), chunks: 0, began: now, last: now }
    }

    /// A chunk came from a peer, and is stored.
    pub fn took(&mut self, peer: PeerAddr, now: Instant) {
        self.chunks = self.chunks.saturating_add(1);
        self.last = now;
        if self.peers.len() < SOURCES_MAX || self.peers.contains_key(&peer) {
            *self.peers.entry(peer).or_default() += 1;
        }
    }

    /// The result for a file of this many bytes and chunks. If not all of it came from peers, each chunk counts as a
    /// whole one.
    pub fn fetched(&self, bytes: u64, chunks: u32) -> Fetched {
        let fetched = match self.chunks >= chunks {
            true => bytes,
            false => bytes.min(u64::from(self.chunks) * u64::from(CHUNK_BYTES)),
        };
        Fetched { bytes: fetched, took: self.last.duration_since(self.began), peers: self.peers.len() }
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

    #[test]
    fn what_came_is_told_with_its_time_and_its_sources() {
        let begin = Instant::now();
        let mut sources = Sources::new(begin);
        let mib = u64::from(CHUNK_BYTES);
        assert_eq!(sources.fetched(3 * mib, 3), Fetched { bytes: 0, took: Duration::ZERO, peers: 0 });
        for (port, s) in [(1, 1), (2, 2), (2, 4)] {
            sources.took(peer(port), begin + Duration::from_secs(s));
        }
        let took = Duration::from_secs(4);
        assert_eq!(sources.fetched(2 * mib + 5, 3), Fetched { bytes: 2 * mib + 5, took, peers: 2 });
        assert_eq!(sources.fetched(10 * mib, 10), Fetched { bytes: 3 * mib, took, peers: 2 });
        assert_eq!(sources.largest(), [(peer(2), 2), (peer(1), 1)]);
    }

    #[test]
    fn no_more_peers_are_remembered_than_there_is_room_for() {
        let mut sources = Sources::new(Instant::now());
        (0..3_000).for_each(|port| sources.took(peer(port), Instant::now()));
        assert_eq!(
            (sources.peers.len(), sources.chunks, sources.largest().len()),
            (SOURCES_MAX, 3_000, SHOWN_MAX)
        );
    }
}
