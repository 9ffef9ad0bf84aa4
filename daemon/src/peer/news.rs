//! The news board: what this machine has, for the peers that poll for it.
//!
//! Every change has a number. A poll hands in the number that it has seen; a swarm that is new to a
//! connection, or whose changes are not all remembered any more, is told in full.

use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::rpc::peer::{ADDED_MAX, HaveNews, NewsReply, NewsUpdate, Seen, UPDATES_MAX};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many changes of a swarm are remembered.
const CHANGES_MAX: usize = ADDED_MAX;

/// About how many bytes of have maps go into one answer (a frame's head has 1 MiB).
const REPLY_BYTES_MAX: usize = 900 << 10;

/// What every swarm of this machine has.
#[derive(Debug)]
pub struct NewsBoard {
    epoch: u64,
    state: Mutex<State>,
    sequence: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    swarms: BTreeMap<SwarmKey, Swarm>,
}

#[derive(Debug)]
struct Swarm {
    have: HaveMap,
    /// Changes since `complete_since`, oldest first.
    changes: VecDeque<(u64, ChunkIndex)>,
    /// Whoever has seen less than this must be told in full.
    complete_since: u64,
}

/// What one connection was told: the number at which each swarm was told in full. Handed in with each poll.
#[derive(Debug, Default)]
pub struct Told {
    full_at: BTreeMap<SwarmKey, Option<ToldAt>>,
}

/// When a swarm was told in full, and whether it was there then.
#[derive(Debug, Clone, Copy)]
struct ToldAt {
    sequence: u64,
    present: bool,
}

impl Told {
    /// Takes note of a poll's subscriptions; returns those that are new to this connection.
    pub fn subscribe(&mut self, keys: &[SwarmKey]) -> Vec<SwarmKey> {
        let wanted: BTreeSet<&SwarmKey> = keys.iter().collect();
        self.full_at.retain(|key, _| wanted.contains(key));
        let new: Vec<SwarmKey> = keys.iter().filter(|key| !self.full_at.contains_key(key)).copied().collect();
        self.full_at.extend(new.iter().map(|&key| (key, None)));
        new
    }
}

impl NewsBoard {
    /// An empty board. The epoch tells this start of the daemon from all others.
    pub fn new(epoch: u64) -> NewsBoard {
        NewsBoard { epoch, state: Mutex::default(), sequence: watch::Sender::new(0) }
    }

    /// A number that changes with every change of the board.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// We take part in a swarm, or have something else of it than we said: everybody is told in full.
    pub fn put(&self, key: SwarmKey, have: HaveMap) {
        self.change(|state| {
            let complete_since = state.sequence;
            state.swarms.insert(key, Swarm { have, changes: VecDeque::new(), complete_since });
        });
    }

    /// We have one more chunk.
    pub fn add(&self, key: SwarmKey, index: ChunkIndex) {
        self.change(|state| {
            let sequence = state.sequence;
            let Some(swarm) = state.swarms.get_mut(&key) else { return };
            if !swarm.have.insert(index) {
                return;
            }
            if swarm.changes.len() == CHANGES_MAX {
                let (dropped, _) = swarm.changes.pop_front().expect("it is at its bound, which is not 0");
                swarm.complete_since = dropped;
            }
            swarm.changes.push_back((sequence, index));
        });
    }

    /// A chunk is not there any more.
    pub fn take(&self, key: SwarmKey, index: ChunkIndex) {
        let have = self.lock().swarms.get(&key).map(|swarm| swarm.have.clone());
        if let Some(mut have) = have {
            have.remove(index);
            self.put(key, have);
        }
    }

    /// We do not take part in a swarm any more.
    pub fn remove(&self, key: SwarmKey) {
        self.change(|state| {
            state.swarms.remove(&key);
        });
    }

    /// What a poll is to be told; nothing to tell gives no updates.
    pub fn news(&self, keys: &[SwarmKey], seen: Option<Seen>, told: &mut Told) -> NewsReply {
        let state = self.lock();
        let seen = seen.filter(|seen| seen.epoch == self.epoch).map_or(0, |seen| seen.sequence);
        let (mut updates, mut bytes) = (Vec::new(), 0);
        for &key in keys {
            let full_at = told.full_at.entry(key).or_default();
            let present = state.swarms.contains_key(&key);
            let since = full_at.filter(|at| seen >= at.sequence && at.present == present).map(|_| seen);
            let Some((have, cost)) = state.update(key, since) else { continue };
            if updates.len() == UPDATES_MAX || (bytes > 0 && bytes + cost > REPLY_BYTES_MAX) {
                *full_at = None; // left out: told in full by the next answer
                continue;
            }
            if !matches!(have, HaveNews::Add(_)) {
                *full_at = Some(ToldAt { sequence: state.sequence, present });
            }
            bytes += cost;
            updates.push(NewsUpdate { key, have });
        }
        NewsReply { seen: Seen { epoch: self.epoch, sequence: state.sequence }, updates }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let sequence = {
            let mut state = self.lock();
            state.sequence += 1;
            change(&mut state);
            state.sequence
        };
        self.sequence.send_replace(sequence);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is new in a swarm since a number (`None`: everything is), and about how many bytes it takes.
    fn update(&self, key: SwarmKey, since: Option<u64>) -> Option<(HaveNews, usize)> {
        let Some(swarm) = self.swarms.get(&key) else {
            // Told once: a swarm that was never here, or is not here any more.
            return since.is_none().then_some((HaveNews::Gone, 1));
        };
        match since.filter(|&since| since >= swarm.complete_since) {
            Some(since) => {
                let new = swarm.changes.iter().skip_while(|(number, _)| *number <= since);
                let added: Vec<ChunkIndex> = new.map(|&(_, index)| index).collect();
                let cost = added.len() * 4;
                (!added.is_empty()).then_some((HaveNews::Add(added), cost))
            }
            None if swarm.have.is_full() => Some((HaveNews::All, 1)),
            None => {
                let map = swarm.have.to_bytes();
                let cost = map.len();
                Some((HaveNews::Replace { count: swarm.have.count(), map }, cost))
            }
        }
    }
}

/// Reads what a peer says it has; `None` when that is nonsense.
pub fn read_news(news: HaveNews, count: ChunkCount) -> Option<shared::swarm::News> {
    use shared::swarm::News;
    match news {
        HaveNews::All => Some(News::All),
        HaveNews::Replace { count: theirs, map } if theirs == count => {
            HaveMap::from_bytes(count, &map).map(News::Replace)
        }
        HaveNews::Replace { .. } => None,
        HaveNews::Add(added) => (added.len() <= ADDED_MAX
            && added.iter().all(|&index| count.contains(index)))
        .then_some(News::Add(added)),
        HaveNews::Gone => Some(News::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([0; 32]) }
    }

    fn count(n: u32) -> ChunkCount {
        ChunkCount::new(n).unwrap()
    }

    /// A peer that polls and keeps what it is told.
    #[derive(Default)]
    struct Poller {
        told: Told,
        seen: Option<Seen>,
        have: BTreeMap<SwarmKey, Option<HaveMap>>,
    }

    impl Poller {
        fn poll(&mut self, board: &NewsBoard, keys: &[SwarmKey], sizes: u32) -> usize {
            self.told.subscribe(keys);
            let reply = board.news(keys, self.seen, &mut self.told);
            self.seen = Some(reply.seen);
            let updates = reply.updates.len();
            for update in reply.updates {
                let have = match update.have {
                    HaveNews::All => Some(HaveMap::full(count(sizes))),
                    HaveNews::Replace { count, map } => HaveMap::from_bytes(count, &map),
                    HaveNews::Add(added) => {
                        let mut have = self.have[&update.key].clone().expect("told in full first");
                        added.into_iter().for_each(|index| assert!(have.insert(index)));
                        Some(have)
                    }
                    HaveNews::Gone => None,
                };
                self.have.insert(update.key, have);
            }
            updates
        }
    }

    #[test]
    fn a_poller_always_knows_what_the_board_has() {
        let (board, keys) = (NewsBoard::new(7), [key(1), key(2)]);
        let mut poller = Poller::default();
        assert_eq!(poller.poll(&board, &keys, 5000), 2, "two swarms that are not there");
        board.put(key(1), HaveMap::empty(count(5000)));
        poller.poll(&board, &keys, 5000);
        for index in 0..5000 {
            board.add(key(1), ChunkIndex(index));
            if index % 700 == 0 {
                assert_eq!(poller.poll(&board, &keys, 5000), 1);
            }
        }
        poller.poll(&board, &keys, 5000);
        assert!(poller.have[&key(1)].as_ref().unwrap().is_full());
        assert_eq!(poller.poll(&board, &keys, 5000), 0, "nothing is told twice");
        board.take(key(1), ChunkIndex(3));
        poller.poll(&board, &keys, 5000);
        assert_eq!(poller.have[&key(1)].as_ref().unwrap().first_missing(), Some(ChunkIndex(3)));
        board.remove(key(1));
        poller.poll(&board, &keys, 5000);
        assert_eq!(poller.have[&key(1)], None);
    }

    #[test]
    fn who_missed_too_much_is_told_in_full() {
        let (board, mut poller) = (NewsBoard::new(7), Poller::default());
        board.put(key(1), HaveMap::empty(count(20_000)));
        poller.poll(&board, &[key(1)], 20_000);
        (0..15_000).for_each(|index| board.add(key(1), ChunkIndex(index)));
        poller.poll(&board, &[key(1)], 20_000);
        assert_eq!(poller.have[&key(1)].as_ref().unwrap().len(), 15_000);
    }

    #[test]
    fn what_does_not_fit_comes_with_the_next_answer() {
        let (board, mut poller) = (NewsBoard::new(7), Poller::default());
        let keys: Vec<SwarmKey> = (0..=255).chain(0..10).map(key).collect();
        let keys: Vec<SwarmKey> =
            keys.into_iter().map(|k| SwarmKey { digest: ListDigest([1; 32]), ..k }).collect();
        keys.iter().for_each(|&key| board.put(key, HaveMap::empty(count(4 << 20))));
        let mut told = 0;
        while let new @ 1.. = poller.poll(&board, &keys[..6], 4 << 20) {
            assert!(new <= 2, "two maps of 512 KiB would not fit");
            told += new;
        }
        assert_eq!(told, 6);
    }

    #[test]
    fn an_answer_that_was_lost_is_told_again() {
        let (board, mut told) = (NewsBoard::new(7), Told::default());
        board.put(key(1), HaveMap::full(count(3)));
        told.subscribe(&[key(1)]);
        let lost = board.news(&[key(1)], None, &mut told);
        assert_eq!(lost.updates.len(), 1);
        assert_eq!(board.news(&[key(1)], None, &mut told).updates, lost.updates);
        assert!(board.news(&[key(1)], Some(lost.seen), &mut told).updates.is_empty());
    }
}
