//! Shares files: those of the shared directory in place, and others after importing them.

use super::Driver;
use super::loading::HashedShare;
use super::naming::{is_to_come, refuse_taken};
use super::reasons::{no_room_words, short, told};
use crate::inbox::internal;
use crate::inbox::store_error;
use crate::inbox::{Imported, Input, TaskInput, ToShare};
use crate::library::{Phase, Resource};
use crate::panicked::caught;
use crate::saver::Shelf;
use crate::store::{
    FileIdentity, Import, NameRecord, PublishError, PublishedFile, Record, StoreError, holds_already,
    open_regular,
};
use crate::tasks::TaskHandle;
use crate::tracker::{Announcing, NotPublished, TrackerCommand};
use shared::host::clock::now_ms;
use shared::host::hashing::{Hashed, hash_file};
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::plain::size;
use shared::rpc::control::{ControlError, ErrorKind, Shared, TaskId, TaskState};
use shared::rpc::tracker::Namesake;
use shared::shell;
use shared::url::TrackerUrl;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How long a share waits for its trackers. Then it ends with a warning about those that have not answered.
pub(super) const TRACKERS_WITHIN: Duration = Duration::from_secs(5);

impl Driver {
    /// Shares a file of the shared directory.
    pub(super) fn share(&mut self, request: ToShare) -> Result<TaskId, ControlError> {
        let request = self.with_trackers(request)?;
        self.must_not_be_awaited(&request.name)?;
        self.must_have_room_for(&request.name)?;
        let path = self.home.file(&request.name);
        let (id, task) = self.begin_task()?;
        let (context, stop) = (self.context.clone(), self.stop.clone());
        task.progress("waiting to be hashed", 0, 0);
        let hashing = self.hashing.of(path.clone(), move || {
            hash_path(&path, |bytes, total| {
                task.progress("hashing", bytes, total);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        tokio::spawn(async move {
            let hashed = hashing.await.and_then(|hashed| hashed);
            context.tell(Input::Task(TaskInput::Hashed { task: id, request, hashed })).await;
        });
        Ok(id)
    }

    pub(super) fn hashed(
        &mut self,
        task: TaskId,
        request: ToShare,
        hashed: io::Result<(Hashed, FileIdentity)>,
    ) {
        let hashed = match hashed {
            Ok(hashed) => hashed,
            Err(error) => {
                let error = ControlError {
                    kind: ErrorKind::Refused,
                    message: format!("cannot share {}: {error}", self.home.file(&request.name).display()),
                    hint: None,
                };
                return self.end_failed(task, &request, Err(error));
            }
        };
        if request.replace {
            return self.cleared(task, &request, hashed, None);
        }
        let handle = self.tasks.get(task).cloned();
        let (asking, context) = (self.ask_whose(&request.name, &request.trackers), self.context.clone());
        tokio::spawn(async move {
            let _handle = handle; // keeps the task from counting as abandoned
            let other = asking.await;
            context.tell(Input::Task(TaskInput::Cleared { task, request, hashed, other })).await;
        });
    }

    /// The trackers have answered who has the name.
    pub(super) fn cleared(
        &mut self,
        task: TaskId,
        request: &ToShare,
        (hashed, identity): (Hashed, FileIdentity),
        other: Option<(TrackerUrl, Namesake)>,
    ) {
        match may_have_name(hashed.resource, other.as_ref()) {
            Ok(()) => self.adopt_hashed(task, request, hashed, identity),
            refused => self.end_failed(task, request, refused),
        }
    }

    /// Begins an import.
    pub(super) fn import(&mut self, request: &ToShare) -> Result<(TaskId, TaskHandle), ControlError> {
        let request = self.may_import(request.clone())?;
        self.look_at_room();
        if let Some(no_room) = self.no_room(request.data_bytes, None) {
            return Err(ControlError {
                kind: ErrorKind::NoSpace,
                message: format!(
                    "cannot copy {} to {}: {}",
                    request.name,
                    self.home.folder().display(),
                    no_room_words(&no_room)
                ),
                hint: Some(
                    "free some space, or move the file into the shared directory and share it there"
                        .to_owned(),
                ),
            });
        }
        let (task, handle) = self.begin_task()?;
        self.tasks.promise(task, request.data_bytes);
        Ok((task, handle))
    }

    /// Checks whether this may be imported, and fills in its trackers.
    pub(super) fn may_import(&self, request: ToShare) -> Result<ToShare, ControlError> {
        let request = self.with_trackers(request)?;
        self.must_not_be_awaited(&request.name)?;
        self.must_have_room_for(&request.name)?;
        Ok(request)
    }

    /// All bytes of an import have arrived: puts the file under its name, unless it is there already or may not be.
    pub(super) fn import_end(
        &mut self,
        task: TaskId,
        request: &ToShare,
        able: Result<(), ControlError>,
        import: Import,
    ) -> Result<(), ControlError> {
        let request = match able.and_then(|()| self.may_import(request.clone())) {
            Ok(request) => request,
            Err(error) => {
                // Dropping the import deletes its file, which blocks as long as the shared directory does.
                tokio::task::spawn_blocking(move || drop(import));
                self.end_failed(task, request, Err(error.clone()));
                return Err(error);
            }
        };
        self.tasks.promise(task, 0); // all bytes are written
        let present = self.library.key_of(&request.name).and_then(|key| self.seeded_file(key, &request.name));
        let (home, publisher, context) = (self.home.clone(), self.publisher.clone(), self.context.clone());
        let (handle, wanted) = (self.tasks.get(task).cloned(), request.clone());
        let asking = (!request.replace).then(|| self.ask_whose(&request.name, &request.trackers));
        let work = move |other: Option<(TrackerUrl, Namesake)>| {
            let _handle = handle; // keeps the task from counting as abandoned
            let (resource, hashes) = import.hashes();
            let hashed = Hashed { resource, hashes, bytes: import.bytes() };
            let may_have_name = may_have_name(resource, other.as_ref());
            let imported = match present.filter(|(key, _)| key.resource == resource) {
                Some((_, identity)) => may_have_name.map(|()| (hashed, identity)),
                None => match may_have_name.and_then(|()| manifest_of(&request, &hashed)) {
                    Ok(manifest) => publisher
                        .publish(&home, import.finished(), &manifest, request.replace)
                        .or_else(|error| match error {
                            PublishError::NameTaken(_) => {
                                holds_already(&home.file(&request.name), resource, hashed.bytes).ok_or(error)
                            }
                            error => Err(error),
                        })
                        .map(|identity| (hashed, identity))
                        .map_err(|error| not_published(&error)),
                    Err(error) => Err(error),
                },
            };
            drop(import); // deletes its file if that was not published
            imported
        };
        tokio::spawn(async move {
            let other = match asking {
                Some(asking) => asking.await,
                None => None,
            };
            let work = move || caught(|| work(other)).unwrap_or_else(|panic| Err(internal(&panic)));
            let worked = tokio::task::spawn_blocking(work).await;
            let imported = worked.unwrap_or_else(|error| Err(internal(&error)));
            context.tell(Input::Task(TaskInput::Imported { task, request: wanted, imported })).await;
        });
        Ok(())
    }

    pub(super) fn imported(&mut self, task: TaskId, request: &ToShare, imported: Imported) {
        match imported {
            Ok((hashed, identity)) => self.adopt_hashed(task, request, hashed, identity),
            Err(error) => self.end_failed(task, request, Err(error)),
        }
    }

    /// Shares a hashed file, as soon as the last run's record of the resource is loaded.
    pub(super) fn adopt_hashed(
        &mut self,
        task: TaskId,
        request: &ToShare,
        hashed: Hashed,
        identity: FileIdentity,
    ) {
        if self.loading.may_have(hashed.resource) {
            let (_handle, request) = (self.tasks.get(task).cloned(), request.clone());
            return self.park_share(HashedShare { task, _handle, request, hashed, identity });
        }
        let outcome = self.adopt(task, request, hashed, identity);
        self.end_failed(task, request, outcome);
    }

    /// Adds a hashed file to the library and shares it.
    fn adopt(
        &mut self,
        task: TaskId,
        request: &ToShare,
        hashed: Hashed,
        identity: FileIdentity,
    ) -> Result<(), ControlError> {
        let (name, path) = (&request.name, self.home.file(&request.name));
        let manifest = manifest_of(request, &hashed)?;
        let key = manifest.key();
        let published = PublishedFile::find(&manifest, &path, identity).map_err(|message| ControlError {
            kind: ErrorKind::Refused,
            message,
            hint: Some("share it again when it no longer changes".to_owned()),
        })?;
        if self.library.key_of(name).is_some_and(|present| present != key) {
            self.must_not_be_awaited(name)?; // a download may have taken the name meanwhile
        }
        let mut record = self.record_of(&manifest);
        self.newest_ms = self.newest_ms.max(record.shared_at_ms);
        record.names.retain(|other| other.name != *name);
        record.names.push(self.name_record(key, name, Some(identity), Some(&request.by)));
        let known = self.library.get(key);
        let (old, old_trackers) = known.map(|it| (it.traffic.clone(), it.trackers())).unzip();
        if old.is_some() {
            self.leave(key);
        }
        let slot = self.home.slot(key);
        let mut resource = Resource::new(manifest, record, slot, Phase::Seeding(Arc::new(published)));
        resource.traffic = old.unwrap_or_default();
        resource.record.claims.clear();
        if !request.replace {
            resource.record.claims.extend(resource.trackers());
        }
        let saved = self.shelve(&resource, true);
        self.forget_name(name, Some(key)); // the former content goes after this is recorded
        let left = left_behind(old_trackers.unwrap_or_default(), &resource.trackers());
        let names: Vec<ResourceName> = resource.record.names.iter().map(|it| it.name.clone()).collect();
        self.library.insert(resource);
        let (user, bytes) = (&request.by, identity.bytes);
        tracing::info!(%name, id = %key, %user, bytes, "shared, {}", size(bytes));
        self.join(key);
        names.iter().for_each(|name| self.leave_catalogues(key, name, &left));
        self.publish(key); // publishes names that still wait for the content
        self.tell_trackers(task, key, name, saved, &left);
        Ok(())
    }

    /// The record of a resource that is shared now, dated after the former content even if the clock was set back.
    fn record_of(&self, manifest: &Manifest) -> Record {
        let known = self.library.get(manifest.key()).map(|resource| resource.record.clone());
        let now_ms = now_ms();
        let past = |date_ms| if is_to_come(date_ms) { 0 } else { date_ms };
        let known_ms = known.as_ref().map_or(0, |record| record.shared_at_ms);
        let replaced = self.library.key_of(manifest.name()).and_then(|key| self.library.get(key));
        let replaced_ms = replaced.map_or(0, |resource| resource.record.shared_at_ms.saturating_add(1));
        Record {
            trackers: known.as_ref().map(|record| record.trackers.clone()).unwrap_or_default(),
            shared_at_ms: now_ms.max(past(replaced_ms)).max(past(known_ms)),
            origin: true, // without claims, as it is asked for
            ..Record::new(manifest.key(), known.map(|record| record.names).unwrap_or_default())
        }
    }

    pub(super) fn shelve(
        &self,
        resource: &Resource,
        show: bool,
    ) -> oneshot::Receiver<Result<(), StoreError>> {
        self.saver.shelve(Shelf {
            slot: resource.slot.clone(),
            record: resource.record.clone(),
            manifest: resource.manifest.clone(),
            show: show.then(|| (self.home.clone(), self.publisher.clone())),
        })
    }

    /// Ends the task when every tracker that can be reached has the publication, or after [`TRACKERS_WITHIN`].
    fn tell_trackers(
        &mut self,
        task: TaskId,
        key: SwarmKey,
        name: &ResourceName,
        saved: oneshot::Receiver<Result<(), StoreError>>,
        left: &[TrackerUrl],
    ) {
        let Some(resource) = self.library.get(key) else { return };
        let left = left.iter().map(|url| no_longer_at(url, name)).collect::<Vec<_>>();
        let mut answers = Vec::new();
        for url in resource.trackers() {
            let (done, answer): (Announcing, _) = oneshot::channel();
            self.trackers.command(&self.context, &url, TrackerCommand::Await(key, done));
            answers.push((url, answer));
        }
        let Some(handle) = self.tasks.get(task).cloned() else { return };
        handle.progress("announcing", 0, 0);
        let (name, manifest) = (name.clone(), self.home.manifest_file(name));
        tokio::spawn(async move {
            let state = match saved.await {
                Ok(Ok(())) => {
                    let (mut warnings, refused) = heard(answers).await;
                    warnings.extend(left);
                    TaskState::Shared(Shared { name, resource: key.resource, manifest, warnings, refused })
                }
                Ok(Err(error)) => TaskState::Failed(store_error(&error)),
                Err(_) => TaskState::Failed(internal(&"ttd is stopping")),
            };
            handle.end(state);
        });
    }

    // -- small questions

    /// Fills in the configured trackers if the request names none.
    fn with_trackers(&self, mut request: ToShare) -> Result<ToShare, ControlError> {
        if request.trackers.is_empty() {
            request.trackers = self.settings.trackers.clone();
        }
        if request.trackers.is_empty() {
            return Err(ControlError {
                kind: ErrorKind::Usage,
                message: format!("no tracker for {}", request.name),
                hint: Some("name one with --tracker tt://HOST, or set `trackers` in ttd.toml".to_owned()),
            });
        }
        Ok(request)
    }

    /// Refuses a name that a running download will have.
    fn must_not_be_awaited(&self, name: &ResourceName) -> Result<(), ControlError> {
        let Some(resource) = self.library.key_of(name).and_then(|key| self.library.get(key)) else {
            return Ok(());
        };
        let is_awaited = |record: &NameRecord| record.name == *name && record.published.is_none();
        if !resource.record.names.iter().any(is_awaited) {
            return Ok(());
        }
        Err(ControlError {
            kind: ErrorKind::Refused,
            message: format!("{name} is being downloaded ({})", short(resource.key().resource)),
            hint: Some(format!(
                "wait until it is complete, or cancel it with `ttctl remove {}`",
                shell::word(name.as_str())
            )),
        })
    }

    /// The file of a name if it is complete and unchanged.
    fn seeded_file(&self, key: SwarmKey, name: &ResourceName) -> Option<(SwarmKey, FileIdentity)> {
        let record = self.library.get(key)?.record.names.iter().find(|record| record.name == *name)?;
        let identity = record.published?;
        FileIdentity::at(&self.home.file(name))
            .is_ok_and(|now| identity.is_same(&now))
            .then_some((key, identity))
    }

    pub(super) fn begin_task(&mut self) -> Result<(TaskId, TaskHandle), ControlError> {
        self.tasks.begin(Instant::now()).ok_or_else(|| ControlError {
            kind: ErrorKind::Refused,
            message: "too many operations are running".to_owned(),
            hint: Some("try again in a moment".to_owned()),
        })
    }

    pub(super) fn find_task(&self, task: TaskId) -> Result<watch::Receiver<TaskState>, ControlError> {
        self.tasks.get(task).map(TaskHandle::watch).ok_or_else(|| ControlError {
            kind: ErrorKind::Refused,
            message: format!("no such operation: {}", task.0),
            hint: None,
        })
    }

    fn end_failed(&self, task: TaskId, request: &ToShare, outcome: Result<(), ControlError>) {
        if let (Err(error), Some(handle)) = (outcome, self.tasks.get(task)) {
            tracing::warn!(name = %request.name, user = %request.by, %error, "not shared");
            handle.end(TaskState::Failed(error));
        }
    }
}

/// The trackers at which a resource was shared until now and is not any more.
fn left_behind(mut old: Vec<TrackerUrl>, new: &[TrackerUrl]) -> Vec<TrackerUrl> {
    old.retain(|url| !new.contains(url));
    old
}

fn no_longer_at(url: &TrackerUrl, name: &ResourceName) -> String {
    format!(
        "{name} is no longer shared at {url}; to share it at several trackers, name each of them with --tracker"
    )
}

fn manifest_of(request: &ToShare, hashed: &Hashed) -> Result<Manifest, ControlError> {
    Manifest::new(request.name.clone(), hashed.resource, request.trackers.clone(), hashed.hashes.clone())
        .map_err(|error| ControlError {
            kind: ErrorKind::Usage,
            message: format!("cannot share {}: {error}", request.name),
            hint: None,
        })
}

fn hash_path(
    path: &Path,
    progress: impl Fn(u64, u64) -> ControlFlow<()> + Sync,
) -> io::Result<(Hashed, FileIdentity)> {
    let file = open_regular(path).map_err(|error| error.source)?;
    let identity = FileIdentity::of(&file)?;
    let hashed = hash_file(&file, &|bytes| progress(bytes, identity.bytes))?;
    Ok((hashed, identity))
}

/// Refuses a name under which another machine shares other content.
fn may_have_name(resource: ResourceId, other: Option<&(TrackerUrl, Namesake)>) -> Result<(), ControlError> {
    match other.filter(|(_, other)| other.resource != resource) {
        Some((tracker, other)) => Err(refuse_taken(tracker, other)),
        None => Ok(()),
    }
}

/// The trackers' answers within their time: warnings, and why new machines cannot find the resource by name.
async fn heard(answers: Vec<(TrackerUrl, AnswerOfTracker)>) -> (Vec<String>, Vec<String>) {
    let until = tokio::time::Instant::now() + TRACKERS_WITHIN;
    let (mut warnings, mut refused, mut overtaken, mut published) =
        (Vec::new(), Vec::new(), Vec::new(), false);
    for (url, answer) in answers {
        if url.is_loopback() {
            warnings.push(format!("{url} is a loopback address: other machines cannot reach it"));
        }
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(Ok(()))) => published = true,
            Ok(Ok(Err(NotPublished::Later(why)))) => warnings.push(later(&url, &why)),
            Ok(Ok(Err(NotPublished::Refused(why)))) => {
                refused.push(format!("{url}: {why}; ttd will try again later"));
            }
            Ok(Ok(Err(NotPublished::Standing(standing)))) => {
                overtaken.push(told(&url, &standing, Duration::ZERO));
            }
            Ok(Err(_)) => warnings.push(format!("{url} is not used: too many trackers")),
            Err(_) => warnings.push(later(&url, "no answer in time")),
        }
    }
    // If another tracker has it, new machines find it there.
    match published {
        true => warnings.append(&mut refused),
        false => overtaken.append(&mut refused),
    }
    (warnings, overtaken)
}

fn later(url: &TrackerUrl, why: &str) -> String {
    format!("{url}: {why}; the file will be announced as soon as the tracker is reachable")
}

type AnswerOfTracker = oneshot::Receiver<Result<(), NotPublished>>;

fn not_published(error: &PublishError) -> ControlError {
    match error {
        PublishError::NameTaken(_) => ControlError {
            kind: ErrorKind::Refused,
            message: error.to_string(),
            hint: Some("use --replace to replace it".to_owned()),
        },
        PublishError::NoRoom(no_room) => {
            ControlError { kind: ErrorKind::NoSpace, message: no_room_words(no_room), hint: None }
        }
        PublishError::Obstructed { .. } => ControlError {
            kind: ErrorKind::Refused,
            message: error.to_string(),
            hint: Some("move it away, then try again".to_owned()),
        },
        PublishError::Store(store) | PublishError::NotSynced(store) => store_error(store),
        PublishError::Damaged(_) => internal(error),
    }
}
