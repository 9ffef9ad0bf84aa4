//! What changed in the catalogue, for those who follow it: each name that means something has the number of its last change.
//! A name has one number only, however often it changed, so that this grows with the catalogue and not with time.

use super::catalogue::Catalogue;
use super::named::{Named, NamedManifest};
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::Change;
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The last changes of all names.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last change; 0 before the first one.
    sequence: u64,
    /// The names, in the order of their last changes.
    in_order: BTreeMap<u64, ResourceName>,
    /// The number of each name's last change, and what the name meant then.
    told: BTreeMap<ResourceName, (u64, Meaning)>,
    /// Names that a call touched. Whether they changed is decided at its end: a name that is put anew is removed first.
    touched: BTreeSet<ResourceName>,
}

/// Of the publication that a name means, what those who follow decide by. A publication that is only repeated is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    key: SwarmKey,
    shared_at_ms: u64,
    /// When its signature was made.
    signed_at: Option<u64>,
}

impl Meaning {
    fn of(published: &NamedManifest) -> Meaning {
        let publication = &published.publication;
        Meaning {
            key: publication.key,
            shared_at_ms: publication.shared_at_ms,
            signed_at: publication.signature.as_ref().and_then(|signature| signature.timestamp()),
        }
    }
}

impl Changes {
    /// Notes that the publications of a name are about to change, or did.
    pub(super) fn touch(&mut self, name: &ResourceName) {
        if !self.touched.contains(name) {
            self.touched.insert(name.clone());
        }
    }

    /// Gives a name the next number.
    fn renew(&mut self, name: &ResourceName, meaning: Meaning) {
        self.forget(name);
        self.sequence += 1;
        self.in_order.insert(self.sequence, name.clone());
        self.told.insert(name.clone(), (self.sequence, meaning));
    }

    /// Forgets a name that means nothing any more. Nobody is told: whoever has it, keeps it.
    fn forget(&mut self, name: &ResourceName) {
        if let Some((sequence, _)) = self.told.remove(name) {
            self.in_order.remove(&sequence);
        }
    }
}

impl Catalogue {
    /// Numbers the names of which the meaning was changed since the last call. It ends each call that changes names.
    pub(super) fn settle_changes(&mut self, now: Time, swarms: &Swarms) {
        for name in std::mem::take(&mut self.changes.touched) {
            let is_gone = |key| self.is_gone(now, swarms, key);
            let meant = self.names.get(&name).and_then(|named| named.meant(is_gone));
            match meant.map(Meaning::of) {
                None => self.changes.forget(&name),
                Some(meaning) if self.changes.told.get(&name).is_some_and(|(_, told)| *told == meaning) => {}
                Some(meaning) => self.changes.renew(&name, meaning),
            }
        }
    }

    /// A peer has a manifest again that nobody had for a while. Its names may mean it again, so they count as changed.
    pub(super) fn revived(&mut self, now: Time, swarms: &Swarms, key: SwarmKey) {
        let names: Vec<ResourceName> = self.names_of(key).cloned().collect();
        for name in names {
            let is_gone = |key| self.is_gone(now, swarms, key);
            let meant = self.names.get(&name).and_then(|named| named.meant(is_gone));
            if let Some(meaning) = meant.map(Meaning::of) {
                self.changes.renew(&name, meaning);
            }
        }
    }

    /// The number of the last change.
    pub(super) fn sequence(&self) -> u64 {
        self.changes.sequence
    }

    /// The names that changed after the change with the number `after`, oldest change first, each with its number and with
    /// what it means now.
    pub(super) fn changes_after<'a>(
        &'a self,
        now: Time,
        swarms: &'a Swarms,
        after: u64,
    ) -> impl Iterator<Item = (u64, Change)> + 'a {
        let meant = move |named: &'a Named| named.meant(|key| self.is_gone(now, swarms, key));
        let from = after.saturating_add(1);
        self.changes.in_order.range(from..).filter_map(move |(sequence, name)| {
            let publication = &meant(self.names.get(name)?)?.publication;
            let bytes = self.manifests.get(&publication.key).and_then(|manifest| manifest.bytes);
            let (key, shared_at_ms) = (publication.key, publication.shared_at_ms);
            Some((*sequence, Change { name: name.clone(), key, shared_at_ms, bytes }))
        })
    }
}
