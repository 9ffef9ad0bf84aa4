//! Who notes what of a directory. A share, a comparison for a `get` and the search for strays hash a directory and note
//! its listing and its sums in its slot, before the library knows it. One of them at a time does that for a name, and its
//! notes are removed, if they are not wanted after all, before the next one begins.

use super::Driver;
use super::noter::Noting;
use crate::inbox::{Command, Input, TaskInput, ToShare};
use crate::jobs;
use crate::store::Slot;
use shared::host::hashing::Hashed;
use shared::id::{ListDigest, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, TaskId, TaskState};

impl Driver {
    /// Refuses the share of a directory while another task notes something of it: the two would take each other's notes
    /// for their own. Otherwise this task is the one that does.
    pub(super) fn note_alone(&mut self, task: TaskId, request: &ToShare) -> Result<(), ControlError> {
        if request.tree.is_none() {
            return Ok(());
        }
        if let Some(other) = self.noting.get(&request.name) {
            return Err(other.is_in_the_way(&request.name));
        }
        self.noting.insert(request.name.clone(), Noting { task, shares: true });
        Ok(())
    }

    /// The same for a comparison. Another comparison of the name is no reason to refuse it.
    pub(super) fn note_beside(&mut self, task: TaskId, name: &ResourceName) -> Result<(), ControlError> {
        let other = self.noting.entry(name.clone()).or_insert(Noting { task, shares: false });
        if other.shares { Err(other.is_in_the_way(name)) } else { Ok(()) }
    }

    /// Whether a command has to wait, because it would share a directory that the search for strays is comparing. The
    /// search is told to stop.
    pub(super) fn waits_for_stray(&self, command: &Command) -> bool {
        let (Command::Share { request, .. } | Command::ImportEnd { request, .. }) = command else {
            return false;
        };
        let waits = request.tree.is_some() && self.strays.compares(&request.name);
        if waits {
            self.strays.stop();
        }
        waits
    }

    /// A task has ended its notes of a name, or has made none.
    pub(super) fn end_notes(&mut self, task: TaskId, name: &ResourceName) {
        if self.noting.get(name).is_some_and(|noting| noting.task == task) {
            self.noting.remove(name);
            self.next_stray();
        }
    }

    /// Ends the task of a share that has failed.
    pub(super) fn end_failed(&mut self, task: TaskId, request: &ToShare, error: ControlError) {
        tracing::warn!(name = %request.name, user = %request.by, %error, "not shared");
        self.forgotten(task, &request.name, Err(error));
    }

    /// Ends the task of a share that has failed after its directory was hashed, when what was noted of the directory is
    /// removed.
    pub(super) fn forget_hashed(
        &mut self,
        task: TaskId,
        request: &ToShare,
        hashed: &Hashed,
        error: ControlError,
    ) {
        if request.tree.is_none() {
            return self.end_failed(task, request, error);
        }
        tracing::warn!(name = %request.name, user = %request.by, %error, "not shared");
        let key = SwarmKey { resource: hashed.resource, digest: ListDigest::of(&hashed.hashes) };
        self.forget_noted(key, task, &request.name, Err(error));
    }

    /// Removes what was noted of a directory, unless its resource is here. Then the notes of the task have ended.
    pub(super) fn forget_noted(
        &mut self,
        key: SwarmKey,
        task: TaskId,
        name: &ResourceName,
        outcome: Result<(), ControlError>,
    ) {
        if self.library.get(key).is_some() || self.loading.may_have(key.resource) {
            return self.forgotten(task, name, outcome);
        }
        let (slot, name) = (self.home.slot(key), name.clone());
        let forget = move || forget(&slot);
        self.work(forget, move |_| Input::Task(TaskInput::Forgotten { task, name, outcome }));
    }

    /// Removes what the search for strays or a comparison noted of a directory that is not adopted after all.
    pub(super) fn forget_found(&self, key: SwarmKey) {
        if self.library.get(key).is_none() && !self.loading.may_have(key.resource) {
            let slot = self.home.slot(key);
            jobs::detach(move || forget(&slot));
        }
    }

    /// What a task has noted of a name in vain is removed. If its work has failed, the task ends now.
    pub(super) fn forgotten(&mut self, task: TaskId, name: &ResourceName, outcome: Result<(), ControlError>) {
        if let (Err(error), Some(handle)) = (outcome, self.tasks.get(task)) {
            handle.end(TaskState::Failed(error));
        }
        self.end_notes(task, name);
    }
}

fn forget(slot: &Slot) {
    if let Err(error) = slot.forget_tree() {
        tracing::warn!(%error, "cannot remove what was noted of a directory"); // the next start does
    }
}
