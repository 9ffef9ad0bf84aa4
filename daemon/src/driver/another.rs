//! Chooses among several lists of chunks for one resource. Which list is true shows only when the whole file is there;
//! until then no list may keep another one out. If the list in use turns out to be false, or nobody serves it while
//! trackers know others, another list replaces it.

use super::Driver;
use crate::inbox::{Hit, Input, Requests, TaskInput, Wanted};
use crate::jobs;
use crate::library::{Phase, Resource};
use crate::tracker::lookup;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;
use shared::rpc::tracker::Lookup;
use std::time::{Duration, Instant};

/// A list that has brought nothing for this long since it was begun is replaced by another one that somebody serves. A
/// list that is served brings chunks sooner.
const NOTHING_FOR: Duration = Duration::from_secs(10);
/// A list that has brought something before is replaced after this long without anything new. It is longer, because its
/// peers may only be restarting.
const STILL_FOR: Duration = Duration::from_secs(60);

impl Driver {
    /// All chunks of a resource are there, and their hash is not the resource's id: the list is false.
    pub(super) fn disprove(&mut self, key: SwarmKey) {
        self.lists.disprove(key);
        self.look_for_another(key);
    }

    /// Looks for other lists for the downloads that nothing comes for.
    pub(super) fn look_for_other_lists(&mut self, now: Instant) {
        let stands = |key: SwarmKey, resource: &Resource| {
            let Phase::Fetching(fetching) = &resource.phase else { return false };
            let patience = if fetching.have.is_empty() { NOTHING_FOR } else { STILL_FOR };
            !resource.conflicts.is_empty() && self.stalls.stood(key, now) >= patience
        };
        let standing = self.library.stirring().filter(|(key, resource)| stands(*key, resource));
        let standing: Vec<SwarmKey> = standing.map(|(key, _)| key).collect();
        standing.into_iter().for_each(|key| self.look_for_another(key));
    }

    /// Asks a resource's trackers for another list of its chunks. If the present list is false, other content of its
    /// name counts as well.
    fn look_for_another(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key).filter(|resource| resource.is_unproven()) else { return };
        let (trackers, name) = (resource.trackers(), resource.manifest.name().clone());
        let may_be_other = resource.is_disproved() && !resource.record.trackers.is_empty();
        if trackers.is_empty() || !self.lists.begin(key, Instant::now()) {
            return;
        }
        let leave_out = self.lists.useless(key);
        let context = self.context.clone();
        jobs::spawn(async move {
            let by_id = Lookup::Resource(key.resource);
            let mut found = lookup::find(&context, &trackers, &by_id, &leave_out, false).await.ok();
            if found.is_none() && may_be_other {
                let by_name = Lookup::Name(name);
                found = lookup::find(&context, &trackers, &by_name, &leave_out, false).await.ok();
            }
            context.tell(Input::Task(TaskInput::Another { key, found: found.map(Box::new) })).await;
        });
        self.changed();
    }

    /// Handles the trackers' answer.
    pub(super) fn another(&mut self, key: SwarmKey, found: Option<Box<Hit>>) {
        let Some(resource) = self.library.get_mut(key).filter(|resource| resource.is_unproven()) else {
            return self.looked_for_another(key);
        };
        let first = resource.record.names.first().map(|record| (record.name.clone(), record.replace));
        let reuse = !resource.record.no_reuse;
        let (Some(hit), Some((name, replace))) = (found, first) else {
            self.lists.missed(key, Instant::now());
            self.lists.retry(key.resource);
            return self.looked_for_another(key);
        };
        resource.gives_way = true;
        let other = hit.manifest.key();
        tracing::warn!(%name, id = %key, %other, "trying another list of chunks that a tracker knows");
        self.lists.pass_over(key);
        let signature = hit.signature.filter(|_| *hit.manifest.name() == name); // it covers the name
        let hit = Hit { manifest: hit.manifest.with_name(name), signature, ..*hit };
        let wanted = Wanted { reuse, ..Wanted::found(hit, replace, None) };
        let context = self.context.clone();
        jobs::spawn(async move {
            let taken = Requests::new(&context).get(wanted).await.map(drop);
            context.tell(Input::Task(TaskInput::Replaced { key, other, taken })).await;
        });
    }

    /// Another list has replaced this one, or may not. Until now the status said that a list was being looked for, so
    /// that those who wait for the resource did not give up in between.
    pub(super) fn replaced(&mut self, key: SwarmKey, other: SwarmKey, taken: Result<(), ControlError>) {
        if let Err(error) = taken {
            let name = self.library.called(key);
            tracing::warn!(name, id = %other, %error, "cannot try the other list of chunks");
            if let Some(resource) = self.library.get_mut(key) {
                resource.gives_way = false;
            }
            self.lists.missed(key, Instant::now());
        }
        self.looked_for_another(key);
    }

    fn looked_for_another(&mut self, key: SwarmKey) {
        self.lists.ended(key.resource);
        self.library.stir(key);
        self.changed();
    }

    /// Asks the list `other` of the wanted resource to give way. Returns whether it does.
    pub(super) fn ask_to_stand_aside(&mut self, other: SwarmKey, wanted: &Wanted) -> bool {
        let Some(resource) = self.library.get_mut(other).filter(|resource| resource.is_unproven()) else {
            return false;
        };
        let has_name = resource.record.names.iter().any(|record| record.name == *wanted.manifest.name());
        // A caller who sends a manifest means exactly its list; a list from a catalogue is no better than the present
        // one.
        resource.gives_way |= wanted.tracker.is_none();
        !has_name || resource.gives_way || resource.is_disproved()
    }

    /// A resource is complete and right, so all other lists of its chunks are false.
    pub(super) fn disprove_others(&mut self, key: SwarmKey) {
        while let Some(other) = self.library.other_list(key) {
            if !self.library.get(other).is_some_and(Resource::is_unproven) {
                return;
            }
            let name = self.library.called(other);
            tracing::warn!(name, id = %other, "dropped: its list of chunks is false, another one gave the right file");
            self.lists.disprove(other);
            let names = self.library.names().filter(|(_, of)| *of == other).map(|(name, _)| name.clone());
            let names: Vec<ResourceName> = names.collect();
            names.iter().for_each(|name| self.forget_name(name, None));
            if self.library.get(other).is_some() {
                return;
            }
        }
    }
}
