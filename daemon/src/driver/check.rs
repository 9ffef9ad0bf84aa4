//! Checks a resource's files against its manifest: when somebody asks, when a file has changed, when a have map is
//! torn, or when a complete download has the wrong hash although every chunk was right.

use super::Driver;
use super::reasons::words_of;
use super::to_check::ToCheck;
use crate::inbox::{CheckedFile, Input, TaskInput};
use crate::jobs;
use crate::library::{Check, CheckFile, CheckStep, Checking, Former, Phase, Why};
use crate::store::{Edited, NameRecord, NotHere, PublishedFile};
use crate::watch::{CheckWaiter, Turn};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, EditedFiles, ErrorKind, TaskId, TaskState};
use shared::wanted::WantedBy;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

impl Driver {
    pub(super) fn verify(&mut self, what: &str, by: &WantedBy) -> Result<TaskId, ControlError> {
        let (name, key) = self.one(what)?;
        let (id, handle) = self.begin_task()?;
        handle.progress("waiting to be checked", 0, 0);
        log_end(name.clone(), key, by.clone(), handle.watch());
        self.check_for(key, CheckWaiter::new(handle, name));
        Ok(id)
    }

    /// Checks a resource for somebody who waits. If a check is running, which may have read parts before they changed,
    /// another one follows it.
    fn check_for(&mut self, key: SwarmKey, asker: CheckWaiter) {
        let phase = self.library.get(key).map(|resource| &resource.phase);
        if matches!(phase, Some(Phase::Checking(checking)) if checking.step == CheckStep::Hashes) {
            return self.checks.ask_for_next(key, asker);
        }
        self.checks.ask(key, asker);
        self.check(key);
    }

    /// Checks a resource before those that nobody waits for. Until the result is known it is not in its swarm.
    pub(super) fn check(&mut self, key: SwarmKey) {
        self.enqueue_check(key, true);
    }

    /// Checks a resource that nobody waits for.
    pub(super) fn check_in_turn(&mut self, key: SwarmKey) {
        self.enqueue_check(key, false);
    }

    fn enqueue_check(&mut self, key: SwarmKey, is_asked: bool) {
        self.leave(key);
        let Some(resource) = self.library.get_mut(key) else { return self.checks.give_up(key) };
        if let Phase::Fetching(fetching) = &resource.phase {
            let (download, have) = (fetching.download.clone(), fetching.have.clone());
            resource.former = Some(Former { download, have, safe: fetching.safe.clone() });
        }
        let in_doubt = match &resource.phase {
            Phase::Seeding(served) => {
                let is_served = |record: &&NameRecord| resource.path(&self.home, &record.name) == served.path;
                resource.record.names.iter().find(is_served).map(|record| record.name.clone())
            }
            Phase::Checking(checking) => checking.file.of.clone(),
            _ => None,
        };
        // the result of a running check would be out of date
        resource.phase = Phase::Checking(Checking::waiting(in_doubt));
        let bytes = resource.count().bytes_max();
        // A paused resource is not checked unless somebody waits for the check.
        if !resource.record.paused || self.checks.is_asked_for(key) {
            self.checks.wait(key, bytes, is_asked);
            self.begin_checks();
        }
        self.changed();
    }

    /// Begins the checks whose turn has come.
    pub(super) fn begin_checks(&mut self) {
        while !self.folder.is_away()
            && let Some((key, turn)) = self.checks.next()
        {
            let is_waiting = self.is_waiting_for_check(key);
            match self.publishing.get_mut(&key) {
                Some(publishing) if is_waiting => {
                    publishing.check_next = true;
                    self.checks.ended(turn);
                }
                None if is_waiting => self.begin_check(key, turn),
                _ => {
                    // what is here became known in another way, which does not answer those who asked for a check
                    self.checks.ended(turn);
                    if self.checks.is_asked_for(key) {
                        self.enqueue_check(key, true);
                    }
                }
            }
        }
    }

    /// Begins a check that waited until its resource was published, if it is still due.
    pub(super) fn check_now(&mut self, key: SwarmKey) {
        if self.is_waiting_for_check(key) {
            self.enqueue_check(key, true);
        }
    }

    fn is_waiting_for_check(&self, key: SwarmKey) -> bool {
        let phase = self.library.get(key).map(|resource| &resource.phase);
        matches!(phase, Some(Phase::Checking(checking)) if checking.step == CheckStep::Waits)
    }

    fn begin_check(&mut self, key: SwarmKey, turn: Turn) {
        let Some(resource) = self.library.get_mut(key) else { return self.checks.ended(turn) };
        let asked = self.checks.asked(key).cloned();
        let in_doubt = match &resource.phase {
            Phase::Checking(checking) => checking.file.of.as_ref(),
            _ => None,
        };
        let in_doubt = in_doubt.filter(|name| !resource.troubles.contains_key(name)); // else the result is known
        let record = resource.to_check(asked.as_ref().or(in_doubt));
        let of = record.map(|record| record.name.clone());
        if of.is_none() {
            self.saver.forget_have(&resource.slot);
        }
        let to_check = ToCheck::of(&self.home, resource, record);
        let watchers = asked.as_ref().map_or(Vec::new(), |asked| self.checks.watchers(key, asked));
        let checking = Checking::of(CheckFile { of, asked });
        let check = checking.check.clone();
        resource.phase = Phase::Checking(checking);
        let (home, context, stop) = (self.home.clone(), self.context.clone(), self.stop.clone());
        let hashed = check.clone();
        let work = move || {
            let total = to_check.bytes(&home);
            hashed.begin(total);
            let progress = |bytes: u64| {
                hashed.progress(bytes);
                watchers.iter().for_each(|watcher| watcher.progress("checking", bytes, total));
                let goes_on = hashed.is_wanted() && !stop.load(Ordering::Relaxed);
                if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let checked = to_check.compare(&home, &progress);
            (checked, home.must_be_here())
        };
        // Jobs of the saver on these files must be done first: they would be misread now, or delete what a new download
        // creates.
        let idle = self.saver.idle();
        jobs::spawn(async move {
            idle.await;
            let worked = jobs::run(work).await;
            let (checked, here) = worked.unwrap_or_else(|panic| (Err(io::Error::other(panic)), Ok(())));
            context.tell(Input::Task(TaskInput::Checked { key, check, turn, checked, here })).await;
        });
        self.changed();
    }

    pub(super) fn checked(
        &mut self,
        key: SwarmKey,
        check: &Check,
        turn: Turn,
        checked: io::Result<CheckedFile>,
        here: Result<(), NotHere>,
    ) {
        self.checks.ended(turn);
        if let Some(resource) = self.library.get(key)
            && let Phase::Checking(checking) = &resource.phase
            && checking.check.is_same(check)
        {
            let file = checking.file.clone();
            let next = self.checks.answer(key, file.asked.as_ref(), &task_state(&checked));
            self.found_out(key, file.of, checked, here);
            next.into_iter().for_each(|asker| self.check_for(key, asker));
        } else {
            // A new check has begun since, perhaps of another file, or the resource was shared again.
            self.check_for_askers();
        }
        self.begin_checks();
    }

    /// Begins a check for everybody who still waits for one, also if the state of the files became known in another
    /// way.
    pub(super) fn check_for_askers(&mut self) {
        for key in self.checks.asked_for() {
            let phase = self.library.get(key).map(|resource| &resource.phase);
            if !matches!(phase, Some(Phase::Checking(_) | Phase::Opening(_))) {
                self.enqueue_check(key, true);
            }
        }
    }

    // -- files that change while they are shared

    /// A served file has changed since it was hashed: it is checked. `chunk` is the one that could not be read because of
    /// that, if one could not.
    pub(super) fn source_changed(
        &mut self,
        key: SwarmKey,
        published: &Arc<PublishedFile>,
        chunk: Option<ChunkIndex>,
    ) {
        match published.tree {
            // Most likely one of its files was edited.
            Some(_) => self.look_for_edits(key, published.clone(), chunk),
            None => self.replaced_or_gone(key, published),
        }
    }

    /// What is under a name is not what was hashed.
    pub(super) fn replaced_or_gone(&mut self, key: SwarmKey, published: &Arc<PublishedFile>) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Seeding(served) = &resource.phase else { return };
        if served.path == published.path && served.identity == published.identity {
            tracing::warn!(name = %published.manifest.name(), id = %key,
                "the file has changed; it is not served until it is checked");
            return self.check_in_turn(key);
        }
        // Another name's file is served; the change of this one is only reported.
        let name = published.manifest.name();
        let is_known =
            |record: &NameRecord| record.name == *name && record.published == Some(published.identity);
        if resource.record.names.iter().any(is_known) && !resource.troubles.contains_key(name) {
            let why = Why::Changed(name.clone());
            tracing::warn!(%name, id = %key, error = %words_of(&why), "the file has changed");
            resource.troubles.insert(name.clone(), why);
            self.changed();
        }
    }
}

/// Has the log say what was found when a check that somebody asked for has ended.
fn log_end(name: ResourceName, key: SwarmKey, by: WantedBy, mut state: watch::Receiver<TaskState>) {
    jobs::spawn(async move {
        let ended = state.wait_for(|state| !matches!(state, TaskState::Running { .. })).await;
        match ended.as_deref() {
            Ok(TaskState::Verified { chunks_good: good, chunks_total: total, .. }) => {
                tracing::info!(%name, id = %key, user = %by, "verified, {good} of {total} chunks are good");
            }
            Ok(TaskState::Failed(error)) => {
                tracing::warn!(%name, id = %key, user = %by, %error, "not verified")
            }
            _ => tracing::info!(%name, id = %key, user = %by, "not verified: it was removed, or ttd stops"),
        }
    });
}

fn edited_files(edited: &Edited) -> EditedFiles {
    EditedFiles { files: edited.files() as u64, first: edited.first.clone() }
}

fn task_state(checked: &io::Result<CheckedFile>) -> TaskState {
    match checked {
        Ok(checked) => {
            // a file that is longer than the resource has all chunks and is still wrong
            let grown = u32::from(checked.good.is_full() && !checked.whole);
            TaskState::Verified {
                chunks_good: checked.good.len().saturating_sub(grown),
                chunks_total: checked.good.count().get(),
                edited: checked.edited.as_ref().map(edited_files),
            }
        }
        Err(error) => TaskState::Failed(ControlError {
            kind: ErrorKind::Refused,
            message: format!("cannot check {error}"),
            hint: None,
        }),
    }
}
