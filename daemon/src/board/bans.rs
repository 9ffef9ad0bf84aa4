//! Peers that are refused for a while.
//!
//! Several peers may use the same address: a whole fleet may sit behind it, and a stranger may claim an honest peer's
//! port. So a peer that dialed us is banned by address, port and id together. Only the address of a peer that we dialed
//! is known to be its own; it is not dialed again either. A peer that has shown a certificate is banned as the node that
//! it is, and nobody else can be taken for it.

use shared::id::PeerId;
use shared::identity::NodeName;
use shared::swarm::PeerAddr;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a peer that misbehaved is refused, like the time for which the core does not dial it.
const BAN: Duration = Duration::from_secs(600);
/// Limits the bans. Beyond it the oldest ban ends, and that peer may misbehave once more.
const BANS_MAX: usize = 1024;

/// A peer that dialed us, by what it says and shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialler {
    /// The address of its connection, with the port that it gave.
    pub addr: PeerAddr,
    /// The id that it gave.
    pub id: PeerId,
    /// Its name in its certificate, if it has shown one.
    pub node: Option<NodeName>,
}

impl Dialler {
    /// Whether this is the same machine. A node is itself whatever else it says.
    pub fn is_same(&self, other: &Dialler) -> bool {
        match (&self.node, &other.node) {
            (None, None) => self == other,
            (node, other) => node == other,
        }
    }

    fn key(&self) -> Banned {
        match &self.node {
            Some(node) => Banned::Node(node.clone()),
            None => Banned::Peer(self.addr, Some(self.id)),
        }
    }
}

/// The peers that are refused.
#[derive(Debug, Default)]
pub struct Bans(Mutex<BTreeMap<Banned, Ban>>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Banned {
    Node(NodeName),
    Peer(PeerAddr, Option<PeerId>),
}

#[derive(Debug, Clone, Copy)]
struct Ban {
    until: Instant,
    /// Whether we dialed it, so that the address is its own.
    is_there: bool,
}

impl Bans {
    /// Bans a peer that we dialed, and forbids to dial it. `id` is the id that it gave, and `node` its name in its
    /// certificate, if there is any.
    pub fn dialled(&self, peer: PeerAddr, id: Option<PeerId>, node: Option<NodeName>) {
        self.add(Banned::Peer(peer, id), true);
        if let Some(node) = node {
            self.add(Banned::Node(node), false);
        }
    }

    /// Bans a peer that dialed us.
    pub fn dialler(&self, peer: &Dialler) {
        self.add(peer.key(), false);
    }

    /// Whether a peer's hello is refused.
    pub fn refuses(&self, peer: &Dialler) -> bool {
        self.has(&peer.key())
    }

    /// Whether nothing is asked of a node, wherever it listens.
    pub fn refuses_node(&self, node: &NodeName) -> bool {
        self.has(&Banned::Node(node.clone()))
    }

    /// Whether an address must not be dialed.
    pub fn forbids(&self, peer: PeerAddr) -> bool {
        let now = Instant::now();
        let bans = self.lock();
        let is_of_peer = |banned: &Banned| matches!(banned, Banned::Peer(addr, _) if *addr == peer);
        let mut of_peer = bans.range(Banned::Peer(peer, None)..).take_while(|(banned, _)| is_of_peer(banned));
        of_peer.any(|(_, ban)| ban.is_there && ban.until > now)
    }

    fn has(&self, who: &Banned) -> bool {
        self.lock().get(who).is_some_and(|ban| ban.until > Instant::now())
    }

    fn add(&self, who: Banned, is_there: bool) {
        let now = Instant::now();
        let mut bans = self.lock();
        bans.retain(|_, ban| ban.until > now);
        if bans.len() >= BANS_MAX {
            let oldest = bans.iter().min_by_key(|(_, ban)| ban.until).map(|(who, _)| who.clone());
            oldest.map(|who| bans.remove(&who));
        }
        bans.insert(who, Ban { until: now + BAN, is_there });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Banned, Ban>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::from(([10, 0, 0, 1], port))
    }

    fn dialler(port: u16, id: u8, node: Option<&str>) -> Dialler {
        let node = node.map(|node| node.parse().unwrap());
        Dialler { addr: addr(port), id: PeerId([id; 16]), node }
    }

    #[test]
    fn others_behind_the_same_address_do_not_suffer() {
        let bans = Bans::default();
        bans.dialler(&dialler(7, 1, None));
        assert!(bans.refuses(&dialler(7, 1, None)));
        assert!(!bans.refuses(&dialler(8, 2, None)), "another port");
        assert!(!bans.refuses(&dialler(7, 2, None)), "whose port was claimed by another");
        assert!(!bans.forbids(addr(7)), "and who listens there was never heard");
        bans.dialled(addr(9), None, None);
        assert!(bans.forbids(addr(9)) && !bans.forbids(addr(7)) && !bans.refuses(&dialler(9, 2, None)));
    }

    #[test]
    fn a_node_is_refused_whatever_it_says_and_nobody_else_is_for_what_it_said() {
        let bans = Bans::default();
        bans.dialler(&dialler(7, 1, Some("liar")));
        assert!(bans.refuses(&dialler(8, 2, Some("liar"))) && bans.refuses_node(&"liar".parse().unwrap()));
        assert!(!bans.refuses(&dialler(7, 1, Some("honest"))), "whose address and id were claimed");
        assert!(!bans.refuses(&dialler(7, 1, None)));
        bans.dialled(addr(9), Some(PeerId([3; 16])), Some("empty".parse().unwrap()));
        assert!(bans.forbids(addr(9)) && bans.refuses(&dialler(1, 1, Some("empty"))));
        assert!(!bans.refuses(&dialler(9, 3, Some("honest"))), "who has the address by now");
    }

    #[test]
    fn one_node_is_one_machine_and_without_a_node_address_and_id_are() {
        let of = dialler;
        assert!(of(7, 1, Some("a")).is_same(&of(8, 2, Some("a"))));
        assert!(!of(7, 1, Some("a")).is_same(&of(7, 1, Some("b"))));
        assert!(!of(7, 1, Some("a")).is_same(&of(7, 1, None)));
        assert!(of(7, 1, None).is_same(&of(7, 1, None)) && !of(7, 1, None).is_same(&of(7, 2, None)));
    }

    #[test]
    fn there_are_only_so_many() {
        let bans = Bans::default();
        for port in 1..=2 * BANS_MAX as u16 {
            bans.dialled(addr(port), None, None);
        }
        assert_eq!(bans.lock().len(), BANS_MAX);
        assert!(bans.forbids(addr(2 * BANS_MAX as u16)) && !bans.forbids(addr(1)));
    }
}
