//! Which node is at which address, as trackers say: the node in the certificate that the peer showed there.
//!
//! An address is no identity: a machine of the fleet may answer where another one was, or claim the port of another one
//! behind the same NAT address. So a connection that leads to another node than a tracker named is not used.

use shared::identity::NodeName;
use shared::swarm::PeerAddr;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Limits the nodes that are remembered of one address. Several may be behind one, or one after the other, and trackers
/// may not agree.
const PER_ADDRESS_MAX: usize = 4;
/// How long a node counts that is not named any more while others are: the longest time between two announces.
const OUTLIVES_OTHERS: Duration = Duration::from_secs(600);
/// Limits the addresses to twice this number. Beyond it those are forgotten that were named longest ago, and any node
/// may be there.
const ADDRESSES_MAX: usize = 8192;

/// Whoever was named at an address, the latest last; `None` is a machine without a certificate.
type Named = Vec<(Option<NodeName>, Instant)>;

/// What trackers say of nodes and addresses.
#[derive(Debug, Default)]
pub struct Nodes(Mutex<Generations>);

/// When the young ones are many, the old ones are forgotten and the young ones become old.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<PeerAddr, Named>,
    old: BTreeMap<PeerAddr, Named>,
}

impl Nodes {
    /// A tracker names a peer, and the node that it is, if it has shown a certificate.
    pub fn told(&self, now: Instant, addr: PeerAddr, node: Option<NodeName>) {
        let mut generations = self.lock();
        let Generations { young, old } = &mut *generations;
        if young.len() >= ADDRESSES_MAX && !young.contains_key(&addr) {
            *old = std::mem::take(young);
        }
        let named = young.entry(addr).or_insert_with(|| old.remove(&addr).unwrap_or_default());
        named.retain(|(other, at)| *other != node && now.duration_since(*at) < OUTLIVES_OTHERS);
        if named.len() >= PER_ADDRESS_MAX {
            named.remove(0);
        }
        named.push((node, now));
    }

    /// Whether this node may be at this address. A machine without a certificate that is named there may be any.
    ///
    /// # Errors
    /// Who should be there.
    pub fn expect(&self, addr: PeerAddr, found: &NodeName) -> Result<(), AnotherNode> {
        let generations = self.lock();
        let named = generations.young.get(&addr).or_else(|| generations.old.get(&addr));
        let Some(named) = named else { return Ok(()) };
        if named.iter().any(|(node, _)| node.as_ref().is_none_or(|node| node == found)) {
            return Ok(());
        }
        let named = named.iter().filter_map(|(node, _)| node.clone()).collect();
        Err(AnotherNode { found: found.clone(), named })
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another node than a tracker named is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnotherNode {
    found: NodeName,
    named: Vec<NodeName>,
}

impl fmt::Display for AnotherNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<&str> = self.named.iter().map(NodeName::as_str).collect();
        write!(
            f,
            "its certificate is that of the node {}, and a tracker names {} there",
            self.found,
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::from(([10, 0, 0, 1], port))
    }

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn is_expected(nodes: &Nodes, port: u16, name: &str) -> bool {
        nodes.expect(addr(port), &node(name)).is_ok()
    }

    #[test]
    fn another_node_than_the_named_one_is_not_expected() {
        let (nodes, now) = (Nodes::default(), Instant::now());
        assert!(is_expected(&nodes, 1, "a"), "nobody was named");
        nodes.told(now, addr(1), Some(node("a")));
        assert!(is_expected(&nodes, 1, "a") && !is_expected(&nodes, 1, "b") && is_expected(&nodes, 2, "b"));
        let why = nodes.expect(addr(1), &node("b")).unwrap_err().to_string();
        assert_eq!(why, "its certificate is that of the node b, and a tracker names a there");
        nodes.told(now, addr(1), None);
        assert!(
            is_expected(&nodes, 1, "b"),
            "a machine that showed no certificate to the tracker may be anyone"
        );
    }

    #[test]
    fn trackers_may_name_several_and_the_latest_outlive_the_others() {
        let (nodes, now) = (Nodes::default(), Instant::now());
        nodes.told(now, addr(1), Some(node("a")));
        let later = now + OUTLIVES_OTHERS / 2;
        nodes.told(later, addr(1), Some(node("b")));
        assert!(is_expected(&nodes, 1, "a") && is_expected(&nodes, 1, "b"));
        nodes.told(now + OUTLIVES_OTHERS, addr(1), Some(node("b")));
        assert!(!is_expected(&nodes, 1, "a") && is_expected(&nodes, 1, "b"), "a is not named any more");
        for name in ["c", "d", "e", "f"] {
            nodes.told(now + OUTLIVES_OTHERS, addr(1), Some(node(name)));
        }
        assert!(!is_expected(&nodes, 1, "b") && is_expected(&nodes, 1, "c") && is_expected(&nodes, 1, "f"));
    }

    #[test]
    fn the_addresses_are_bounded_and_those_named_last_are_kept() {
        let (nodes, now) = (Nodes::default(), Instant::now());
        let many = 3 * ADDRESSES_MAX as u16;
        for port in 1..=many {
            nodes.told(now, addr(port), Some(node("a")));
            nodes.told(now, addr(1), Some(node("a")));
        }
        let Generations { young, old } = &*nodes.lock();
        assert!(young.len() <= ADDRESSES_MAX && old.len() <= ADDRESSES_MAX);
        let named = |port| young.contains_key(&addr(port)) || old.contains_key(&addr(port));
        assert!(named(1) && named(many) && named(many - ADDRESSES_MAX as u16 / 2) && !named(2));
    }
}
