//! Who is connected: strangers, who have not said hello, and peers, who have. Both are bounded, apart from each other, so
//! that no number of strangers keeps a peer out.

use crate::context::Context;
use shared::id::PeerId;
use shared::rpc::control::Rejection;
use shared::swarm::PeerAddr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// How many connections one peer may have: two, and those that are on their way out.
const PER_PEER_MAX: usize = 8;
/// Nobody who asked for something so lately makes room for others.
const SPARED_FOR: Duration = Duration::from_secs(10);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Of peers. The one that asked for nothing for the longest time goes first.
    pub peers_max: usize,
    /// Of strangers; the oldest goes first.
    pub strangers_max: usize,
}

/// All connections that others made to us.
#[derive(Debug)]
pub struct Room {
    caps: Caps,
    context: Arc<Context>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    strangers: VecDeque<(u64, AbortHandle)>,
    peers: BTreeMap<u64, Known>,
}

#[derive(Debug)]
struct Known {
    who: (PeerAddr, PeerId),
    task: AbortHandle,
    asked_at: Instant,
}

impl Room {
    /// An empty one.
    pub fn new(context: Arc<Context>, caps: Caps) -> Arc<Room> {
        Arc::new(Room { caps, context, state: Mutex::default() })
    }

    /// Lets a stranger in. Its connection is served by the task that is started with its number.
    pub fn admit(&self, start: impl FnOnce(u64) -> AbortHandle) {
        let mut state = self.lock();
        if state.strangers.len() >= self.caps.strangers_max
            && let Some((_, oldest)) = state.strangers.pop_front()
        {
            self.context.rejections.count(Rejection::Crowded);
            oldest.abort();
        }
        state.next += 1;
        let number = state.next;
        let task = start(number);
        state.strangers.push_back((number, task));
    }

    /// A stranger said hello. `false` when there are too many connections, in all or of this peer.
    pub fn know(&self, number: u64, who: (PeerAddr, PeerId)) -> bool {
        let mut state = self.lock();
        let Some(at) = state.strangers.iter().position(|(other, _)| *other == number) else { return false };
        if state.peers.values().filter(|known| known.who == who).count() >= PER_PEER_MAX {
            return false;
        }
        if state.peers.len() >= self.caps.peers_max && !self.make_room(&mut state) {
            return false;
        }
        let Some((_, task)) = state.strangers.remove(at) else { return false };
        state.peers.insert(number, Known { who, task, asked_at: Instant::now() });
        true
    }

    /// A peer asked for something.
    pub fn asked(&self, number: u64) {
        if let Some(known) = self.lock().peers.get_mut(&number) {
            known.asked_at = Instant::now();
        }
    }

    /// A connection has ended.
    pub fn leave(&self, number: u64) {
        let mut state = self.lock();
        state.strangers.retain(|(other, _)| *other != number);
        state.peers.remove(&number);
    }

    fn make_room(&self, state: &mut State) -> bool {
        let idle = state.peers.iter().filter(|(_, known)| known.asked_at.elapsed() > SPARED_FOR);
        let Some(longest) = idle.min_by_key(|(_, known)| known.asked_at).map(|(&number, _)| number) else {
            return false;
        };
        if let Some(known) = state.peers.remove(&longest) {
            self.context.rejections.count(Rejection::Crowded);
            known.task.abort();
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
