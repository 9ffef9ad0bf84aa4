//! Imports files from elsewhere: puts the bytes that ttctl has sent under their name, and shares that.

use super::Driver;
use super::reasons::no_room_words;
use super::share::{manifest_of, may_have_name};
use crate::inbox::{Imported, Input, TaskInput, ToShare, internal, store_error};
use crate::jobs;
use crate::library::Resource;
use crate::panicked::caught;
use crate::store::{Import, PublishError, PublishedFile, holds_already};
use crate::tasks::TaskHandle;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, TaskId};
use shared::rpc::tracker::Namesake;
use shared::url::TrackerUrl;

impl Driver {
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
                    "free some space, or move it into the shared directory and share it there".to_owned(),
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
                jobs::detach(move || drop(import));
                self.end_failed(task, request, error.clone());
                return Err(error);
            }
        };
        self.tasks.promise(task, 0); // all bytes are written
        let key = import.key();
        let alone = self.note_alone(task, &request);
        if let Err(error) = alone.and_then(|()| self.must_be_only_name(&request, key)) {
            jobs::detach(move || drop(import));
            self.end_failed(task, &request, error.clone());
            return Err(error);
        }
        let present = self.library.key_of(&request.name).filter(|present| present.resource == key.resource);
        let present = present.and_then(|present| self.seeded_file(present, &request.name));
        let former = self.library.key_of(&request.name).and_then(|key| self.library.get(key));
        let former = former.and_then(Resource::published_tree);
        let (home, publisher, context) = (self.home.clone(), self.publisher.clone(), self.context.clone());
        let (handle, wanted) = (self.tasks.get(task).cloned(), request.clone());
        let asking = (!request.replace).then(|| self.ask_whose(&request.name, &request.trackers));
        let work = move |other: Option<(TrackerUrl, Namesake)>| {
            let _handle = handle; // keeps the task from counting as abandoned
            let hashed = import.hashed();
            may_have_name(hashed.resource, other.as_ref())?;
            if let Some(present) = present.filter(|file| file.edited().is_ok_and(|edited| edited.is_none())) {
                return Ok((hashed, present.identity));
            }
            let manifest = manifest_of(&request, &hashed)?;
            let published = match import.finished() {
                None => {
                    let (replace, known) = (request.replace, former.as_ref());
                    publisher.publish_imported_tree(&home, &import, &manifest, replace, known)
                }
                Some(file) => {
                    publisher.publish(&home, file, &manifest, request.replace).or_else(|error| match error {
                        PublishError::NameTaken(_) => {
                            let path = home.file(&request.name);
                            holds_already(&path, hashed.resource, hashed.bytes).ok_or(error)
                        }
                        error => Err(error),
                    })
                }
            };
            drop(import); // removes what was not published, and what was replaced
            published.map(|identity| (hashed, identity)).map_err(|error| not_published(&error))
        };
        jobs::spawn(async move {
            let other = match asking {
                Some(asking) => asking.await,
                None => None,
            };
            let work = move || caught(|| work(other)).unwrap_or_else(|panic| Err(internal(&panic)));
            let worked = jobs::run(work).await;
            let imported = worked.unwrap_or_else(|error| Err(internal(&error)));
            context.tell(Input::Task(TaskInput::Imported { task, request: wanted, imported })).await;
        });
        Ok(())
    }

    pub(super) fn imported(&mut self, task: TaskId, request: &ToShare, imported: Imported) {
        match imported {
            Ok((hashed, identity)) => self.adopt_hashed(task, request, hashed, identity),
            Err(error) => self.end_failed(task, request, error),
        }
    }

    /// The file of a name if it is complete and unchanged.
    fn seeded_file(&self, key: SwarmKey, name: &ResourceName) -> Option<PublishedFile> {
        let resource = self.library.get(key)?;
        let record = resource.record.names.iter().find(|record| record.name == *name)?;
        let identity = record.published?;
        let file = resource.published_file(&self.home, name, identity);
        file.is_unchanged().then_some(file)
    }
}

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
        PublishError::OtherDirectory(path) => ControlError {
            kind: ErrorKind::Refused,
            message: format!("{} is a directory that was not there when this began", path.display()),
            hint: Some("move it away, or use --replace again to replace it".to_owned()),
        },
        PublishError::Obstructed { .. } => ControlError {
            kind: ErrorKind::Refused,
            message: error.to_string(),
            hint: Some("move it away, then try again".to_owned()),
        },
        PublishError::Store(store) | PublishError::NotSynced(store) => store_error(store),
        PublishError::NoTree(_) => {
            ControlError { kind: ErrorKind::BadData, message: error.to_string(), hint: None }
        }
        PublishError::NotTrusted(_) | PublishError::NoDirectoryName(_) | PublishError::Damaged(_) => {
            internal(error)
        }
    }
}
