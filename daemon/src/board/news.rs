//! The news board: what this machine has, for the peers that poll for it.
//!
//! Every change has a number. What one connection was told, and what is due to it, is kept in its [`Told`]. An answer
//! counts as told only when a later poll hands in its number.

use super::told::{Known, Told};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::rpc::peer::{ADDED_MAX, HaveNews, NewsReply, NewsUpdate, UPDATES_MAX};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many changes of a swarm are remembered.
const CHANGES_MAX: usize = ADDED_MAX;

/// Of how many changes of the board it is remembered which swarm they were of. A connection that looked at the board
/// longer ago looks at all its swarms.
const LATEST_MAX: usize = 4096;

/// About how many bytes of have maps go into one answer (a frame's head has 1 MiB).
const REPLY_BYTES_MAX: usize = 900 << 10;

/// What every swarm of this machine has.
#[derive(Debug)]
pub struct NewsBoard {
    state: Mutex<State>,
    sequence: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last change.
    sequence: u64,
    swarms: BTreeMap<SwarmKey, Swarm>,
    /// Which swarm each of the last changes was of, oldest first.
    latest: VecDeque<SwarmKey>,
}

#[derive(Debug)]
struct Swarm {
    have: HaveMap,
    /// Changes since `complete_since`, oldest first.
    changes: VecDeque<(u64, ChunkIndex)>,
    /// A peer that knows less than this must be told in full.
    complete_since: u64,
}

impl NewsBoard {
    /// An empty board.
    pub fn new() -> NewsBoard {
        NewsBoard { state: Mutex::default(), sequence: watch::Sender::new(0) }
    }

    /// A number that changes with every change of the board.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// We take part in a swarm, or have something else of it than we said: everybody is told in full.
    pub fn put(&self, key: SwarmKey, have: HaveMap) {
        self.change(key, |state| {
            let complete_since = state.sequence;
            state.swarms.insert(key, Swarm { have, changes: VecDeque::new(), complete_since });
        });
    }

    /// We have one more chunk.
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
        self.change(key, |state| {
            state.swarms.remove(&key);
        });
    }

    /// What a poll is to be told; nothing to tell gives no updates. What does not fit comes with the next answer.
    pub fn news(&self, told: &mut Told) -> NewsReply {
        let state = self.lock();
        told.look_at(state.sequence, |since| state.changed_since(since));
        let (mut updates, mut bytes) = (Vec::new(), 0);
        while updates.len() < UPDATES_MAX
            && let Some((key, known)) = told.next_due()
        {
            let Some((have, cost)) = state.update(key, known) else {
                told.nothing_due(key);
                continue;
            };
            if bytes > 0 && bytes + cost > REPLY_BYTES_MAX {
                break;
            }
            let present = !matches!(have, HaveNews::Gone);
            told.tell(key, Known { sequence: state.sequence, present });
            bytes += cost;
            updates.push(NewsUpdate { key, have });
        }
        NewsReply { number: told.number(), updates }
    }

    fn change(&self, key: SwarmKey, change: impl FnOnce(&mut State)) {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The swarms that have changed since a number, some of them more than once; `None` when that is not remembered.
    fn changed_since(&self, since: u64) -> Option<Vec<SwarmKey>> {
        let changes = usize::try_from(self.sequence.checked_sub(since)?).ok()?;
        let skipped = self.latest.len().checked_sub(changes)?;
        Some(self.latest.range(skipped..).copied().collect())
    }

    /// What is new in a swarm to somebody who knows this of it (`None`: nothing), and about how many bytes it takes.
    fn update(&self, key: SwarmKey, known: Option<Known>) -> Option<(HaveNews, usize)> {
        let Some(swarm) = self.swarms.get(&key) else {
            // Told once: a swarm that was never here, or is not here any more.
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
