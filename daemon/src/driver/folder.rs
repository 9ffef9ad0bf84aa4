//! Watches the shared folder: whether it is there and answers, how much room it has, and whether the files in it are
//! still the ones that were hashed. All of that is asked off the driver, since a disk that is busy, or the server of a
//! network file system that is down, may not answer for a long time. While the folder cannot be used everything waits.

use super::Driver;
use super::Input;
use super::check::published_files;
use crate::library::{Phase, Published};
use crate::tasks::TaskInput;
use shared::id::SwarmKey;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder that has not answered for so long is named as what everything waits for, and nobody is promised anything
/// that needs it.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// A folder that has not answered for so long counts as not there: others do better to ask somebody else.
const AWAY_AFTER: Duration = Duration::from_secs(30);

/// What is known of the shared folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Why it is not there, while it is not.
    away: Option<String>,
    /// Since when it has been asked whether it is there, while it has not answered.
    asked_at: Option<Instant>,
    /// Bytes that are free in it, or why nobody knows; `None` before it was asked.
    free: Option<Result<u64, String>>,
    /// The files that are served are being looked at.
    looking: bool,
}

impl Folder {
    /// Whether nothing can be done with it.
    pub(super) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// For how long it has not answered, when that is long.
    fn silent_for(&self, now: Instant) -> Option<Duration> {
        let asked_at = self.asked_at?;
        Some(now.saturating_duration_since(asked_at)).filter(|&silent| silent >= SLOW_AFTER)
    }
}

impl Driver {
    /// Asks whether the folder is there, unless it still owes an answer.
    pub(super) fn ask_folder(&mut self, now: Instant) {
        match self.folder.asked_at {
            None => {
                self.folder.asked_at = Some(now);
                let (context, home) = (self.context.clone(), self.home.clone());
                tokio::task::spawn_blocking(move || {
                    let here = home.must_be_here();
                    let free = home.free_bytes().map_err(|error| error.to_string());
                    context.tell_blocking(Input::Task(TaskInput::Answered { here, free }));
                });
            }
            Some(at) if !self.folder.is_away() && now.saturating_duration_since(at) >= AWAY_AFTER => {
                self.go_away(self.silent_folder(AWAY_AFTER));
            }
            Some(_) => {}
        }
    }

    /// The folder has answered.
    pub(super) fn answered(&mut self, here: Result<(), String>, free: Result<u64, String>) {
        (self.folder.asked_at, self.folder.free) = (None, Some(free));
        match here {
            Err(reason) => self.go_away(reason),
            Ok(()) => self.come_back(),
        }
        self.keep_room();
    }

    /// Looks, off the driver, whether the files that are served are still the ones that were hashed.
    pub(super) fn look_at_files(&mut self) {
        if std::mem::replace(&mut self.folder.looking, true) {
            return;
        }
        let resources =
            self.library.iter().filter(|(_, resource)| matches!(resource.phase, Phase::Seeding(_)));
        let files: Vec<(SwarmKey, Published)> = resources
            .flat_map(|(key, it)| published_files(it, &self.home).map(move |file| (key, file)))
            .collect();
        let (context, home) = (self.context.clone(), self.home.clone());
        tokio::task::spawn_blocking(move || {
            let changed = files.into_iter().filter(|(_, published)| !published.is_unchanged());
            let changed = changed.map(|(key, published)| (key, Arc::new(published))).collect();
            // Looked at last: if the folder is there now, what was missing before is missing indeed.
            let here = home.must_be_here();
            context.tell_blocking(Input::Task(TaskInput::Looked { here, changed }));
        });
    }

    /// The files that are served were looked at.
    pub(super) fn looked(&mut self, here: Result<(), String>, changed: Vec<(SwarmKey, Arc<Published>)>) {
        self.folder.looking = false;
        match here {
            Err(reason) => self.go_away(reason),
            // What was seen while it was not there says nothing; when it is back it is looked at again.
            Ok(()) if self.folder.is_away() => {}
            Ok(()) => changed.iter().for_each(|(key, published)| self.source_changed(*key, published)),
        }
    }

    /// The shared folder is not there: nothing takes part in its swarm until it is back, and nothing that is missing
    /// counts as deleted.
    pub(super) fn go_away(&mut self, reason: String) {
        if !self.folder.is_away() {
            tracing::error!(error = %reason, "everything waits");
            let keys: Vec<SwarmKey> = self.library.iter().map(|(key, _)| key).collect();
            keys.into_iter().for_each(|key| self.leave(key));
        }
        self.folder.away = Some(reason);
    }

    fn come_back(&mut self) {
        if self.folder.away.take().is_none() {
            return;
        }
        tracing::info!("the shared folder is back");
        let waits = |phase: &Phase| !matches!(phase, Phase::Accepted(_));
        let keys: Vec<SwarmKey> =
            self.library.iter().filter(|(_, resource)| waits(&resource.phase)).map(|(key, _)| key).collect();
        for key in keys {
            let Some(resource) = self.library.get_mut(key) else { continue };
            resource.troubles.clear();
            let (record, manifest, slot) =
                (resource.record.clone(), resource.manifest.clone(), resource.slot.clone());
            // What was open may be open on a file system that is gone.
            match self.look(&record, &manifest, &slot) {
                Ok(restored) => self.resume_as(key, restored),
                Err(error) => self.fail_resource(key, error.to_string(), ErrorKind::Internal),
            }
        }
    }

    // -- what others want to know

    /// Why the folder cannot be used now, if it cannot.
    pub(super) fn folder_trouble(&self) -> Option<String> {
        let silent = self.folder.silent_for(Instant::now()).map(|silent| self.silent_folder(silent));
        silent.or_else(|| self.folder.away.clone())
    }

    fn silent_folder(&self, silent: Duration) -> String {
        let (folder, seconds) = (self.home.folder().display(), silent.as_secs());
        format!("{folder} has not answered for {seconds} s; is its disk well, or the server that it is on?")
    }

    /// Nothing that needs the folder is begun while it does not answer: that would take until it does.
    ///
    /// # Errors
    /// When it has not answered for a while.
    pub(super) fn must_answer(&self) -> Result<(), ControlError> {
        self.folder.silent_for(Instant::now()).map_or(Ok(()), |silent| {
            Err(ControlError {
                kind: ErrorKind::Refused,
                message: self.silent_folder(silent),
                hint: Some("nothing is lost; try again when it answers".to_owned()),
            })
        })
    }

    /// Bytes that were free in the folder when it was last asked, two seconds ago at most.
    ///
    /// # Errors
    /// Why nobody knows, for a person.
    pub(super) fn free_bytes(&self) -> Result<u64, String> {
        self.folder.free.clone().unwrap_or_else(|| Err("the free space is not known yet".to_owned()))
    }

    /// Asks for the free space at once: somebody waits for what comes of it.
    pub(super) fn look_at_room(&mut self) {
        self.folder.free = Some(self.home.free_bytes().map_err(|error| error.to_string()));
    }
}
