//! Adopts a file that already has a wanted name, if all of it is right. Otherwise, if it may be replaced, the download
//! takes chunks from it.

use super::Driver;
use super::compare::How;
use super::reasons::no_room_words;
use super::unknown_tree::{check_lying, lying_bytes};
use crate::inbox::internal;
use crate::inbox::store_error;
use crate::inbox::{CheckedFile, Input, Reply, TaskInput, Wanted};
use crate::jobs;
use crate::library::{Blocked, Older, Phase, Resource};
use crate::store::{FileIdentity, NameRecord, NameState, NoRoom, PublishedFile, Record, StoreError};
use crate::tasks::TaskHandle;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::plain::size;
use shared::rpc::control::{Accepted, ControlError, ErrorKind, TaskId, TaskState};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

impl Driver {
    // -- a file that nobody knows, and that may not be replaced

    /// Compares the file or the directory under a wanted name with the wanted resource. Nothing else happens to the request until the
    /// result is known.
    pub(super) fn compare(&mut self, wanted: Wanted, reply: Reply<Accepted>) {
        let (task, handle) = match self.begin_task() {
            Ok(begun) => begun,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if let Err(error) = self.note_beside(task, wanted.manifest.name()) {
            handle.end(TaskState::Failed(error.clone()));
            return drop(reply.send(Err(error)));
        }
        let manifest = &wanted.manifest;
        let user = wanted.by.as_ref().map(tracing::field::display);
        tracing::info!(name = %manifest.name(), id = %manifest.key(), user,
            "comparing the existing file with the wanted one");
        let _ = reply.send(Ok(Accepted {
            name: manifest.name().clone(),
            resource: manifest.resource(),
            count: manifest.count(),
            complete: false,
            is_tree: false,
            comparing: Some(task),
        }));
        let (path, context, stop) =
            (self.home.file(manifest.name()), self.context.clone(), self.stop.clone());
        handle.progress("waiting to be compared", 0, 0);
        let (home, slot, manifest) = (self.home.clone(), self.home.slot(manifest.key()), manifest.clone());
        let comparing = self.hashing.of(path, move || {
            let total = lying_bytes(&home, &manifest);
            let progress = |bytes: u64| {
                handle.progress("comparing", bytes, total);
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            check_lying(&home, &slot, How::Strictly, &manifest, &progress)
        });
        jobs::spawn(async move {
            let checked = comparing.await.and_then(|checked| checked);
            let wanted = Box::new(wanted);
            context.tell(Input::Task(TaskInput::Compared { task, wanted, checked })).await;
        });
    }

    /// Handles the result of such a comparison. A right file is adopted even if nobody waits any more.
    pub(super) fn compared(&mut self, task: TaskId, wanted: Wanted, checked: io::Result<CheckedFile>) {
        let name = wanted.manifest.name().clone();
        self.adopt_compared(task, wanted, checked);
        self.end_notes(task, &name);
    }

    fn adopt_compared(&mut self, task: TaskId, wanted: Wanted, checked: io::Result<CheckedFile>) {
        let handle = self.tasks.get(task).cloned();
        if matches!(&checked, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            // It is gone: nothing is in the way now.
            let (reply, answer) = oneshot::channel();
            self.get(wanted, reply);
            return forward(handle, answer);
        }
        if checked.as_ref().is_ok_and(|checked| checked.tree.is_some() && checked.good.is_empty()) {
            // Whether the resource is a directory is known when its first chunk is here; most likely it is a file.
            let (reply, answer) = oneshot::channel();
            self.carry_out(wanted, NameState::UNKNOWN_DIRECTORY, true, reply);
            return forward(handle, answer);
        }
        let (reply, answer) = oneshot::channel();
        match self.take_if_right(&wanted, checked) {
            Ok(Taken::Here) => {
                let accepted = self.accepted(wanted.manifest.key(), &wanted);
                self.answer_when_saved(reply, accepted);
            }
            Ok(Taken::Now(saved)) => {
                let accepted = self.accepted(wanted.manifest.key(), &wanted);
                jobs::spawn(async move {
                    let answer = match saved.await {
                        Ok(Ok(())) => accepted,
                        Ok(Err(error)) => Err(store_error(&error)),
                        Err(_) => return, // the daemon is ending
                    };
                    let _ = reply.send(answer);
                });
            }
            Err(error) => _ = reply.send(Err(error)),
        }
        forward(handle, answer);
    }

    /// Adopts a file that was compared with the resource wanted under its name, if all of it is right.
    ///
    /// # Errors
    /// When it is not right or may not be adopted. The file stays as it is.
    pub(super) fn take_if_right(
        &mut self,
        wanted: &Wanted,
        checked: io::Result<CheckedFile>,
    ) -> Result<Taken, ControlError> {
        let (name, key) = (wanted.manifest.name(), wanted.manifest.key());
        let taken = match checked {
            Ok(checked) if checked.whole => self.take_found(wanted, checked),
            Ok(checked) => Err(differs(name, &checked)),
            Err(error) => Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("{name} exists here and cannot be compared: {error}"),
                hint: Some("use --replace to replace it".to_owned()),
            }),
        };
        taken.inspect_err(|error| {
            tracing::warn!(%name, id = %key, %error, "not fetched: the existing file stays as it is");
        })
    }

    /// Adds a right file to the library as it is.
    fn take_found(&mut self, wanted: &Wanted, checked: CheckedFile) -> Result<Taken, ControlError> {
        let (key, name) = (wanted.manifest.key(), wanted.manifest.name());
        let CheckedFile { identity, tree, .. } = checked;
        match self.go_on_if_here(wanted, &NameState::of_file(identity)) {
            Ok(true) => return Ok(Taken::Here),
            Ok(false) => {}
            Err(error) => {
                if tree.is_some() {
                    self.forget_found(key);
                }
                return Err(error);
            }
        }
        let mut found = self.name_record(key, name, Some(identity), wanted.by.as_ref());
        found.signed = wanted.signed();
        let record = Record::wanted(key, wanted.tracker.clone(), wanted.shared_at_ms, found);
        let manifest = wanted.manifest.clone();
        let path = if tree.is_some() { self.home.tree(name) } else { None };
        let path = path.unwrap_or_else(|| self.home.file(name));
        let is_tree = tree.is_some();
        let published = Arc::new(PublishedFile { manifest: manifest.clone(), path, identity, tree });
        let mut resource = Resource::new(manifest, record, self.home.slot(key), Phase::Seeding(published));
        resource.is_tree = is_tree;
        let saved = self.shelve(&resource, true);
        self.library.insert(resource);
        let bytes = identity.bytes;
        let what = if is_tree { "directory" } else { "file" };
        tracing::info!(%name, id = %key, bytes, "complete, {}: the existing {what} is the right one", size(bytes));
        self.join(key);
        Ok(Taken::Now(saved))
    }

    // -- a file that is to be replaced

    /// The file of the resource that has a name now, if it is served under that name.
    pub(super) fn former(&self, name: &ResourceName) -> Option<PublishedFile> {
        let resource = self.library.get(self.library.key_of(name)?)?;
        let path = resource.path(&self.home, name);
        match &resource.phase {
            Phase::Seeding(published) if published.path == path => Some(PublishedFile {
                manifest: published.manifest.clone(),
                path,
                identity: published.identity,
                tree: published.tree.clone(),
            }),
            _ => None,
        }
    }

    /// Treats the file under a download's first name as the finished resource until a check has shown whether it is.
    /// Only for downloads that may replace it. Returns whether it does.
    pub(super) fn suppose_it_is(&mut self, key: SwarmKey) -> bool {
        let Some(resource) = self.library.get_mut(key) else { return false };
        let waits = |record: &&mut NameRecord| {
            record.replace && record.published.is_none_or(|identity| identity.is_unsure())
        };
        let Some(record) = resource.record.names.iter_mut().find(waits) else { return false };
        record.published = Some(FileIdentity::unknown());
        self.saver.save(&resource.slot, &resource.record);
        self.check(key);
        true
    }

    /// A check has shown that such a file is not the resource. If it may be replaced, the download will take chunks from
    /// it.
    pub(super) fn forget_supposed_file(
        &mut self,
        key: SwarmKey,
        record: &NameRecord,
        checked: io::Result<CheckedFile>,
    ) {
        let home = self.home.clone();
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.older = match checked {
            Ok(CheckedFile { content: Some(manifest), identity, tree, .. }) if record.replace => {
                let path = tree.as_ref().and_then(|_| home.tree(&record.name));
                let path = path.unwrap_or_else(|| home.file(&record.name));
                Older::File(Arc::new(PublishedFile { manifest: *manifest, path, identity, tree }))
            }
            _ => Older::Nothing,
        };
        let names = resource.record.names.iter_mut();
        names.filter(|other| other.name == record.name).for_each(|record| record.published = None);
        self.saver.save(&resource.slot, &resource.record);
        let is_fetched = resource.record.names.iter().all(|record| record.published.is_none());
        if is_fetched && matches!(resource.older, Older::File(_)) {
            self.look_at_room();
            if let Some(no_room) = self.lacking_space_for_all(key) {
                return self.wait_for_room(key, no_room);
            }
        }
        self.check(key);
    }

    /// Blocks a download until there is room; then its folder is looked at again.
    pub(super) fn wait_for_room(&mut self, key: SwarmKey, no_room: NoRoom) {
        if let Some(resource) = self.library.get_mut(key) {
            if !matches!(resource.phase, Phase::Accepted(_)) {
                let name = resource.manifest.name();
                tracing::warn!(%name, id = %key, error = %no_room_words(&no_room), "the download waits");
            }
            resource.phase = Phase::Accepted(Blocked::new(no_room));
        }
        self.changed();
    }
}

/// The outcome of adopting a right file.
pub(super) enum Taken {
    /// Its resource was in the library already.
    Here,
    /// It was added to the library; the receiver hears when that is on disk.
    Now(oneshot::Receiver<Result<(), StoreError>>),
}

/// Passes the outcome on to the callers that wait for the comparison.
fn forward(handle: Option<TaskHandle>, answer: oneshot::Receiver<Result<Accepted, ControlError>>) {
    let Some(handle) = handle else { return };
    jobs::spawn(async move {
        let answer = answer.await.unwrap_or_else(|_| Err(internal(&"ttd is stopping")));
        handle.end(answer.map_or_else(TaskState::Failed, TaskState::Found));
    });
}

fn differs(name: &ResourceName, checked: &CheckedFile) -> ControlError {
    let (good, total) = (checked.good.len(), checked.good.count().get());
    let how = match good == total {
        true => "it is longer".to_owned(),
        false => format!("{good} of {total} chunks match"),
    };
    let here = if checked.tree.is_some() { "exists here as a directory" } else { "exists here" };
    let hint = match good {
        0 => "use --replace to replace it".to_owned(),
        _ => "use --replace to replace it; only the chunks that differ are fetched".to_owned(),
    };
    ControlError {
        kind: ErrorKind::Refused,
        message: format!("{name} {here} with different content: {how}"),
        hint: Some(hint),
    }
}
