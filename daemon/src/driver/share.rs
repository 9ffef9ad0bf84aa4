//! Shares files of the shared directory, and what was imported into it.

use super::Driver;
use super::hash_shared::hash_shared;
use super::loading::HashedShare;
use super::naming::{is_to_come, refuse_taken};
use super::reasons::{short, told};
use super::wanted::record_of;
use crate::inbox::{Input, TaskInput, ToShare, internal, store_error};
use crate::jobs;
use crate::library::{Phase, Resource};
use crate::saver::Shelf;
use crate::store::{FileIdentity, NameRecord, PublishedFile, PublishedTree, Record, StoreError};
use crate::tasks::{ANNOUNCING, TaskHandle};
use crate::tracker::{Announcing, NotPublished, TrackerCommand};
use futures::future::Either;
use shared::host::clock::now_ms;
use shared::host::hashing::Hashed;
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::plain::size;
use shared::rpc::control::{ControlError, ErrorKind, Shared, TaskId, TaskState};
use shared::rpc::tracker::Namesake;
use shared::shell;
use shared::url::TrackerUrl;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How long a share waits for its trackers. Then it ends with a warning about those that have not answered.
pub(super) const TRACKERS_WITHIN: Duration = Duration::from_secs(5);

impl Driver {
    /// Shares a file or directory of the shared directory.
    pub(super) fn share(&mut self, request: ToShare) -> Result<TaskId, ControlError> {
        let mut request = self.with_trackers(request)?;
        self.must_not_be_awaited(&request.name)?;
        self.must_have_room_for(&request.name)?;
        let path = self.home.file(&request.name);
        let (id, task) = self.begin_task()?;
        self.note_alone(id, &request)?;
        let (context, home, stop) = (self.context.clone(), self.home.clone(), self.stop.clone());
        let as_asked = request.clone();
        task.progress("waiting to be hashed", 0, 0);
        let is_directory = request.tree.is_some();
        let work = move || {
            let hashed = hash_shared(&home, &mut request, &|bytes, total| {
                task.progress("hashing", bytes, total);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            (request, hashed)
        };
        let hashing = match is_directory {
            true => Either::Left(self.hashing.of_directory(work)),
            false => Either::Right(self.hashing.of(path, work)),
        };
        jobs::spawn(async move {
            let (request, hashed) = hashing.await.unwrap_or_else(|error| (as_asked, Err(internal(&error))));
            context.tell(Input::Task(TaskInput::Hashed { task: id, request, hashed })).await;
        });
        Ok(id)
    }

    pub(super) fn hashed(
        &mut self,
        task: TaskId,
        request: ToShare,
        hashed: Result<(Hashed, FileIdentity), ControlError>,
    ) {
        let hashed = match hashed {
            Ok(hashed) => hashed,
            Err(error) => return self.end_failed(task, &request, error),
        };
        if request.replace {
            return self.cleared(task, &request, hashed, None);
        }
        let handle = self.tasks.get(task).cloned();
        let (asking, context) = (self.ask_whose(&request.name, &request.trackers), self.context.clone());
        jobs::spawn(async move {
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
            Err(refused) => self.forget_hashed(task, request, &hashed, refused),
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
        match self.adopt(task, request, &hashed, identity) {
            Ok(()) => self.end_notes(task, &request.name),
            Err(error) => self.forget_hashed(task, request, &hashed, error),
        }
    }

    /// Adds a hashed file to the library and shares it.
    fn adopt(
        &mut self,
        task: TaskId,
        request: &ToShare,
        hashed: &Hashed,
        identity: FileIdentity,
    ) -> Result<(), ControlError> {
        let name = &request.name;
        let manifest = manifest_of(request, hashed)?;
        let key = manifest.key();
        let slot = self.home.slot(key);
        let (path, tree) = match (request.tree, self.home.tree(name)) {
            (Some(_), Some(path)) => (path, Some(PublishedTree::new(slot.tree()))),
            _ => (self.home.file(name), None),
        };
        self.must_be_only_name(request, key)?;
        let published =
            PublishedFile::find(&manifest, &path, identity, tree).map_err(|message| ControlError {
                kind: ErrorKind::Refused,
                message,
                hint: Some("share it again when it no longer changes".to_owned()),
            })?;
        if self.library.key_of(name).is_some_and(|present| present != key) {
            self.must_not_be_awaited(name)?; // a download may have taken the name meanwhile
        }
        let mut record = self.record_of(&manifest);
        self.newest_ms = self.newest_ms.max(record.shared_at_ms);
        let mut named = self.name_record(key, name, Some(identity), Some(&request.by));
        let former = record.names.iter().find(|other| other.name == *name);
        let signed = former.and_then(|former| former.signed.clone());
        named.signed = signed.filter(|signed| signed.trackers == manifest.trackers());
        named.to_be_signed = request.to_be_signed && named.signed.is_none();
        record.names.retain(|other| other.name != *name);
        record.names.push(named);
        let known = self.library.get(key);
        let (old, old_trackers) = known.map(|it| (it.traffic.clone(), it.trackers())).unzip();
        if old.is_some() {
            self.leave(key);
        }
        let mut resource = Resource::new(manifest, record, slot, Phase::Seeding(Arc::new(published)));
        resource.is_tree = request.tree.is_some();
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
        let left = left.iter().map(|url| no_longer_at(url, name));
        let warnings = left.chain(request.lost.iter().cloned()).collect();
        self.tell_trackers(task, key, name, saved, warnings);
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

    /// Ends the task when every tracker that can be reached has the publication, or after [`TRACKERS_WITHIN`]; at once if
    /// it is not published before it is signed.
    pub(super) fn tell_trackers(
        &mut self,
        task: TaskId,
        key: SwarmKey,
        name: &ResourceName,
        saved: oneshot::Receiver<Result<(), StoreError>>,
        more_warnings: Vec<String>,
    ) {
        let Some(resource) = self.library.get(key) else { return };
        let waits = record_of(resource, name).is_none_or(|record| !record.to_be_signed);
        let mut answers = Vec::new();
        for url in resource.trackers().into_iter().filter(|_| waits) {
            let (done, answer): (Announcing, _) = oneshot::channel();
            self.trackers.command(&self.context, &url, TrackerCommand::Await(key, done));
            answers.push((url, answer));
        }
        let Some(handle) = self.tasks.get(task).cloned() else { return };
        handle.progress(ANNOUNCING, 0, 0);
        let (name, manifest) = (name.clone(), self.home.manifest_file(name));
        jobs::spawn(async move {
            let state = match saved.await {
                Ok(Ok(())) => {
                    let (mut warnings, refused) = heard(answers).await;
                    warnings.extend(more_warnings);
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
    pub(super) fn with_trackers(&self, mut request: ToShare) -> Result<ToShare, ControlError> {
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

    /// Refuses a directory whose content is here under another name already: its files are recognized where they are.
    pub(super) fn must_be_only_name(&self, request: &ToShare, key: SwarmKey) -> Result<(), ControlError> {
        let names = self.library.get(key).filter(|_| request.tree.is_some()).map(|known| &known.record.names);
        let other = names.and_then(|names| names.iter().find(|record| record.name != request.name));
        let Some(other) = other else { return Ok(()) };
        Err(ControlError {
            kind: ErrorKind::Refused,
            message: format!("a directory with the same content is shared as {} already", other.name),
            hint: Some(format!("`ttctl remove {}` first", shell::word(other.name.as_str()))),
        })
    }

    /// Refuses a name that a running download will have.
    pub(super) fn must_not_be_awaited(&self, name: &ResourceName) -> Result<(), ControlError> {
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

pub(super) fn manifest_of(request: &ToShare, hashed: &Hashed) -> Result<Manifest, ControlError> {
    Manifest::new(request.name.clone(), hashed.resource, request.trackers.clone(), hashed.hashes.clone())
        .map_err(|error| ControlError {
            kind: ErrorKind::Usage,
            message: format!("cannot share {}: {error}", request.name),
            hint: None,
        })
}

/// Refuses a name under which another machine shares other content.
pub(super) fn may_have_name(
    resource: ResourceId,
    other: Option<&(TrackerUrl, Namesake)>,
) -> Result<(), ControlError> {
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
    format!("{url}: {why}; it will be announced there as soon as the tracker is reachable")
}

type AnswerOfTracker = oneshot::Receiver<Result<(), NotPublished>>;
