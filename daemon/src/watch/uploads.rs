//! Collects for the log what was sent to which peer: one line for each peer that has stopped fetching, and one summary
//! for further peers of a file. Pure: the time is passed in.

use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::swarm::{AskId, PeerAddr};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Limits the peers, of all resources together, that are counted separately; what is sent to further ones is not
/// logged. It is more than fetch from one machine at a time.
const UPLOADS_MAX: usize = 4096;

/// A peer that was sent nothing for this time has stopped. It is longer than a peer waits between two requests.
const QUIET: Duration = Duration::from_secs(10);

/// Limits the peers that have a line of their own in each [`SPAN`]. Further ones are summed up in one line for each
/// resource, because a fleet of 1,000 machines must not fill the journal.
const LINES_MAX: u32 = 10;

/// The time after which the sums are logged, and more peers may have a line of their own.
const SPAN: Duration = Duration::from_secs(60);

/// A chunk that is being sent.
#[derive(Debug)]
struct Sending {
    key: SwarmKey,
    peer: PeerAddr,
    /// The name and the size in bytes of what is sent; `None` before it is read.
    what: Option<(ResourceName, u64)>,
    /// When the peer asked for it.
    asked: Instant,
}

/// What one peer was sent of one resource.
#[derive(Debug)]
struct Upload {
    /// The resource's name. When the line is due, the resource may be gone.
    name: ResourceName,
    bytes: u64,
    first: Instant,
    last: Instant,
}

/// What further peers were sent of one resource.
#[derive(Debug)]
struct Sum {
    name: ResourceName,
    peers: u32,
    bytes: u64,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// To one peer.
    Peer {
        /// What, under its first name at that time.
        name: ResourceName,
        /// Its swarm.
        key: SwarmKey,
        /// To whom.
        peer: PeerAddr,
        /// How many bytes.
        bytes: u64,
        /// The time from the first request to the last byte.
        took: Duration,
    },
    /// To several peers, within a minute.
    Others {
        /// What, under its first name at that time.
        name: ResourceName,
        /// Its swarm.
        key: SwarmKey,
        /// To how many.
        peers: u32,
        /// The bytes that were sent to all of them.
        bytes: u64,
    },
}

/// The chunks that are being sent or were sent recently.
#[derive(Debug)]
pub struct Uploads {
    asked: BTreeMap<AskId, Sending>,
    uploads: BTreeMap<(SwarmKey, PeerAddr), Upload>,
    others: BTreeMap<SwarmKey, Sum>,
    /// The beginning of the current span, and the number of its lines.
    span: (Instant, u32),
}

impl Uploads {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Uploads {
        Uploads { asked: BTreeMap::new(), uploads: BTreeMap::new(), others: BTreeMap::new(), span: (now, 0) }
    }

    /// A peer asks for a chunk. Each call is followed by one of [`ended`](Uploads::ended).
    pub fn asked(&mut self, ask: AskId, key: SwarmKey, peer: PeerAddr, now: Instant) {
        self.asked.insert(ask, Sending { key, peer, what: None, asked: now });
    }

    /// How many requests were not answered yet.
    #[cfg(test)]
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// The chunk is being sent: this many bytes of the resource of this name.
    pub fn serves(&mut self, ask: AskId, name: &ResourceName, bytes: u64) {
        if let Some(sending) = self.asked.get_mut(&ask) {
            sending.what = Some((name.clone(), bytes));
        }
    }

    /// A request has ended: the chunk was sent, or not.
    pub fn ended(&mut self, ask: AskId, is_sent: bool, now: Instant) {
        let Some(Sending { key, peer, what, asked }) = self.asked.remove(&ask) else { return };
        let Some((name, bytes)) = what.filter(|_| is_sent) else { return };
        if self.uploads.len() >= UPLOADS_MAX && !self.uploads.contains_key(&(key, peer)) {
            return;
        }
        let blank = Upload { name, bytes: 0, first: asked, last: now };
        let upload = self.uploads.entry((key, peer)).or_insert(blank);
        (upload.bytes, upload.last) = (upload.bytes.saturating_add(bytes), now);
    }

    /// The lines that are due now.
    pub fn due(&mut self, now: Instant) -> Vec<Sent> {
        self.lines(now, |upload| now.duration_since(upload.last) >= QUIET, false)
    }

    /// The remaining lines, when the daemon ends.
    pub fn rest(&mut self, now: Instant) -> Vec<Sent> {
        self.lines(now, |_| true, true)
    }

    fn lines(&mut self, now: Instant, is_over: impl Fn(&Upload) -> bool, is_end: bool) -> Vec<Sent> {
        let mut lines = Vec::new();
        if is_end || now.duration_since(self.span.0) >= SPAN {
            self.span = (now, 0);
            lines.extend(self.sums());
        }
        let over: Vec<_> = self.uploads.extract_if(.., |_, upload| is_over(upload)).collect();
        for ((key, peer), Upload { name, bytes, first, last }) in over {
            if self.span.1 < LINES_MAX {
                self.span.1 += 1;
                lines.push(Sent::Peer { name, key, peer, bytes, took: last.duration_since(first) });
            } else {
                let sum = self.others.entry(key).or_insert(Sum { name, peers: 0, bytes: 0 });
                (sum.peers, sum.bytes) = (sum.peers + 1, sum.bytes.saturating_add(bytes));
            }
        }
        if is_end {
            lines.extend(self.sums());
        }
        lines
    }

    fn sums(&mut self) -> impl Iterator<Item = Sent> + use<> {
        let sums = std::mem::take(&mut self.others).into_iter();
        sums.map(|(key, Sum { name, peers, bytes })| Sent::Others { name, key, peers, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    const KEY: SwarmKey = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };
    const SECOND: Duration = Duration::from_secs(1);

    fn name() -> ResourceName {
        "x".parse().unwrap()
    }

    fn peer(number: u32) -> PeerAddr {
        PeerAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + number), 7987))
    }

    fn send(uploads: &mut Uploads, ask: u64, to: u32, bytes: u64, from: Instant, until: Instant) {
        uploads.asked(AskId(ask), KEY, peer(to), from);
        uploads.serves(AskId(ask), &name(), bytes);
        uploads.ended(AskId(ask), true, until);
    }

    #[test]
    fn a_peer_that_has_had_enough_is_told_once() {
        let begin = Instant::now();
        let mut uploads = Uploads::new(begin);
        send(&mut uploads, 1, 7, 100, begin, begin + SECOND);
        send(&mut uploads, 2, 7, 50, begin + SECOND, begin + SECOND * 4);
        uploads.asked(AskId(3), KEY, peer(8), begin);
        uploads.ended(AskId(3), false, begin + SECOND);
        assert!(uploads.due(begin + SECOND * 13).is_empty(), "it may ask for more");
        let sent = Sent::Peer { name: name(), key: KEY, peer: peer(7), bytes: 150, took: SECOND * 4 };
        assert_eq!(uploads.due(begin + SECOND * 14), [sent]);
        assert!(uploads.due(begin + SECOND * 99).is_empty() && uploads.rest(begin + SECOND * 99).is_empty());
    }

    #[test]
    fn a_fleet_of_a_thousand_takes_few_lines() {
        let begin = Instant::now();
        let mut uploads = Uploads::new(begin);
        (0..1_000).for_each(|to| send(&mut uploads, to.into(), to, 10, begin, begin + SECOND));
        let first = uploads.due(begin + SECOND * 20);
        assert_eq!(first.len(), LINES_MAX as usize);
        assert!(uploads.due(begin + SECOND * 59).is_empty());
        let others = Sent::Others { name: name(), key: KEY, peers: 990, bytes: 9_900 };
        assert_eq!(uploads.due(begin + SECOND * 60), [others]);
        assert!(uploads.rest(begin + SECOND * 61).is_empty());
    }

    #[test]
    fn at_the_end_nothing_is_left_out() {
        let begin = Instant::now();
        let mut uploads = Uploads::new(begin);
        (0..30).for_each(|to| send(&mut uploads, to.into(), to, 10, begin, begin));
        let rest = uploads.rest(begin + SECOND);
        assert_eq!(rest.len(), LINES_MAX as usize + 1);
        assert_eq!(rest.last(), Some(&Sent::Others { name: name(), key: KEY, peers: 20, bytes: 200 }));
    }
}
