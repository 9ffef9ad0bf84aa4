//! Schedules the checks of resources, and knows who waits for them. Hashing takes a processor, a disk and 8 MiB of
//! memory per file, and 10,000 files may need it at once, for example after the directory was copied, which gives files
//! new inodes. So only a few checks run at a time. Files that were checked are served meanwhile.

use super::turns::{Turn, Turns};
use crate::tasks::TaskHandle;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, TaskState};
use std::collections::BTreeMap;

/// Limits the small files that are checked at once, so that a check leaves the disk and the processors to the
/// transfers. Others wait.
const SMALL_CHECKS_MAX: u32 = 2;

/// Limits the large files that are checked at once: a disk that reads one file after the other is fastest. Others wait.
const LARGE_CHECKS_MAX: u32 = 1;

/// The checks that run or wait.
#[derive(Debug)]
pub struct Checks {
    /// At most one check per resource.
    turns: Turns<SwarmKey>,
    askers: BTreeMap<SwarmKey, Askers>,
}

/// The tasks that wait for the check of a resource.
#[derive(Debug, Default)]
struct Askers {
    /// Those that get the result of the check that waits or runs.
    present: Vec<CheckWaiter>,
    /// Those that asked while it ran. Data that it had read by then may have changed, so they wait for another check.
    next: Vec<CheckWaiter>,
}

/// A task that waits for the check of a name's file, and is always told of its end.
#[derive(Debug)]
pub struct CheckWaiter {
    task: TaskHandle,
    name: ResourceName,
}

impl CheckWaiter {
    /// The task asks about the file of this name.
    pub fn new(task: TaskHandle, name: ResourceName) -> CheckWaiter {
        CheckWaiter { task, name }
    }
}

impl Drop for CheckWaiter {
    fn drop(&mut self) {
        self.task.end_if_running(|| {
            TaskState::Failed(ControlError {
                kind: ErrorKind::Refused,
                message: "the check was given up: its resource was paused or removed".to_owned(),
                hint: None,
            })
        });
    }
}

impl Default for Checks {
    fn default() -> Checks {
        Checks { turns: Turns::new(SMALL_CHECKS_MAX, LARGE_CHECKS_MAX), askers: BTreeMap::new() }
    }
}

impl Checks {
    /// Queues the check of a resource, unless it is queued already.
    pub fn wait(&mut self, key: SwarmKey, bytes: u64, is_asked: bool) {
        let is_asked = is_asked || self.askers.contains_key(&key);
        self.turns.wait(key, bytes, is_asked);
    }

    /// Adds a task that waits for the check that waits or runs.
    pub fn ask(&mut self, key: SwarmKey, asker: CheckWaiter) {
        self.askers.entry(key).or_default().present.push(asker);
    }

    /// Adds a task that waits for a check that begins after the running one.
    pub fn ask_for_next(&mut self, key: SwarmKey, asker: CheckWaiter) {
        self.askers.entry(key).or_default().next.push(asker);
    }

    /// Whether a task waits for the check of a resource.
    pub fn is_asked_for(&self, key: SwarmKey) -> bool {
        self.askers.contains_key(&key)
    }

    /// The resources for whose checks tasks wait.
    pub fn asked_for(&self) -> Vec<SwarmKey> {
        self.askers.keys().copied().collect()
    }

    /// Gives a waiting check priority, because somebody waits for its result.
    pub fn hurry(&mut self, key: SwarmKey) {
        self.turns.hurry(key);
    }

    /// The next check to begin, if one may.
    pub fn next(&mut self) -> Option<(SwarmKey, Turn)> {
        self.turns.next()
    }

    /// The name that is checked next for those who asked: the one that was asked about first.
    pub fn asked(&self, key: SwarmKey) -> Option<&ResourceName> {
        Some(&self.askers.get(&key)?.present.first()?.name)
    }

    /// The tasks that asked about this name, and are told of the progress of the check.
    pub fn watchers(&self, key: SwarmKey, name: &ResourceName) -> Vec<TaskHandle> {
        let present = self.askers.get(&key).into_iter().flat_map(|askers| &askers.present);
        present.filter(|asker| asker.name == *name).map(|asker| asker.task.clone()).collect()
    }

    /// Notes that a running check has ended.
    pub fn ended(&mut self, turn: Turn) {
        self.turns.ended(turn);
    }

    /// Answers the tasks that waited for the check of this name's file. Returns those that wait for another one: of
    /// another name, or because they asked while this one ran.
    pub fn answer(
        &mut self,
        key: SwarmKey,
        name: Option<&ResourceName>,
        state: &TaskState,
    ) -> Vec<CheckWaiter> {
        let Some(Askers { present, next }) = self.askers.remove(&key) else { return Vec::new() };
        let (answered, others): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|asker| Some(&asker.name) == name);
        answered.into_iter().for_each(|asker| asker.task.end(state.clone()));
        others.into_iter().chain(next).collect()
    }

    /// Cancels the check of a resource. The tasks that wait for it are told.
    pub fn give_up(&mut self, key: SwarmKey) {
        self.turns.give_up(key);
        self.askers.remove(&key);
    }

    /// Whether any check is running.
    pub fn are_running(&self) -> bool {
        self.turns.taken() > 0
    }

    /// For each waiting check, the number of checks before it.
    pub fn before(&self) -> BTreeMap<SwarmKey, u32> {
        self.turns.before()
    }
}
