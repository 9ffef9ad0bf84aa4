//! Which of several lists of chunks is the true one of a resource shows when the whole is there. Until then a list proves
//! nothing, and stands in nobody's way: where the one that is being fetched is found to be false, or nobody serves it
//! while a tracker knows others, another one takes its place.

use super::Driver;
use crate::inbox::{Hit, Input, Requests, TaskInput, Wanted};
use crate::library::{Phase, Resource};
use crate::tracker::catalogue;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;
use shared::rpc::tracker::Lookup;
use std::time::{Duration, Instant};

/// A list of which nothing came for this time gives way to another one that somebody serves …
const NOTHING_FOR: Duration = Duration::from_secs(10);
/// … or this time, if something came before.
const STILL_FOR: Duration = Duration::from_secs(60);

impl Driver {
    /// The whole of a resource was there, and is not what its id says.
    pub(super) fn disprove(&mut self, key: SwarmKey) {
        self.lists.disprove(key);
        self.look_for_another(key);
    }

    /// Downloads of which nothing comes give way where a tracker knows another list.
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

    /// Asks the trackers of a resource for another list of its chunks; if it was false, also for other content of its name.
    fn look_for_another(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key).filter(|resource| resource.is_unproven()) else { return };
        let (trackers, name) = (resource.trackers(), resource.manifest.name().clone());
        let may_be_other = resource.is_disproved() && !resource.record.trackers.is_empty();
        if trackers.is_empty() || !self.lists.begin(key, Instant::now()) {
            return;
        }
        let leave_out = self.lists.useless(key);
        let context = self.context.clone();
        tokio::spawn(async move {
            let by_id = Lookup::Resource(key.resource);
            let mut found = catalogue::find(&context, &trackers, &by_id, &leave_out).await.ok();
            if found.is_none() && may_be_other {
                let by_name = Lookup::Name(name);
                found = catalogue::find(&context, &trackers, &by_name, &leave_out).await.ok();
            }
            context.tell(Input::Task(TaskInput::Another { key, found: found.map(Box::new) })).await;
        });
        self.changed();
    }

    /// The trackers named another list, or none.
    pub(super) fn another(&mut self, key: SwarmKey, found: Option<Box<Hit>>) {
        let Some(resource) = self.library.get_mut(key).filter(|resource| resource.is_unproven()) else {
            return self.looked_for_another(key);
        };
        let first = resource.record.names.first().map(|record| (record.name.clone(), record.replace));
        let (Some(hit), Some((name, replace))) = (found, first) else {
            self.lists.missed(key, Instant::now());
            self.lists.retry(key.resource);
            return self.looked_for_another(key);
        };
        resource.gives_way = true;
        let other = hit.manifest.key();
        tracing::warn!(resource = %key, %name, %other, "another list of chunks takes the place of this one");
        self.lists.pass_over(key);
        let hit = Hit { manifest: hit.manifest.with_name(name), ..*hit };
        let (wanted, context) = (Wanted::found(hit, replace, None), self.context.clone());
        tokio::spawn(async move {
            let taken = Requests::new(&context).get(wanted).await.map(drop);
            context.tell(Input::Task(TaskInput::Replaced { key, other, taken })).await;
        });
    }

    /// Another list has taken the place of one, or may not. Until now the one was told to be looked for: whoever waits for
    /// the resource must not give up in between.
    pub(super) fn replaced(&mut self, key: SwarmKey, other: SwarmKey, taken: Result<(), ControlError>) {
        if let Err(error) = taken {
            tracing::warn!(resource = %other, %error, "this list of chunks does not take the place of the other");
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

    /// Whether a resource may come beside, or in the place of, another list of its chunks that is here.
    pub(super) fn ask_to_stand_aside(&mut self, other: SwarmKey, wanted: &Wanted) -> bool {
        let Some(resource) = self.library.get_mut(other).filter(|resource| resource.is_unproven()) else {
            return false;
        };
        let has_name = resource.record.names.iter().any(|record| record.name == *wanted.manifest.name());
        // Whoever hands in a manifest means that one; what a catalogue names first is no better than what is here.
        resource.gives_way |= wanted.tracker.is_none();
        !has_name || resource.gives_way || resource.is_disproved()
    }

    /// A resource is whole: other lists of its chunks are false.
    pub(super) fn disprove_others(&mut self, key: SwarmKey) {
        while let Some(other) = self.library.other_list(key) {
            if !self.library.get(other).is_some_and(Resource::is_unproven) {
                return;
            }
            tracing::warn!(resource = %other, by = %key, "this list of chunks is false: another one is the resource");
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
