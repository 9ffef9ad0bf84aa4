//! Loads the resources of the last run: finished files are served without being hashed again, and downloads continue
//! with their chunks. Where small files are torn, empty or missing, the data is checked. Meanwhile the daemon answers:
//! a command about a name that is not known yet waits, and its resource is looked at first.

use super::Driver;
use super::loading::{HashedShare, Loading};
use super::look::Look;
use super::naming::is_to_come;
use crate::inbox::{Command, Restored, Seen};
use crate::library::{CheckStep, Checking, Older, Phase, Resource};
use crate::store::{Loaded, NameRecord, Slot, StoreError};
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Limits the commands that wait for resources that are not loaded yet; further ones are refused. It is more than
/// callers send while a folder is loaded.
pub(super) const PARKED_MAX: usize = 1024;

/// How long such a command waits before it is refused. This is less than its caller waits.
const PARKED_FOR: Duration = Duration::from_secs(20);

impl Driver {
    /// Begins loading; the receiver hears when all resources are loaded.
    pub fn restore(&mut self) -> oneshot::Receiver<()> {
        let (done, end) = oneshot::channel();
        self.loading = Loading { is_listing: true, done: Some(done), ..Loading::default() };
        self.lookers.list();
        end
    }

    /// Loads everything before it returns.
    #[cfg(test)]
    pub(super) fn restore_now(&mut self) {
        self.look_at_room();
        let looks = self.note_places(self.home.places().unwrap());
        for look in looks {
            let seen = look.perform(&self.home);
            self.seen(vec![seen]);
        }
    }

    /// The folders of the last run's resources are known.
    pub(super) fn listed(&mut self, places: Result<Vec<Slot>, StoreError>) {
        match places {
            Ok(places) => {
                // The directory has just answered, and downloads continue only when the free space is known.
                self.look_at_room();
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
                            tracing::error!(%error, "cannot restore a file of an earlier run; what is on the disk stays");
                        }
                        None => {}
                    }
                }
                Seen::Again { key, check, restored } => {
                    if self.library.get(key).is_some_and(|resource| resource.is_in(&check)) {
                        self.resume_or_fail(key, restored.map(|restored| *restored));
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
        self.look_here_after_loading();
        if let Some(done) = self.loading.done.take() {
            let _ = done.send(()); // nobody may be waiting
        }
        if !self.trackers.started() {
            return;
        }
        let all = self.library.iter().count();
        let finished =
            self.library.iter().filter(|(_, resource)| matches!(resource.phase, Phase::Seeding(_))).count();
        tracing::info!("the shared directory is loaded: {finished} of {all} files are complete");
        self.all_changed();
        self.look_for_strays();
    }

    fn recalled(
        &mut self,
        Loaded { mut record, manifest, is_tree, older, rebuilt }: Loaded,
        restored: Restored,
    ) {
        let (key, slot) = (record.key, self.home.slot(record.key));
        if self.library.get(key).is_some() {
            return; // it was begun in another way meanwhile
        }
        if let Some(error) = &rebuilt {
            tracing::warn!(name = %manifest.name(), id = %key, %error,
                "its record was damaged; it is rebuilt from its manifest and its data");
        }
        if rebuilt.is_some() {
            self.loading.rebuilt.insert(key);
        }
        record.names.retain(|name| self.gives_way(key, name));
        if record.names.is_empty() {
            tracing::info!(name = %manifest.name(), id = %key, "forgotten: other content has its name");
            return self.saver.forget(key, &slot);
        }
        for name in &record.names {
            self.forget_name(&name.name, Some(key));
        }
        let is_misdated = is_to_come(record.shared_at_ms);
        if is_misdated {
            tracing::warn!(name = %manifest.name(), id = %key,
                "its date of sharing lies in the future, because the clock was set back; the date is ignored");
            record.shared_at_ms = 0;
        }
        record.names.iter().for_each(|name| self.events.restored(name.name.clone()));
        let phase = Phase::Checking(Checking::new(CheckStep::Looks));
        let mut resource = Resource::new(manifest, record, slot, phase);
        resource.is_tree = is_tree;
        if let Some(older) = older {
            resource.older = Older::File(Arc::new(older));
        }
        if rebuilt.is_some() || is_misdated {
            self.saver.save(&resource.slot, &resource.record);
        }
        self.library.insert(resource);
        self.resume_as(key, restored);
    }

    /// A crash may leave two resources with one name: the former one and its replacement. The name belongs to the
    /// replacement, whose file is not published yet. Returns whether the loaded resource may have the name.
    fn gives_way(&self, key: SwarmKey, wanted: &NameRecord) -> bool {
        let Some(other) = self.library.key_of(&wanted.name).and_then(|other| self.library.get(other)) else {
            return true;
        };
        let is_new = |record: &NameRecord| record.published.is_none() && record.replace;
        let others = other.record.names.iter().find(|record| record.name == wanted.name);
        // A rebuilt record may lack names, so it takes none from a record that was saved.
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

    /// Keeps a command about resources that are not loaded yet; returns one that can be carried out.
    pub(super) fn park(&mut self, command: Command) -> Option<Command> {
        if !self.must_wait(&command) {
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

    /// Keeps a hashed file until the record of its resource is loaded. There are at most as many as tasks.
    pub(super) fn park_share(&mut self, share: HashedShare) {
        self.lookers.hurry(share.hashed.resource);
        self.loading.shares.push(share);
    }

    /// Whether a command is about something that is not known yet.
    fn must_wait(&self, command: &Command) -> bool {
        !self.loading.is_over() && !self.is_known(command) || self.waits_for_stray(command)
    }

    /// Whether everything that a command is about is loaded.
    fn is_known(&self, command: &Command) -> bool {
        let wants = command.subject();
        let has_name = |name: &ResourceName| self.library.key_of(name).is_some();
        let is_left = |resource| self.loading.is_listing || self.loading.has(resource);
        match (wants.what, wants.resource) {
            (None, _) => true,
            // Another list of the same resource's chunks may still have to be loaded.
            (Some(what), Some(resource)) => {
                what.parse().is_ok_and(|name| has_name(&name)) && !is_left(resource)
            }
            (Some(what), None) => match what.parse::<ResourceId>() {
                Ok(resource) => !self.library.find(what).is_empty() || !is_left(resource),
                Err(_) => what.parse().map_or(true, |name| has_name(&name)),
            },
        }
    }

    /// Moves resources that somebody waits for to the front.
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

    /// Carries out the commands whose resources are loaded, in the order in which they came.
    pub(super) fn unpark(&mut self) {
        let shares = std::mem::take(&mut self.loading.shares);
        for HashedShare { task, request, hashed, identity, .. } in shares {
            self.adopt_hashed(task, &request, hashed, identity); // this may keep it once more
        }
        let parked = std::mem::take(&mut self.loading.parked);
        for (since, command) in parked {
            match self.must_wait(&command) {
                true => self.loading.parked.push((since, command)),
                false => self.command(command),
            }
        }
    }

    /// Refuses commands that have waited for too long.
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
            kind: ErrorKind::TimedOut,
            message: format!("ttd has just started and has {left} files still to examine"),
            hint: Some("try again in a moment".to_owned()),
        }
    }

    // -- going on

    /// Continues a resource as its files were found.
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
                self.publish(key); // a name that is not published yet
            }
            Restored::Unfinished(part, have) => {
                if have.is_empty() {
                    self.saver.forget_have(&resource.slot); // an existing one belongs to a part file that is gone
                }
                let fetching = self.fetching(manifest, Arc::new(part), have);
                if let Some(resource) = self.library.get_mut(key) {
                    resource.sources.begin(Instant::now());
                    resource.phase = Phase::Fetching(Box::new(fetching));
                }
                if self.start_or_wait(key) {
                    tracing::info!(name = self.library.called(key), id = %key, "the download continues");
                }
            }
            Restored::Doubtful(why) => {
                tracing::warn!(name = self.library.called(key), id = %key, error = %why, "checking what is on the disk");
                self.check_in_turn(key);
            }
        }
    }

    /// Continues a resource, or marks it as failed.
    fn resume_or_fail(&mut self, key: SwarmKey, restored: Result<Restored, StoreError>) {
        match restored {
            Ok(restored) => self.resume_as(key, restored),
            Err(error) => self.fail_resource(key, error.into()),
        }
        if self.checks.is_asked_for(key) {
            self.check(key); // a look does not answer those who asked for a check
        }
    }
}
