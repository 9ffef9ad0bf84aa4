//! Takes in a download: what is wanted is known by its manifest by now.

use super::share::{internal, store_error};
use super::{Driver, Input, Reply, Wanted};
use crate::library::{Blocked, Check, CheckStep, Checking, Phase, Resource};
use crate::saver::Shelf;
use crate::store::{NameRecord, PartFile, Record, Slot, StoreError};
use crate::tasks::TaskInput;
use shared::have::HaveMap;
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, ErrorKind};
use std::io;
use std::sync::Arc;

/// How many resources a daemon remembers.
const RESOURCES_MAX: usize = 100_000;

impl Driver {
    pub(super) fn get(&mut self, wanted: Wanted, reply: Reply<Accepted>) {
        match self.accept(&wanted) {
            Ok(Some(accepted)) => self.answer_when_saved(reply, Ok(accepted)),
            Ok(None) => self.begin(wanted, reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Finds out whether a download is there already; `None` when it has to begin.
    fn accept(&mut self, wanted: &Wanted) -> Result<Option<Accepted>, ControlError> {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        self.drop_disproved(key.resource, name);
        if let Some(other) = self.library.key_of_resource(key.resource).filter(|&other| other != key) {
            return Err(ControlError {
                kind: ErrorKind::BadData,
                message: format!(
                    "{other} is known here with another list of chunks: one of the two manifests is false"
                ),
                hint: Some(format!("if the one that is here is the false one: `ttctl remove {other}`")),
            });
        }
        if self.library.key_of(name) == Some(key) {
            self.revive(key, wanted);
            return self.accepted(key, wanted).map(Some);
        }
        let is_taken =
            self.library.key_of(name).is_some() || std::fs::symlink_metadata(self.home.file(name)).is_ok();
        if is_taken && !wanted.replace {
            return Err(self.name_taken(wanted));
        }
        if self.library.names_len() >= RESOURCES_MAX {
            return Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("there are {RESOURCES_MAX} resources here already"),
                hint: Some("remove some first".to_owned()),
            });
        }
        if self.library.get(key).is_some() {
            self.add_name(key, wanted);
            return self.accepted(key, wanted).map(Some);
        }
        if self.publishing.contains_key(&key) {
            // Its place is not free yet: what was removed is still being moved out of there.
            return Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("{name} was removed while it was being published, which is not over yet"),
                hint: Some("try again in a moment".to_owned()),
            });
        }
        Ok(None)
    }

    /// Manifests that were found to be false keep no name and no resource from others.
    fn drop_disproved(&mut self, resource: ResourceId, name: &ResourceName) {
        let holders = [self.library.key_of_resource(resource), self.library.key_of(name)];
        for key in holders.into_iter().flatten() {
            let Some(resource) = self.library.get(key).filter(|resource| resource.is_disproved()) else {
                continue;
            };
            let names: Vec<ResourceName> =
                resource.record.names.iter().map(|record| record.name.clone()).collect();
            names.iter().for_each(|name| self.forget_name(name, None));
        }
    }

    fn accepted(&self, key: SwarmKey, wanted: &Wanted) -> Result<Accepted, ControlError> {
        let resource = self.library.get(key).ok_or_else(|| internal(&"the resource is gone"))?;
        let name = wanted.manifest.name().clone();
        let is_published = |record: &NameRecord| record.name == name && record.published.is_some();
        let complete = matches!(resource.phase, Phase::Seeding(_))
            && resource.record.names.iter().any(is_published)
            && !resource.troubles.contains_key(&name);
        Ok(Accepted { name, resource: key.resource, count: resource.count(), complete })
    }

    /// Whoever asks for a resource that stands still wants it to go on.
    fn revive(&mut self, key: SwarmKey, wanted: &Wanted) {
        let Some(resource) = self.library.get_mut(key) else { return };
        for record in resource.record.names.iter_mut().filter(|record| record.name == *wanted.manifest.name())
        {
            record.replace |= wanted.replace;
        }
        let file_is_wrong = matches!(resource.phase, Phase::Failed(_))
            || resource.troubles.contains_key(wanted.manifest.name());
        let path = self.home.file(wanted.manifest.name());
        let is_gone =
            || std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if file_is_wrong && (wanted.replace || is_gone()) {
            return self.fetch_once_more(key, wanted.manifest.name());
        }
        if resource.record.paused {
            let _ = self.resume(wanted.manifest.name().as_str());
        } else if matches!(resource.phase, Phase::Failed(_)) {
            self.check(key, None);
        } else if matches!(resource.phase, Phase::Checking(_)) {
            self.checks.hurry(key);
        } else {
            self.unblock_now(key);
        }
    }

    /// What lies under the name is gone, or wrong and may be replaced: make it anew, from another name's file if
    /// there is a good one, else from the swarm.
    fn fetch_once_more(&mut self, key: SwarmKey, name: &ResourceName) {
        let file = self.home.file(name);
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.troubles.remove(name);
        resource.record.paused = false;
        let names = resource.record.names.iter_mut();
        for record in names.filter(|record| record.name == *name) {
            (record.published, record.damaged) = (None, false);
        }
        self.saver.save(&resource.slot, &resource.record);
        if matches!(&resource.phase, Phase::Seeding(published) if published.path != file) {
            self.join(key);
            self.publish(key);
            self.changed();
        } else {
            self.check(key, None);
        }
    }

    /// The same content under one more name.
    fn add_name(&mut self, key: SwarmKey, wanted: &Wanted) {
        let name = wanted.manifest.name().clone();
        self.forget_name(&name, Some(key));
        let record = NameRecord { name, replace: wanted.replace, published: None, damaged: false };
        self.library.add_name(key, record);
        if let Some(resource) = self.library.get(key) {
            self.saver.save(&resource.slot, &resource.record);
            match resource.phase {
                Phase::Seeding(_) => self.publish(key),
                Phase::Failed(_) => self.check(key, None), // nothing good is here: it is fetched for this name
                _ => {}
            }
        }
        self.announce(key);
        self.changed();
    }

    /// Makes the place of a new download. It is taken in when that is done: until then whatever has its name is
    /// what it was.
    fn begin(&mut self, wanted: Wanted, reply: Reply<Accepted>) {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name().clone());
        let record = Record {
            key,
            trackers: wanted.tracker.clone().into_iter().collect(),
            shared_at_ms: wanted.shared_at_ms,
            origin: false,
            paused: false,
            names: vec![NameRecord { name, replace: wanted.replace, published: None, damaged: false }],
        };
        let (slot, context) = (self.home.slot(key), self.context.clone());
        let opening = self.open_place(&slot, &record, &wanted.manifest);
        tokio::spawn(async move {
            if let Some(opened) = opening.await {
                context.tell(Input::Task(TaskInput::Opened { wanted, record, opened, reply })).await;
            }
        });
    }

    /// Makes the place of a download that only memory knows of.
    pub(super) fn make_place(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let checking = Checking::new(CheckStep::Opens);
        let check = checking.check.clone();
        resource.phase = Phase::Checking(checking);
        let (slot, record, manifest) =
            (resource.slot.clone(), resource.record.clone(), resource.manifest.clone());
        let (opening, context) = (self.open_place(&slot, &record, &manifest), self.context.clone());
        tokio::spawn(async move {
            if let Some(opened) = opening.await {
                context.tell(Input::Task(TaskInput::Made { key, check, opened })).await;
            }
        });
    }

    /// `None` when the daemon ends.
    fn open_place(
        &self,
        slot: &Slot,
        record: &Record,
        manifest: &Manifest,
    ) -> impl Future<Output = Option<Result<PartFile, StoreError>>> + use<> {
        let (record, manifest, count) = (record.clone(), manifest.clone(), manifest.count());
        let shelved = self.saver.shelve(Shelf { slot: slot.clone(), record, manifest, show: None });
        let slot = slot.clone();
        async move {
            match shelved.await.ok()? {
                Ok(()) => tokio::task::spawn_blocking(move || slot.open_part(count)).await.ok(),
                Err(error) => Some(Err(error)),
            }
        }
    }

    /// The place of a download is made, or cannot be.
    pub(super) fn opened(
        &mut self,
        wanted: &Wanted,
        record: Record,
        opened: Result<PartFile, StoreError>,
        reply: Reply<Accepted>,
    ) {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        // Much may have happened meanwhile.
        let present = self.accept(wanted);
        if !matches!(present, Ok(None)) {
            match self.library.get(key) {
                Some(resource) => self.saver.save(&resource.slot, &resource.record),
                None if !self.publishing.contains_key(&key) => self.saver.forget(key, &self.home.slot(key)),
                None => {}
            }
            let answer = present.map(|accepted| accepted.expect("Ok(None) was looked for above"));
            return self.answer_when_saved(reply, answer);
        }
        if let Err(error) = &opened
            && (error.is_later_version() || self.library.key_of(name).is_some())
        {
            return drop(reply.send(Err(store_error(error)))); // whatever is there stays
        }
        self.forget_name(name, None);
        let slot = self.home.slot(key);
        let phase = Phase::Checking(Checking::new(CheckStep::Opens));
        self.library.insert(Resource::new(wanted.manifest.clone(), record, slot, phase));
        tracing::info!(resource = %key, %name, chunks = %wanted.manifest.count(), "a download is accepted");
        self.take_in(key, opened);
        let accepted = self.accepted(key, wanted);
        self.answer_when_saved(reply, accepted);
    }

    pub(super) fn made(&mut self, key: SwarmKey, check: &Check, opened: Result<PartFile, StoreError>) {
        if self.library.get(key).is_some_and(|resource| resource.is_in(check)) {
            self.take_in(key, opened);
        }
    }

    /// Begins a download whose place is made; what lies there of a former one is looked at.
    fn take_in(&mut self, key: SwarmKey, opened: Result<PartFile, StoreError>) {
        let length = opened.and_then(|part| part.length().map(|length| (part, length)));
        let (part, length) = match length {
            Ok(opened) => opened,
            Err(error) => return self.not_made(key, &error),
        };
        self.look_at_room();
        if length > 0 {
            return self.check(key, None);
        }
        let Some(resource) = self.library.get(key) else { return };
        let (manifest, have) = (resource.manifest.clone(), HaveMap::empty(resource.count()));
        let fetching = self.fetching(manifest, Arc::new(part), have);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Fetching(fetching);
        }
        self.unblock(key);
    }

    /// A download stays wanted although the disk does not take it yet.
    pub(super) fn not_made(&mut self, key: SwarmKey, error: &StoreError) {
        tracing::warn!(resource = %key, %error, "a download waits; until its place is made a restart forgets it");
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Accepted(Blocked::by_disk(error));
        }
        self.changed();
    }

    pub(super) fn find_locally(&mut self, what: &str) -> Result<Accepted, ControlError> {
        let (name, key) = self.one(what)?;
        let manifest = match self.library.get(key) {
            Some(resource) => resource.manifest.with_name(name),
            None => return Err(internal(&"the resource is gone")),
        };
        let wanted = Wanted { manifest, tracker: None, shared_at_ms: 0, replace: false };
        self.revive(key, &wanted);
        self.accepted(key, &wanted)
    }

    fn name_taken(&self, wanted: &Wanted) -> ControlError {
        let name = wanted.manifest.name();
        let (message, hint) = match self.library.key_of(name) {
            Some(other) => (
                format!("{name} is taken by other content ({})", other.resource),
                "use --replace to put the new content in its place".to_owned(),
            ),
            None => (
                format!("a file {} is there already", self.home.file(name).display()),
                format!(
                    "if it is the same file, `ttctl share` it; else use --replace to put {name} in its place"
                ),
            ),
        };
        ControlError { kind: ErrorKind::Refused, message, hint: Some(hint) }
    }
}
