//! Records who wants which names. Those who want a name want whatever is under it, so they stay when other content
//! replaces it.

use super::Driver;
use crate::library::Resource;
use crate::store::{FileIdentity, NameRecord};
use shared::host::clock::now_ms;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::wanted::{WantedBy, Wanting, Withdrawn};

impl Driver {
    /// Everyone who wants a name, including `by`.
    pub(super) fn wanting(&self, name: &ResourceName, by: Option<&WantedBy>) -> Wanting {
        let resource = self.library.key_of(name).and_then(|key| self.library.get(key));
        let known = resource.and_then(|resource| record_of(resource, name));
        match (known.map(|record| record.wanted_by.clone()), by) {
            (Some(mut wanting), Some(by)) => {
                wanting.add(by.clone());
                wanting
            }
            (Some(wanting), None) => wanting,
            (None, by) => by.cloned().map(Wanting::of).unwrap_or_default(),
        }
    }

    /// The record of a name that a resource gets, with this file or without a file yet. If the resource had the name
    /// already, the date when it was added stays.
    pub(super) fn name_record(
        &self,
        key: SwarmKey,
        name: &ResourceName,
        published: Option<FileIdentity>,
        by: Option<&WantedBy>,
    ) -> NameRecord {
        let known = self.library.get(key).and_then(|resource| record_of(resource, name));
        let added_at_ms = known.map_or_else(now_ms, |record| record.added_at_ms);
        NameRecord { added_at_ms, ..NameRecord::new(name.clone(), published, self.wanting(name, by)) }
    }

    /// Records that `by` wants a name that is here.
    pub(super) fn add_wanted(&mut self, key: SwarmKey, name: &ResourceName, by: Option<&WantedBy>) {
        let Some(by) = by else { return };
        let Some(resource) = self.library.get_mut(key) else { return };
        let record = resource.record.names.iter_mut().find(|record| record.name == *name);
        if record.is_some_and(|record| record.wanted_by.add(by.clone())) {
            self.saver.save(&resource.slot, &resource.record);
            self.changed();
        }
    }

    /// Records that `by` does not want a name any more.
    pub(super) fn withdraw(&mut self, key: SwarmKey, name: &ResourceName, by: &WantedBy) -> Withdrawn {
        let Some(resource) = self.library.get_mut(key) else { return Withdrawn::NotFound };
        let record = resource.record.names.iter_mut().find(|record| record.name == *name);
        let Some(record) = record else { return Withdrawn::NotFound };
        let withdrawn = record.wanted_by.withdraw(by);
        if withdrawn == Withdrawn::OthersLeft {
            tracing::info!(%name, id = %key, "no longer wanted by {by}; others still want it");
            self.saver.save(&resource.slot, &resource.record);
            self.changed();
        }
        withdrawn
    }
}

/// The record of a resource's name.
pub(super) fn record_of<'a>(resource: &'a Resource, name: &ResourceName) -> Option<&'a NameRecord> {
    resource.record.names.iter().find(|record| record.name == *name)
}
