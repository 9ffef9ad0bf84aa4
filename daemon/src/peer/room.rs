//! Who is connected: strangers, who have not said hello, and peers, who have. Both are bounded, apart from each other, so
//! that no number of strangers keeps a peer out.

use crate::inbox::Context;
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
        // One whose power was cut has left connections that nobody has ended yet.
        let of_peer = state.peers.values().filter(|known| known.who == who).count();
        if of_peer >= PER_PEER_MAX && !self.make_room(&mut state, |known| known.who == who) {
            return false;
        }
        if state.peers.len() >= self.caps.peers_max && !self.make_room(&mut state, |_| true) {
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

    /// Ends the one of these connections that asked for nothing for the longest time, if that is long enough.
    fn make_room(&self, state: &mut State, of: impl Fn(&Known) -> bool) -> bool {
        let idle = state.peers.iter().filter(|(_, known)| of(known) && known.asked_at.elapsed() > SPARED_FOR);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Bucket;
    use shared::host::config::RateLimit;

    fn room(peers_max: usize) -> Arc<Room> {
        let limit = || Bucket::new(RateLimit::None);
        let listen = PeerAddr::from(([127, 0, 0, 1], 1));
        let (context, _, _) = Context::new(PeerId([1; 16]), listen, String::new(), (limit(), limit()));
        Room::new(context, Caps { peers_max, strangers_max: 4 })
    }

    /// A connection that says hello: its number, if it is let in.
    fn greet(room: &Room, port: u16) -> Option<u64> {
        let mut number = 0;
        room.admit(|given| {
            number = given;
            tokio::spawn(std::future::pending::<()>()).abort_handle()
        });
        room.know(number, (PeerAddr::from(([10, 0, 0, 1], port)), PeerId([2; 16]))).then_some(number)
    }

    fn ask_for_nothing(room: &Room, number: u64) {
        let long = SPARED_FOR + Duration::from_secs(1);
        let asked_at = Instant::now().checked_sub(long).expect("this machine runs for longer");
        room.lock().peers.get_mut(&number).expect("it is let in").asked_at = asked_at;
    }

    #[tokio::test]
    async fn a_peer_that_comes_back_takes_the_place_of_its_dead_connections() {
        let room = room(100);
        let numbers = [(); PER_PEER_MAX].map(|()| greet(&room, 1).expect("there is room"));
        assert_eq!(greet(&room, 1), None, "all of them may live");
        ask_for_nothing(&room, numbers[3]);
        assert!(greet(&room, 1).is_some() && !room.lock().peers.contains_key(&numbers[3]));
        assert_eq!(greet(&room, 1), None);
    }

    #[tokio::test]
    async fn who_asked_for_nothing_makes_room_for_another_peer() {
        let room = room(2);
        let numbers = [1, 2].map(|port| greet(&room, port).expect("there is room"));
        assert_eq!(greet(&room, 3), None);
        ask_for_nothing(&room, numbers[1]);
        assert!(greet(&room, 3).is_some() && !room.lock().peers.contains_key(&numbers[1]));
    }
}
