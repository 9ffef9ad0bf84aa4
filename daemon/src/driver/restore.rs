//! Brings back what a former run knew: finished files are served without hashing them again, downloads go on
//! with the chunks that they have. Where the small files are torn, empty or missing, the data is looked at. The daemon
//! answers meanwhile: what somebody asks for by a name that is not known yet waits until it is, and is looked at first.

use super::Driver;
use super::loading::{HashedShare, Loading};
use super::look::Look;
use super::naming::is_to_come;
use crate::inbox::{Command, Restored, Seen};
use crate::library::{CheckStep, Checking, Phase, Resource};
use crate::store::{Loaded, NameRecord, Slot, StoreError};
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many commands wait for resources that were not looked at yet.
const PARKED_MAX: usize = 1024;

/// How long such a command waits: less than its caller does.
const PARKED_FOR: Duration = Duration::from_secs(20);

impl Driver {
    /// Begins to bring the library back; the receiver hears when all of it is there.
    pub fn restore(&mut self) -> oneshot::Receiver<()> {
        let (done, end) = oneshot::channel();
        self.loading = Loading { is_listing: true, done: Some(done), ..Loading::default() };
        self.lookers.list();
        end
    }

    /// Brings the library back before anything else.
    #[cfg(test)]
    pub(super) fn restore_now(&mut self) {
        self.look_at_room();
        let looks = self.note_places(self.home.places().unwrap());
        for look in looks {
            let seen = look.perform(&self.home);
            self.seen(vec![seen]);
        }
    }

    /// The places of a former run's resources are known.
    pub(super) fn listed(&mut self, places: Result<Vec<Slot>, StoreError>) {
        match places {
            Ok(places) => {
                self.look_at_room(); // the folder has just answered; downloads go on only when they know of room
                let looks = self.note_places(places);
                self.lookers.add(looks);
                self.loading.parked.iter().for_each(|(_, command)| self.hurry_for(command));
                self.loading.shares.iter().for_each(|it| self.lookers.hurry(it.hashed.resource));
            }
            Err(error) => self.ending = Some(error.into()),
        }
    }

    fn note_places(&mut self, places: Vec<Slot>) -> Vec<Look> {
        let left = places.iter().map(|slot| (slot.place().to_owned(), slot.resource()));
        (self.loading.left, self.loading.is_listing) = (left.collect(), false);
        self.end_loading();
        self.unpark();
        places.into_iter().map(Look::Recall).collect()
    }

    /// The files of some resources were looked at.
    pub(super) fn seen(&mut self, seen: Vec<Seen>) {
        for seen in seen {
            match seen {
                Seen::Recalled { place, recalled } => {
                    self.loading.left.remove(&place);
                    match recalled {
                        Some(Ok(recalled)) => {
                            let (loaded, restored) = *recalled;
                            self.recalled(loaded, restored);
                        }
                        Some(Err(error)) => {
                            tracing::error!(%error, "a resource of a former run is not brought back; its files stay");
                        }
                        None => {}
                    }
                }
                Seen::Again { key, check, restored } => {
                    if self.library.get(key).is_some_and(|resource| resource.is_in(&check)) {
                        self.resume_or_fail(key, restored);
                    }
                }
            }
        }
        self.end_loading();
        self.unpark();
    }

    fn end_loading(&mut self) {
        if !self.loading.is_over() {
            return;
        }
        if let Some(done) = self.loading.done.take() {
            let _ = done.send(()); // who does not wait any more need not hear of it
        }
        if !self.trackers.started() {
            return;
        }
        let all = self.library.iter().count();
        let finished =
            self.library.iter().filter(|(_, resource)| matches!(resource.phase, Phase::Seeding(_))).count();
        tracing::info!(resources = all, finished, "the shared directory is loaded");
        self.all_changed();
        self.look_for_strays();
    }

    fn recalled(&mut self, Loaded { mut record, manifest, rebuilt }: Loaded, restored: Restored) {
        let (key, slot) = (record.key, self.home.slot(record.key));
        if self.library.get(key).is_some() {
            return; // it came by another way
        }
        if let Some(error) = &rebuilt {
            tracing::warn!(resource = %key, name = %manifest.name(), %error,
                "the record of a resource is made anew from its manifest and its data");
        }
        if rebuilt.is_some() {
            self.loading.rebuilt.insert(key);
        }
        record.names.retain(|name| self.gives_way(key, name));
        if record.names.is_empty() {
            tracing::info!(resource = %key, "its name was given to other content");
            return self.saver.forget(key, &slot);
        }
        for name in &record.names {
            self.forget_name(&name.name, Some(key));
        }
        let is_misdated = is_to_come(record.shared_at_ms);
        if is_misdated {
            tracing::warn!(resource = %key, "shared at a time that is still to come: when it was is not known any more");
            record.shared_at_ms = 0;
        }
        let phase = Phase::Checking(Checking::new(CheckStep::Looks));
        let resource = Resource::new(manifest, record, slot, phase);
        if rebuilt.is_some() || is_misdated {
            self.saver.save(&resource.slot, &resource.record);
        }
        self.library.insert(resource);
        self.resume_as(key, restored);
    }

    /// A crash may leave two resources with one name: the old one, and the one that was to take its place. The name is
    /// the new one's, whose file is still to come. Whether a resource that is loaded now may have the name.
    fn gives_way(&self, key: SwarmKey, wanted: &NameRecord) -> bool {
        let Some(other) = self.library.key_of(&wanted.name).and_then(|other| self.library.get(other)) else {
            return true;
        };
        let is_new = |record: &NameRecord| record.published.is_none() && record.replace;
        let others = other.record.names.iter().find(|record| record.name == wanted.name);
        // Nobody knows which names a record had that was made anew: it takes none from one that was saved.
        let is_rebuilt = |key| self.loading.rebuilt.contains(&key);
        if is_rebuilt(key) != is_rebuilt(other.key()) {
            return is_rebuilt(other.key());
        }
        match (is_new(wanted), others.is_some_and(is_new)) {
            (true, false) => true,
            (false, true) => false,
            _ => key < other.key(),
        }
    }

    // -- commands about what is not known yet

    /// Keeps a command that is about what was not looked at yet; gives back one that can be carried out.
    pub(super) fn park(&mut self, command: Command) -> Option<Command> {
        if self.loading.is_over() || self.is_known(&command) {
            return Some(command);
        }
        if self.loading.parked.len() >= PARKED_MAX {
            command.refuse(self.still_loading());
            return None;
        }
        self.hurry_for(&command);
        self.loading.parked.push((Instant::now(), command));
        None
    }

    /// Keeps what is to be shared until the record of its resource was read. No more wait than there are tasks.
    pub(super) fn park_share(&mut self, share: HashedShare) {
        self.lookers.hurry(share.hashed.resource);
        self.loading.shares.push(share);
    }

    /// Whether all that a command is about was looked at.
    fn is_known(&self, command: &Command) -> bool {
        let wants = command.subject();
        let has_name = |name: &ResourceName| self.library.key_of(name).is_some();
        let is_left = |resource| self.loading.is_listing || self.loading.has(resource);
        match (wants.what, wants.resource) {
            (None, _) => true,
            // another list of the same resource's chunks may be left
            (Some(what), Some(resource)) => {
                what.parse().is_ok_and(|name| has_name(&name)) && !is_left(resource)
            }
            (Some(what), None) => match what.parse::<ResourceId>() {
                Ok(resource) => !self.library.find(what).is_empty() || !is_left(resource),
                Err(_) => what.parse().map_or(true, |name| has_name(&name)),
            },
        }
    }

    /// What somebody waits for is looked at first.
    fn hurry_for(&self, command: &Command) {
        let wants = command.subject();
        let named = wants.what.and_then(|what| what.parse().ok());
        for resource in wants.resource.into_iter().chain(named) {
            self.lookers.hurry(resource);
        }
        if let Some(name) = wants.what.and_then(|what| what.parse().ok()) {
            self.lookers.hurry_name(name);
        }
    }

    /// Carries out the commands whose resources are known by now, in the order in which they came.
    fn unpark(&mut self) {
        let shares = std::mem::take(&mut self.loading.shares);
        for HashedShare { task, request, hashed, identity, .. } in shares {
            self.adopt_hashed(task, &request, hashed, identity); // it waits again if it must
        }
        let is_over = self.loading.is_over();
        let parked = std::mem::take(&mut self.loading.parked);
        for (since, command) in parked {
            if is_over || self.is_known(&command) {
                self.command(command);
            } else {
                self.loading.parked.push((since, command));
            }
        }
    }

    /// Refuses what has waited for too long.
    pub(super) fn refuse_parked(&mut self, now: Instant) {
        let is_late =
            |(since, _): &mut (Instant, Command)| now.saturating_duration_since(*since) >= PARKED_FOR;
        let late: Vec<_> = self.loading.parked.extract_if(.., is_late).collect();
        for (_, command) in late {
            command.refuse(self.still_loading());
        }
    }

    fn still_loading(&self) -> ControlError {
        let left = self.loading.left.len();
        ControlError {
            kind: ErrorKind::Refused,
            message: format!("ttd has just started and has still to look at {left} resources"),
            hint: Some("try again when `ttctl list` shows that they were looked at".to_owned()),
        }
    }

    // -- going on

    /// Goes on with a resource as it was found on disk.
    pub(super) fn resume_as(&mut self, key: SwarmKey, restored: Restored) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let manifest = resource.manifest.clone();
        match restored {
            Restored::Finished { published, is_untidy } => {
                if is_untidy {
                    self.saver.tidy(&resource.slot);
                }
                resource.phase = Phase::Seeding(Arc::new(published));
                self.join(key);
                self.publish(key); // a name that was still to be made
            }
            Restored::Unfinished(part, have) => {
                if have.is_empty() {
                    self.saver.forget_have(&resource.slot); // one that is there is that of a part that is gone
                }
                let fetching = self.fetching(manifest, Arc::new(part), have);
                if let Some(resource) = self.library.get_mut(key) {
                    resource.phase = Phase::Fetching(fetching);
                }
                if self.start_or_wait(key) {
                    tracing::info!(resource = %key, "a download goes on");
                }
            }
            Restored::Doubtful(why) => {
                tracing::warn!(resource = %key, error = %why, "what is on disk is checked");
                self.check_in_turn(key);
            }
        }
    }

    /// Goes on, or says why that cannot be.
    fn resume_or_fail(&mut self, key: SwarmKey, restored: Result<Restored, StoreError>) {
        match restored {
            Ok(restored) => self.resume_as(key, restored),
            Err(error) => self.fail_resource(key, error.into()),
        }
        if self.checks.is_asked_for(key) {
            self.check(key, None); // what was seen is no answer to whoever asked for a check
        }
    }
}
