//! Which node an id belongs to. Ids are told to everybody, so another machine could take one.

use super::who::Who;
use shared::id::PeerId;
use shared::identity::NodeName;
use std::collections::BTreeMap;

/// The ids that belong to nodes, for as long as the node takes part or is connected.
#[derive(Debug, Default)]
pub(super) struct Owners(BTreeMap<PeerId, Owner>);

#[derive(Debug)]
struct Owner {
    node: NodeName,
    /// The number of addresses under which the memory has the node with this id.
    peers: u32,
    /// The number of its connections.
    connections: u32,
}

impl Owners {
    /// The node because of which a caller may not have its id. A machine without a certificate may have the id of a node
    /// that is not connected: it may be that machine, whose TLS was turned off.
    pub(super) fn in_the_way(&self, who: &Who) -> Option<&NodeName> {
        let owner = self.0.get(&who.peer_id)?;
        let is_free = match &who.node {
            Some(node) => *node == owner.node,
            None => owner.connections == 0,
        };
        (!is_free).then_some(&owner.node)
    }

    /// How many ids of this node have a connection.
    pub(super) fn connected_as(&self, node: &NodeName) -> u32 {
        self.0.values().filter(|owner| owner.connections > 0 && owner.node == *node).count() as u32
    }

    /// The memory has a node with this id under one more address.
    pub(super) fn add(&mut self, id: PeerId, node: &NodeName) {
        let owner =
            self.0.entry(id).or_insert_with(|| Owner { node: node.clone(), peers: 0, connections: 0 });
        owner.peers += u32::from(owner.node == *node);
    }

    /// The memory has it under one address less.
    pub(super) fn remove(&mut self, id: PeerId, node: &NodeName) {
        let Some(owner) = self.0.get_mut(&id).filter(|owner| owner.node == *node) else { return };
        owner.peers = owner.peers.saturating_sub(1);
        if owner.peers == 0 {
            self.0.remove(&id);
        }
    }

    /// A connection of a node with this id began.
    pub(super) fn connect(&mut self, id: PeerId, node: &NodeName) {
        if let Some(owner) = self.0.get_mut(&id).filter(|owner| owner.node == *node) {
            owner.connections += 1;
        }
    }

    /// A connection of a node with this id ended.
    pub(super) fn disconnect(&mut self, id: PeerId, node: &NodeName) {
        if let Some(owner) = self.0.get_mut(&id).filter(|owner| owner.node == *node) {
            owner.connections = owner.connections.saturating_sub(1);
        }
    }
}
