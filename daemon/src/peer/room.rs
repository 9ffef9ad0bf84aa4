//! The incoming connections: strangers, which have not said hello, and peers, which have. Each kind has its own limit,
//! so that no number of strangers keeps a peer out.

use crate::board::bans::Dialler;
use crate::board::rejections::Rejections;
use shared::rpc::control::Rejection;
use shared::rpc::wire::Crowd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// Limits the connections of one peer: two, and some that have not closed yet. Beyond it the peer's longest idle one is
/// closed, or the new one is refused.
const PER_PEER_MAX: usize = 8;
/// A peer that asked for something within this time is not disconnected to make room. A peer that is fetching asks more
/// often.
const SPARED_FOR: Duration = Duration::from_secs(10);

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Limits the connections of peers. Beyond it the one that has been idle longest is closed.
    pub peers_max: usize,
    /// Limits the connections of strangers. Beyond it the oldest is closed.
    pub strangers_max: usize,
}

/// All connections that others made to us.
#[derive(Debug)]
pub struct Room {
    peers_max: usize,
    crowd: Mutex<Crowd<AbortHandle, GreetedPeer>>,
}

#[derive(Debug)]
struct GreetedPeer {
    who: Dialler,
    asked_at: Instant,
}

impl Room {
    /// No connections.
    pub fn new(Caps { peers_max, strangers_max }: Caps) -> Arc<Room> {
        let crowd = Crowd::new(strangers_max, strangers_max.saturating_add(peers_max));
        Arc::new(Room { peers_max, crowd: Mutex::new(crowd) })
    }

    /// Admits a stranger. `start` gets the connection's number and starts the task that serves it.
    pub fn admit(&self, rejections: &Rejections, start: impl FnOnce(u64) -> AbortHandle) {
        let admitted = self.crowd().admit(start);
        if let Some(oldest) = admitted.and_then(|admitted| admitted.gone) {
            rejections.count(Rejection::Crowded);
            oldest.abort();
        }
    }

    /// Notes that a stranger said hello. Returns `false` if there are too many connections, in total or of this peer.
    pub fn know(&self, rejections: &Rejections, number: u64, who: Dialler) -> bool {
        let mut crowd = self.crowd();
        if !crowd.is_stranger(number) {
            return false;
        }
        // A peer whose power was cut has left connections that are not closed yet.
        let of_peer = crowd.known().filter(|(_, known)| known.who.is_same(&who)).count();
        if of_peer >= PER_PEER_MAX && !make_room(&mut crowd, rejections, |known| known.who.is_same(&who)) {
            return false;
        }
        if crowd.known_len() >= self.peers_max && !make_room(&mut crowd, rejections, |_| true) {
            return false;
        }
        crowd.know(number, GreetedPeer { who, asked_at: Instant::now() })
    }

    /// Notes that a peer asked for something.
    pub fn asked(&self, number: u64) {
        if let Some(known) = self.crowd().known_mut(number) {
            known.asked_at = Instant::now();
        }
    }

    /// Removes a connection that ended.
    pub fn leave(&self, number: u64) {
        self.crowd().remove(number);
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd<AbortHandle, GreetedPeer>> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the matching connection that has been idle longest, if that is long enough. Returns whether it closed one.
fn make_room(
    crowd: &mut Crowd<AbortHandle, GreetedPeer>,
    rejections: &Rejections,
    of: impl Fn(&GreetedPeer) -> bool,
) -> bool {
    let idle = crowd.known().filter(|(_, known)| of(known) && known.asked_at.elapsed() > SPARED_FOR);
    let longest = idle.min_by_key(|(_, known)| known.asked_at).map(|(number, _)| number);
    let Some(end) = longest.and_then(|number| crowd.remove(number)) else { return false };
    rejections.count(Rejection::Crowded);
    end.abort();
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::PeerId;
    use shared::swarm::PeerAddr;

    fn room(peers_max: usize) -> Arc<Room> {
        Room::new(Caps { peers_max, strangers_max: 4 })
    }

    fn dialler(port: u16, node: Option<&str>) -> Dialler {
        let node = node.map(|node| node.parse().unwrap());
        Dialler { addr: PeerAddr::from(([10, 0, 0, 1], port)), id: PeerId([2; 16]), node }
    }

    /// A connection that says hello. Returns its number if it is admitted.
    fn greet(room: &Room, port: u16) -> Option<u64> {
        let mut number = 0;
        room.admit(&Rejections::default(), |given| {
            number = given;
            tokio::spawn(std::future::pending::<()>()).abort_handle()
        });
        room.know(&Rejections::default(), number, dialler(port, None)).then_some(number)
    }

    fn ask_for_nothing(room: &Room, number: u64) {
        let long = SPARED_FOR + Duration::from_secs(1);
        let asked_at = Instant::now().checked_sub(long).expect("this machine runs for longer");
        room.crowd().known_mut(number).expect("it is let in").asked_at = asked_at;
    }

    fn is_known(room: &Room, number: u64) -> bool {
        room.crowd().known().any(|(other, _)| other == number)
    }

    #[tokio::test]
    async fn a_peer_that_comes_back_takes_the_place_of_its_dead_connections() {
        let room = room(100);
        let numbers = [(); PER_PEER_MAX].map(|()| greet(&room, 1).expect("there is room"));
        assert_eq!(greet(&room, 1), None, "all of them may live");
        ask_for_nothing(&room, numbers[3]);
        assert!(greet(&room, 1).is_some() && !is_known(&room, numbers[3]));
        assert_eq!(greet(&room, 1), None);
    }

    #[tokio::test]
    async fn who_asked_for_nothing_makes_room_for_another_peer() {
        let room = room(2);
        let numbers = [1, 2].map(|port| greet(&room, port).expect("there is room"));
        assert_eq!(greet(&room, 3), None);
        ask_for_nothing(&room, numbers[1]);
        assert!(greet(&room, 3).is_some() && !is_known(&room, numbers[1]));
    }

    #[tokio::test]
    async fn strangers_make_room_for_each_other_and_are_counted() {
        let (room, rejections) = (room(2), Rejections::default());
        let crowded = || rejections.all().into_iter().find(|(why, _)| *why == Rejection::Crowded).unwrap().1;
        let known = [1, 2].map(|port| greet(&room, port).expect("there is room"));
        let start = |_| tokio::spawn(std::future::pending::<()>()).abort_handle();
        let strangers: Vec<AbortHandle> = (0..6)
            .map(|_| {
                let mut handle = None;
                room.admit(&rejections, |number| handle.insert(start(number)).clone());
                handle.expect("strangers are always let in")
            })
            .collect();
        assert_eq!(crowded(), 2, "four may stay");
        while !strangers[..2].iter().all(AbortHandle::is_finished) {
            tokio::task::yield_now().await;
        }
        assert!(!strangers[2..].iter().any(AbortHandle::is_finished));
        assert!(known.iter().all(|&number| is_known(&room, number)));
        ask_for_nothing(&room, known[0]);
        let of_third = room.crowd().admit(start).expect("a stranger makes room").number;
        assert!(room.know(&rejections, of_third, dialler(3, None)));
        assert_eq!(crowded(), 3, "a peer that asked for nothing made room for another");
    }

    /// A node that says another address and id each time has no more connections than any peer.
    #[tokio::test]
    async fn a_node_has_the_connections_of_one_peer_whatever_it_says() {
        let (room, rejections) = (room(100), Rejections::default());
        let greet = |port, node| {
            let mut number = 0;
            room.admit(&rejections, |given| {
                number = given;
                tokio::spawn(std::future::pending::<()>()).abort_handle()
            });
            room.know(&rejections, number, dialler(port, Some(node)))
        };
        assert!((1..=PER_PEER_MAX as u16).all(|port| greet(port, "greedy")));
        assert!(!greet(99, "greedy"));
        assert!(greet(1, "honest"), "whose address was claimed");
    }
}
