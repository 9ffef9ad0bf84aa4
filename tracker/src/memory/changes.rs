//! What changed in the catalogue, for those who follow it: each name that means something has the number of its last change.
//! A name has one number only, however often it changed, so that this grows with the catalogue and not with time.

use super::named::NamedManifest;
use shared::id::SwarmKey;
use shared::name::ResourceName;
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
pub(super) struct Meaning {
    key: SwarmKey,
    shared_at_ms: u64,
    /// When its signature was made.
    signed_at: Option<u64>,
}

impl Meaning {
    pub(super) fn of(published: &NamedManifest) -> Meaning {
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

    /// The names that were touched since the last call.
    pub(super) fn take_touched(&mut self) -> BTreeSet<ResourceName> {
        std::mem::take(&mut self.touched)
    }

    /// Whether a name meant the same at its last change.
    pub(super) fn is_told(&self, name: &ResourceName, meaning: Meaning) -> bool {
        self.told.get(name).is_some_and(|(_, told)| *told == meaning)
    }

    /// The number of the last change.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The names that changed after the change with the number `after`, oldest change first, each with its number.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = (u64, &ResourceName)> {
        let from = after.saturating_add(1);
        self.in_order.range(from..).map(|(sequence, name)| (*sequence, name))
    }

    /// Gives a name the next number.
    pub(super) fn renew(&mut self, name: &ResourceName, meaning: Meaning) {
        self.forget(name);
        self.sequence += 1;
        self.in_order.insert(self.sequence, name.clone());
        self.told.insert(name.clone(), (self.sequence, meaning));
    }

    /// Forgets a name that means nothing any more. Nobody is told: whoever has it, keeps it.
    pub(super) fn forget(&mut self, name: &ResourceName) {
        if let Some((sequence, _)) = self.told.remove(name) {
            self.in_order.remove(&sequence);
        }
    }
}
