//! Takes in a download: what is wanted is known by its manifest by now.

use super::share::{internal, store_error};
use super::{Driver, Input, Reply, Wanted};
use crate::library::{Checking, Phase, Resource};
use crate::store::{NameRecord, PartFile, Record, StoreError};
use crate::tasks::TaskInput;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, ErrorKind};
use std::io;

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
        if let Some(other) = self.library.key_of_resource(key.resource).filter(|&other| other != key) {
            return Err(ControlError {
                kind: ErrorKind::BadData,
                message: format!(
                    "{other} is known here with another list of chunks: one of the two manifests is false"
                ),
                hint: Some(format!("if the one that is here is the false one: ttctl remove {other}")),
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
        if self.library.names().count() >= RESOURCES_MAX {
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
        names.filter(|record| record.name == *name).for_each(|record| record.published = None);
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
        let record = NameRecord { name, replace: wanted.replace, published: None };
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

    /// Makes the place of a new download; it joins its swarm when that is done.
    fn begin(&mut self, wanted: Wanted, reply: Reply<Accepted>) {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name().clone());
        self.forget_name(&name, None);
        let record = Record {
            key,
            trackers: wanted.tracker.clone().into_iter().collect(),
            shared_at_ms: wanted.shared_at_ms,
            origin: false,
            paused: false,
            names: vec![NameRecord { name, replace: wanted.replace, published: None }],
        };
        let slot = self.home.slot(key);
        let checking = Checking::default();
        let phase = Phase::Checking(checking.clone());
        let resource = Resource::new(wanted.manifest.clone(), record, slot.clone(), phase);
        let shelved = self.shelve(&resource, false);
        self.library.insert(resource);
        let (context, count) = (self.context.clone(), wanted.manifest.count());
        let accepted =
            Accepted { name: wanted.manifest.name().clone(), resource: key.resource, count, complete: false };
        tokio::spawn(async move {
            let opened = match shelved.await {
                Ok(Ok(())) => tokio::task::spawn_blocking(move || PartFile::open(&slot.part(), count)).await,
                Ok(Err(error)) => Ok(Err(error)),
                Err(_) => return,
            };
            let Ok(opened) = opened else { return };
            context.tell(Input::Task(TaskInput::Opened { key, checking, opened, accepted, reply })).await;
        });
    }

    pub(super) fn opened(
        &mut self,
        key: SwarmKey,
        checking: &Checking,
        opened: Result<PartFile, StoreError>,
        accepted: Accepted,
        reply: Reply<Accepted>,
    ) {
        let Some(resource) = self.library.get(key) else {
            let gone = internal(&format!("{} was removed meanwhile", accepted.name));
            return drop(reply.send(Err(gone)));
        };
        if !resource.is_in(checking) {
            return drop(reply.send(Ok(accepted))); // it was removed and added again, or is being checked
        }
        let part = match opened {
            Ok(part) => part,
            Err(error) => {
                let error = store_error(&error);
                self.forget_name(&accepted.name, None);
                if self.library.get(key).is_some() {
                    self.fail_resource(key, error.message.clone(), error.kind); // it has other names by now
                }
                return drop(reply.send(Err(error)));
            }
        };
        let (manifest, have) = (resource.manifest.clone(), HaveMap::empty(resource.count()));
        let fetching = self.fetching(manifest, part, have);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Fetching(fetching);
        }
        tracing::info!(resource = %key, name = %accepted.name, chunks = %accepted.count, "a download begins");
        match self.lacking_space(key) {
            Some(reason) => self.block(key, reason, ErrorKind::NoSpace),
            None => self.join(key),
        }
        let _ = reply.send(Ok(accepted));
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
