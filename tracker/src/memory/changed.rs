//! Numbers the changes of the catalogue, and finds them again for those who follow it.

use super::catalogue::Catalogue;
use super::changes::Meaning;
use super::named::Named;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::Change;
use shared::swarm::Time;

impl Catalogue {
    /// Numbers the names of which the meaning was changed since the last call. It ends each call that changes names.
    pub(super) fn settle_changes(&mut self, now: Time, swarms: &Swarms) {
        for name in self.changes.take_touched() {
            let is_gone = |key| self.is_gone(now, swarms, key);
            let meant = self.names.get(&name).and_then(|named| named.meant(is_gone));
            match meant.map(Meaning::of) {
                None => self.changes.forget(&name),
                Some(meaning) if self.changes.is_told(&name, meaning) => {}
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
        self.changes.sequence()
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
        self.changes.after(after).filter_map(move |(sequence, name)| {
            let publication = &meant(self.names.get(name)?)?.publication;
            let bytes = self.manifests.get(&publication.key).and_then(|manifest| manifest.bytes);
            let (key, shared_at_ms) = (publication.key, publication.shared_at_ms);
            Some((sequence, Change { name: name.clone(), key, shared_at_ms, bytes }))
        })
    }
}
