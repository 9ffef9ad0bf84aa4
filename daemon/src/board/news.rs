//! The news board: the chunks that this machine has, for the peers that poll for news.
//!
//! Every change has a number. What one connection was told, and what it must still be told, is in its [`NewsFeed`]. An
//! answer counts as told only when a later poll passes its number.

use super::feed::{KnownNews, NewsFeed};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::rpc::peer::{ADDED_MAX, HaveNews, NewsReply, NewsUpdate, UPDATES_MAX};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Limits the remembered changes of a swarm, to those that fit into one update. A peer that knows less is told all
/// chunks again.
const CHANGES_MAX: usize = ADDED_MAX;

/// Limits the remembered changes of the board, to some seconds of a fast download. A connection that has seen less
/// checks all its swarms.
const LATEST_MAX: usize = 4096;

/// Limits the bytes of have maps in one answer, approximately. A frame's head has at most 1 MiB; the rest goes into the
/// next answer.
const REPLY_BYTES_MAX: usize = 900 << 10;

/// The chunks of every swarm that this machine has.
#[derive(Debug)]
pub struct NewsBoard {
    state: Mutex<BoardState>,
    sequence: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct BoardState {
    /// The number of the last change.
    sequence: u64,
    swarms: BTreeMap<SwarmKey, BoardSwarm>,
    /// The swarm of each of the last changes, oldest first.
    latest: VecDeque<SwarmKey>,
}

#[derive(Debug)]
struct BoardSwarm {
    have: HaveMap,
    /// Changes since `complete_since`, oldest first.
    changes: VecDeque<(u64, ChunkIndex)>,
    /// A peer that knows only older changes must be told all chunks.
    complete_since: u64,
}

impl NewsBoard {
    /// An empty board.
    pub fn new() -> NewsBoard {
        NewsBoard { state: Mutex::default(), sequence: watch::Sender::new(0) }
    }

    /// The number of the last change, to be watched.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// Sets what we have in a swarm, when we join it or when chunks were lost. Every peer is told all chunks again.
    pub fn put(&self, key: SwarmKey, have: HaveMap) {
        self.change(key, |state| {
            let complete_since = state.sequence;
            state.swarms.insert(key, BoardSwarm { have, changes: VecDeque::new(), complete_since });
        });
    }

    /// Adds a chunk that we have.
    pub fn add(&self, key: SwarmKey, index: ChunkIndex) {
        self.change(key, |state| {
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

    /// Removes a chunk that we no longer have.
    pub fn lose(&self, key: SwarmKey, index: ChunkIndex) {
        let have = self.lock().swarms.get(&key).map(|swarm| swarm.have.clone());
        if let Some(mut have) = have {
            have.remove(index);
            self.put(key, have);
        }
    }

    /// Removes a swarm that we left.
    pub fn remove(&self, key: SwarmKey) {
        self.change(key, |state| {
            state.swarms.remove(&key);
        });
    }

    /// All swarms, each with the chunks that peers are told of.
    #[cfg(test)]
    pub fn all(&self) -> Vec<(SwarmKey, HaveMap)> {
        self.lock().swarms.iter().map(|(key, swarm)| (*key, swarm.have.clone())).collect()
    }

    /// The answer to a poll, which may have no updates. What does not fit goes into the next answer.
    pub fn news(&self, feed: &mut NewsFeed) -> NewsReply {
        let state = self.lock();
        feed.look_at(state.sequence, |since| state.changed_since(since));
        let (mut updates, mut bytes) = (Vec::new(), 0);
        while updates.len() < UPDATES_MAX
            && let Some((key, known)) = feed.next_due()
        {
            let Some((have, cost)) = state.update(key, known) else {
                feed.nothing_due(key);
                continue;
            };
            if bytes > 0 && bytes + cost > REPLY_BYTES_MAX {
                break;
            }
            let present = !matches!(have, HaveNews::Gone);
            feed.tell(key, KnownNews { sequence: state.sequence, present });
            bytes += cost;
            updates.push(NewsUpdate { key, have });
        }
        NewsReply { number: feed.number(), updates }
    }

    fn change(&self, key: SwarmKey, change: impl FnOnce(&mut BoardState)) {
        let sequence = {
            let mut state = self.lock();
            state.sequence += 1;
            if state.latest.len() == LATEST_MAX {
                state.latest.pop_front();
            }
            state.latest.push_back(key);
            change(&mut state);
            state.sequence
        };
        self.sequence.send_replace(sequence);
    }

    fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BoardState {
    /// The swarms that have changed since a number, possibly repeated; `None` if that is not remembered.
    fn changed_since(&self, since: u64) -> Option<Vec<SwarmKey>> {
        let changes = usize::try_from(self.sequence.checked_sub(since)?).ok()?;
        let skipped = self.latest.len().checked_sub(changes)?;
        Some(self.latest.range(skipped..).copied().collect())
    }

    /// The news of a swarm for a peer with this knowledge (`None` means nothing), and their approximate number of
    /// bytes.
    fn update(&self, key: SwarmKey, known: Option<KnownNews>) -> Option<(HaveNews, usize)> {
        let Some(swarm) = self.swarms.get(&key) else {
            // A swarm that we are not in is told once.
            return known.is_none_or(|known| known.present).then_some((HaveNews::Gone, 1));
        };
        let since = known.filter(|known| known.present).map(|known| known.sequence);
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

impl Default for NewsBoard {
    fn default() -> NewsBoard {
        NewsBoard::new()
    }
}

/// Converts a peer's news; `None` if they are not valid.
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
    use shared::swarm::News;

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([0; 32]) }
    }

    fn count(n: u32) -> ChunkCount {
        ChunkCount::new(n).unwrap()
    }

    /// A connection may have thousands of subscriptions: those without changes are not looked at.
    #[test]
    fn the_swarms_of_the_last_changes_are_remembered() {
        let board = NewsBoard::new();
        board.put(key(1), HaveMap::empty(count(8)));
        board.add(key(1), ChunkIndex(0));
        (2..5).for_each(|number| board.put(key(number), HaveMap::empty(count(8))));
        assert_eq!(board.lock().changed_since(2), Some((2..5).map(key).collect()));
        assert_eq!(board.lock().changed_since(5), Some(Vec::new()));
        (0..LATEST_MAX).for_each(|_| board.remove(key(9)));
        assert_eq!(board.lock().changed_since(5), Some(vec![key(9); LATEST_MAX]));
        assert_eq!(board.lock().changed_since(4), None, "the change before the last LATEST_MAX is forgotten");
    }

    #[test]
    fn who_has_all_chunks_says_so_in_short() {
        let (board, mut feed) = (NewsBoard::new(), NewsFeed::default());
        let mut all_but_one = HaveMap::full(count(8));
        all_but_one.remove(ChunkIndex(3));
        board.put(key(1), HaveMap::full(count(8)));
        board.put(key(2), all_but_one);
        feed.subscribe(shared::rpc::peer::Subscriptions { removed: Vec::new(), added: vec![key(1), key(2)] });
        let told = board.news(&mut feed).updates;
        let map = vec![0b1111_0111];
        assert_eq!(
            told.into_iter().map(|update| update.have).collect::<Vec<_>>(),
            [HaveNews::All, HaveNews::Replace { count: count(8), map }]
        );
    }

    #[test]
    fn news_that_do_not_fit_the_swarm_are_not_read() {
        let replace = |chunks, map: &[u8]| HaveNews::Replace { count: count(chunks), map: map.to_vec() };
        let add = |indices: &[u32]| HaveNews::Add(indices.iter().copied().map(ChunkIndex).collect());
        let map = HaveMap::from_bytes(count(8), &[3]).unwrap();
        let cases = [
            (HaveNews::All, Some(News::All)),
            (HaveNews::Gone, Some(News::Gone)),
            (replace(8, &[3]), Some(News::Replace(map))),
            (replace(8, &[3, 0]), None),
            (replace(7, &[3]), None),
            (add(&[0, 7]), Some(News::Add(vec![ChunkIndex(0), ChunkIndex(7)]))),
            (add(&[0, 8]), None),
            (add(&[0; ADDED_MAX]), Some(News::Add(vec![ChunkIndex(0); ADDED_MAX]))),
            (add(&[0; ADDED_MAX + 1]), None),
        ];
        for (news, read) in cases {
            let what = format!("{news:?}");
            assert_eq!(read_news(news, count(8)), read, "{what}");
        }
    }
}
