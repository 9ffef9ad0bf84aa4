//! Begins downloads. The manifest of a wanted resource is known here.

use super::Driver;
use super::reasons::short;
use super::state::RESOURCES_MAX;
use super::wanted::record_of;
use crate::inbox::{Input, Manner, Reply, TaskInput, Wanted, internal, store_error, unknown};
use crate::jobs;
use crate::library::{Older, Opening, Phase, Resource};
use crate::panicked::caught;
use crate::store::{
    FileIdentity, Home, Lying, NameRecord, NameState, PartFile, PublishedFile, Record, Slot, StoreError,
};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, ErrorKind};
use shared::shell;
use shared::wanted::WantedBy;
use std::sync::Arc;

/// What has to be done for a wanted resource.
enum Next {
    /// Nothing: it is in the library.
    Here,
    /// Another list of its chunks is being fetched under this name, and nobody knows which is true. The new one begins
    /// if the other one fails.
    Beside(SwarmKey),
    /// Compare the file of unknown content that has its name.
    Compare,
    /// Begin a download.
    Begin,
}

impl Driver {
    pub(super) fn get(&mut self, wanted: Wanted, reply: Reply<Accepted>) {
        self.look_at_place(wanted, false, reply);
    }

    pub(super) fn find_locally(&mut self, what: &str, manner: Manner, by: WantedBy, reply: Reply<Accepted>) {
        let manifest = self.one(what).and_then(|(name, key)| match self.library.get(key) {
            Some(resource) => Ok(resource.manifest_of(&name)),
            None => Err(internal(&"the resource is gone")),
        });
        match manifest {
            Ok(manifest) => {
                let wanted = Wanted::known(manifest, manner.replace, by).in_manner(manner);
                self.look_at_place(wanted, true, reply);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Checks that a name is known already or one more fits.
    pub(super) fn must_have_room_for(&self, name: &ResourceName) -> Result<(), ControlError> {
        match self.library.key_of(name) {
            Some(_) => Ok(()),
            None => room_for_one_more(self.library.names_len()),
        }
    }

    /// Does what has to be done for a wanted resource. `is_compared` says that what lies under its name was compared
    /// with it and is kept, and that it may be something else.
    pub(super) fn carry_out(
        &mut self,
        wanted: Wanted,
        place: NameState,
        is_compared: bool,
        reply: Reply<Accepted>,
    ) {
        let key = wanted.manifest.key();
        match self.accept(&wanted, &place) {
            Ok(Next::Here) => {
                let accepted = self.accepted(key, &wanted);
                log_known(&wanted, &accepted);
                self.answer_when_saved(reply, accepted);
            }
            Ok(Next::Beside(other)) => {
                let accepted = self.accepted(other, &wanted);
                self.answer_when_saved(reply, accepted);
            }
            Ok(Next::Compare) if !is_compared => self.compare(wanted, reply),
            Ok(Next::Compare | Next::Begin) => self.begin(wanted, place, reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Decides what has to be done for a wanted resource.
    fn accept(&mut self, wanted: &Wanted, place: &NameState) -> Result<Next, ControlError> {
        let (key, name, by) = (wanted.manifest.key(), wanted.manifest.name(), wanted.by.as_ref());
        if by.is_none() && self.library.key_of(name).is_none() {
            return Err(unknown(name.as_str())); // it was removed, and nobody wants it any more
        }
        if let Some(other) = self.library.other_list(key)
            && !self.ask_to_stand_aside(other, wanted)
        {
            if !self.library.get(other).is_some_and(Resource::is_unproven) {
                return Err(other_list(other));
            }
            self.add_wanted(other, name, by);
            self.restrict_reuse(other, wanted);
            return Ok(Next::Beside(other));
        }
        if self.library.key_of(name) == Some(key) {
            self.want_file(key, wanted)?;
            self.want_links_outside(key, wanted);
            self.take_signature(key, wanted);
            self.revive(key, wanted, place)?;
            self.add_wanted(key, name, by);
            self.restrict_reuse(key, wanted);
            return Ok(Next::Here);
        }
        self.must_be_free(wanted, place)?;
        self.must_have_room_for(name)?;
        if self.library.get(key).is_some() {
            self.must_be_its_name(key, name)?;
            self.add_name(key, wanted, place);
            return Ok(Next::Here);
        }
        if self.publishing.contains_key(&key) {
            // Its folder is not free yet: a removed resource is still being deleted there.
            return Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("{name} is still being removed"),
                hint: Some("try again in a moment".to_owned()),
            });
        }
        let is_there = matches!(place.file, Lying::File(_)) || (place.is_directory() && !wanted.as_file);
        let is_strange = is_there && self.library.key_of(name).is_none();
        Ok(if is_strange && !wanted.replace { Next::Compare } else { Next::Begin })
    }

    /// Whether the resource is in the library; then it continues there.
    ///
    /// # Errors
    /// When it may not be.
    pub(super) fn go_on_if_here(&mut self, wanted: &Wanted, place: &NameState) -> Result<bool, ControlError> {
        self.accept(wanted, place).map(|next| matches!(next, Next::Here))
    }

    /// Refuses a name that something else has and may not lose.
    fn must_be_free(&self, wanted: &Wanted, place: &NameState) -> Result<(), ControlError> {
        let name = wanted.manifest.name();
        self.must_be_replaceable(name, place)?;
        let Some(other) = self.library.key_of(name).and_then(|key| self.library.get(key)) else {
            return Ok(());
        };
        if other.gives_way || other.is_disproved() {
            return Ok(());
        }
        if other.record.origin && matches!(place.file, Lying::File(_)) {
            return Err(refuse_original(name, other));
        }
        if wanted.replace { Ok(()) } else { Err(name_taken(name, other)) }
    }

    /// Refuses a name under which something lies that no file can replace, such as a folder.
    pub(super) fn must_be_replaceable(
        &self,
        name: &ResourceName,
        place: &NameState,
    ) -> Result<(), ControlError> {
        let holder = self.library.key_of(name).and_then(|key| self.library.get(key));
        let file = holder.map_or_else(|| self.home.file(name), |resource| resource.path(&self.home, name));
        let manifest = self.home.manifest_file(name);
        let is_tree = holder.is_some_and(|resource| resource.is_tree);
        let expected = if is_tree { "a directory" } else { "a regular file" };
        for (path, lying, expected) in
            [(file, &place.file, expected), (manifest, &place.manifest, "a regular file")]
        {
            if let Lying::Other(what) = lying {
                return Err(ControlError {
                    kind: ErrorKind::Refused,
                    message: format!("{} is {what}; only {expected} can be replaced", path.display()),
                    hint: Some("move it away, then try again".to_owned()),
                });
            }
        }
        Ok(())
    }

    /// Removes other lists of the resource's chunks, and other content of the name, that give way.
    fn drop_others(&mut self, key: SwarmKey, name: &ResourceName) {
        let holders = [self.library.other_list(key), self.library.key_of(name)];
        for other in holders.into_iter().flatten() {
            let gives_way = |resource: &&Resource| resource.gives_way || resource.is_disproved();
            let Some(resource) = self.library.get(other).filter(gives_way) else { continue };
            let names: Vec<ResourceName> =
                resource.record.names.iter().map(|record| record.name.clone()).collect();
            names.iter().for_each(|name| self.forget_name(name, None));
        }
    }

    pub(super) fn accepted(&self, key: SwarmKey, wanted: &Wanted) -> Result<Accepted, ControlError> {
        let resource = self.library.get(key).ok_or_else(|| internal(&"the resource is gone"))?;
        let name = wanted.manifest.name().clone();
        let is_published = |record: &NameRecord| record.name == name && record.published.is_some();
        let complete = matches!(resource.phase, Phase::Seeding(_))
            && resource.record.names.iter().any(is_published)
            && !resource.troubles.contains_key(&name)
            && resource.edited.is_none()
            && !self.folder.is_away();
        let is_tree = resource.is_tree;
        Ok(Accepted {
            name,
            resource: key.resource,
            count: resource.count(),
            complete,
            is_tree,
            comparing: None,
        })
    }

    /// Adds a name to a resource that is here.
    fn add_name(&mut self, key: SwarmKey, wanted: &Wanted, place: &NameState) {
        let name = wanted.manifest.name().clone();
        let record = self.wanted_name(wanted, place);
        self.forget_name(&name, Some(key));
        self.library.add_name(key, record);
        self.restrict_reuse(key, wanted);
        if let Some(resource) = self.library.get_mut(key) {
            if matches!(resource.phase, Phase::Failed(_)) {
                resource.record.no_reuse = !wanted.reuse; // it is fetched anew
            }
            self.saver.save(&resource.slot, &resource.record);
            match resource.phase {
                Phase::Seeding(_) => self.publish(key),
                Phase::Failed(_) => self.check(key), // no right file is here, so it is fetched for this name
                Phase::Fetching(_) => self.unblock_now(key), // this name may be free
                _ => {}
            }
        }
        self.announce(key);
        self.changed();
    }

    /// The record of a name that is wanted and has no file yet.
    fn wanted_name(&self, wanted: &Wanted, place: &NameState) -> NameRecord {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        let mut record = self.name_record(key, name, None, wanted.by.as_ref());
        record.signed = wanted.signed();
        if wanted.replace {
            record.may_replace(self.directory_to_replace(wanted, place));
        }
        record
    }

    /// The directory that the wanted content may replace: the one that its caller can have seen. A request that ttd makes
    /// itself, for another list of the same resource, keeps what an earlier caller allowed.
    pub(super) fn directory_to_replace(&self, wanted: &Wanted, place: &NameState) -> Option<FileIdentity> {
        if wanted.by.is_some() {
            return place.directory;
        }
        let holder = self.library.key_of(wanted.manifest.name()).and_then(|key| self.library.get(key));
        record_of(holder?, wanted.manifest.name())?.replaces
    }

    /// Creates the folder of a new download. The download begins when that is done; until then the name keeps its
    /// present content.
    fn begin(&mut self, wanted: Wanted, place: NameState, reply: Reply<Accepted>) {
        let (key, name) = (wanted.manifest.key(), self.wanted_name(&wanted, &place));
        let record = Record::wanted(key, wanted.tracker.clone(), wanted.shared_at_ms, name);
        let Wanted { as_file, links_outside, reuse, .. } = wanted;
        let record = Record { as_file, links_outside, no_reuse: !reuse, ..record };
        let (slot, context) = (self.home.slot(key), self.context.clone());
        let opening = self.open_place(&slot, &record, &wanted.manifest);
        let former = self.former_directory(wanted.manifest.name());
        jobs::spawn(async move {
            if let Some(opened) = opening.await {
                let kept = match former {
                    Some(former) if opened.is_ok() => keep_older(slot, former).await,
                    _ => None,
                };
                let opened = TaskInput::Opened {
                    wanted: Box::new(wanted),
                    record: Box::new(record),
                    place,
                    opened,
                    kept,
                    reply,
                };
                context.tell(Input::Task(opened)).await;
            }
        });
    }

    /// Where to find what is known of the directory that a new download will replace.
    fn former_directory(&self, name: &ResourceName) -> Option<FormerDirectory> {
        if let Some(former) = self.former(name) {
            return former.tree.is_some().then(|| FormerDirectory::Published(Box::new(former)));
        }
        let holder = self.library.get(self.library.key_of(name)?)?;
        let (slot, home) = (holder.slot.clone(), self.home.clone());
        Some(FormerDirectory::Kept { slot, home, name: name.clone() })
    }

    /// The folder of a download was created, or could not be.
    pub(super) fn opened(
        &mut self,
        wanted: &Wanted,
        record: Record,
        place: &NameState,
        opened: Result<PartFile, StoreError>,
        kept: Option<Box<PublishedFile>>,
        reply: Reply<Accepted>,
    ) {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        // The situation may have changed since the request.
        let next = self.accept(wanted, place);
        if matches!(next, Ok(Next::Here | Next::Beside(_)) | Err(_)) {
            match self.library.get(key) {
                Some(resource) => self.saver.save(&resource.slot, &resource.record),
                None if !self.publishing.contains_key(&key) => self.saver.forget(key, &self.home.slot(key)),
                None => {}
            }
            let answer = next.and_then(|_| self.accepted(key, wanted));
            return self.answer_when_saved(reply, answer);
        }
        if let Err(error) = &opened
            && (error.is_later_version() || self.library.key_of(name).is_some())
        {
            return drop(reply.send(Err(store_error(error)))); // the name keeps its content
        }
        let slot = self.home.slot(key);
        let older = match (self.former(name), kept) {
            // Its own slot goes away with it.
            (Some(former), _) if former.tree.is_none() => Older::File(Arc::new(former)),
            (Some(former), Some(kept)) if kept.manifest.key() == former.manifest.key() => {
                Older::File(Arc::from(kept))
            }
            (Some(_), _) => Older::Nothing,
            (None, Some(kept)) if place.is_directory() && !wanted.as_file => Older::File(Arc::from(kept)),
            (None, _) if place.file == Lying::Nothing && (!place.is_directory() || wanted.as_file) => {
                Older::Nothing
            }
            (None, _) => Older::Unknown,
        };
        let record = self.still_wanted(record, wanted);
        self.drop_others(key, name);
        self.forget_name(name, None);
        let phase = Phase::Opening(Opening::default());
        self.library.insert(Resource::new(wanted.manifest.clone(), record, slot, phase));
        let (chunks, user) = (wanted.manifest.count().get(), wanted.by.as_ref().map(tracing::field::display));
        tracing::info!(%name, id = %key, chunks, user, "being fetched");
        if let Some(resource) = self.library.get_mut(key) {
            resource.older = older;
        }
        self.begin_download(key, opened);
        let accepted = self.accepted(key, wanted);
        self.answer_when_saved(reply, accepted);
    }

    /// Updates the record of a download whose folder was just created, because users may have begun or ceased to want
    /// its name meanwhile.
    fn still_wanted(&self, mut record: Record, wanted: &Wanted) -> Record {
        let wanted_by = self.wanting(wanted.manifest.name(), wanted.by.as_ref());
        if let Some(name) = record.names.first_mut().filter(|name| name.wanted_by != wanted_by) {
            name.wanted_by = wanted_by;
            self.saver.save(&self.home.slot(record.key), &record);
        }
        record
    }
}

/// What is known of a directory that a new download will replace.
enum FormerDirectory {
    /// It is finished.
    Published(Box<PublishedFile>),
    /// Another download would have replaced it, and gives way. It may have kept something of it in this slot.
    Kept { slot: Slot, home: Arc<Home>, name: ResourceName },
}

/// Keeps what is known of a directory that a download will replace. Returns the directory, if something is; otherwise all
/// of the new one is fetched.
async fn keep_older(slot: Slot, former: FormerDirectory) -> Option<Box<PublishedFile>> {
    let keep = move || {
        let former = match former {
            FormerDirectory::Published(former) => Some(*former),
            FormerDirectory::Kept { slot, home, name } => slot.older_tree(&home, &name),
        };
        let Some(former) = former else { return Ok(None) };
        slot.keep_older(&former)?;
        Ok::<_, StoreError>(Some(Box::new(slot.instead_of(former))))
    };
    match jobs::run(|| caught(keep)).await.ok()? {
        Ok(Ok(kept)) => return kept,
        Ok(Err(error)) => tracing::warn!(%error, "nothing is taken from the older directory"),
        Err(error) => tracing::error!(%error, "cannot keep what is known of the older directory"),
    }
    None
}

/// Logs that somebody asked for a file that is known already.
fn log_known(wanted: &Wanted, accepted: &Result<Accepted, ControlError>) {
    let (Ok(accepted), Some(user)) = (accepted, &wanted.by) else { return };
    let known = if accepted.complete {
        "requested; it is already complete"
    } else {
        "requested; it is already being fetched"
    };
    tracing::info!(name = %accepted.name, id = %accepted.resource, %user, "{known}");
}

/// The error when another list of chunks is the true one.
fn other_list(other: SwarmKey) -> ControlError {
    ControlError {
        kind: ErrorKind::BadData,
        message: format!(
            "{} is complete here with a different list of chunks: this manifest is wrong",
            short(other.resource)
        ),
        hint: None,
    }
}

fn name_taken(name: &ResourceName, other: &Resource) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!("{name} exists here with different content ({})", short(other.key().resource)),
        hint: Some("use --replace to replace it".to_owned()),
    }
}

/// Refuses to replace content that this machine has shared: only its owner removes it.
fn refuse_original(name: &ResourceName, other: &Resource) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!(
            "{name} was shared from this machine ({}); `get` does not replace an original",
            short(other.key().resource)
        ),
        hint: Some(format!(
            "to replace it, first `ttctl remove {}`; to publish yours as the newest, share it again with --replace",
            shell::word(name.as_str())
        )),
    }
}

fn room_for_one_more(names: usize) -> Result<(), ControlError> {
    if names < RESOURCES_MAX {
        return Ok(());
    }
    Err(ControlError {
        kind: ErrorKind::Refused,
        message: format!("{RESOURCES_MAX} files are here already, the maximum"),
        hint: Some("remove some of them first".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_has_as_many_resources_as_a_tracker_takes_of_it() {
        assert!(room_for_one_more(RESOURCES_MAX - 1).is_ok());
        assert!(room_for_one_more(RESOURCES_MAX).is_err());
        let config = shared::host::config::TrackerConfig::default();
        assert!(config.entries_per_peer_max.get() as usize >= RESOURCES_MAX);
    }
}
