//! Which resources are checked when, and who waits for that. Hashing takes a processor, a disk and 8 MiB of memory for
//! each file, and 10,000 files may be due at once: a folder that was copied has other inodes. So few are checked at a
//! time; the others wait, and what was checked is served meanwhile.

use super::turns::{Turn, Turns};
use crate::tasks::TaskHandle;
use shared::id::SwarmKey;
use shared::rpc::control::{ControlError, ErrorKind, TaskState};
use std::collections::BTreeMap;

/// How many small files are checked at once.
const SMALL_CHECKS_MAX: u32 = 2;

/// How many large files are checked at once: the disk reads one after the other fastest.
const LARGE_CHECKS_MAX: u32 = 1;

/// The checks that run, and those that wait.
#[derive(Debug)]
pub struct Checks {
    /// One for each resource at most.
    turns: Turns<SwarmKey>,
    askers: BTreeMap<SwarmKey, Askers>,
}

/// Who waits for the check of a resource.
#[derive(Debug, Default)]
struct Askers {
    /// They hear of the check that waits or runs.
    present: Vec<Asker>,
    /// They asked while it ran: what it had read by then may have changed, so that they wait for one more.
    next: Vec<Asker>,
}

/// Somebody who waits for a check, and hears of its end in any case.
#[derive(Debug)]
pub struct Asker(TaskHandle);

impl Asker {
    pub fn new(task: TaskHandle) -> Asker {
        Asker(task)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.end_if_running(|| {
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
    /// A resource is to be checked; if it waits for that already, it does so once.
    pub fn wait(&mut self, key: SwarmKey, bytes: u64, is_asked: bool) {
        let is_asked = is_asked || self.askers.contains_key(&key);
        self.turns.wait(key, bytes, is_asked);
    }

    /// Somebody waits for the check that waits or runs.
    pub fn ask(&mut self, key: SwarmKey, asker: Asker) {
        self.askers.entry(key).or_default().present.push(asker);
    }

    /// Somebody waits for one that begins after the one that runs.
    pub fn ask_for_next(&mut self, key: SwarmKey, asker: Asker) {
        self.askers.entry(key).or_default().next.push(asker);
    }

    /// Whether somebody waits for the check of a resource.
    pub fn is_asked_for(&self, key: SwarmKey) -> bool {
        self.askers.contains_key(&key)
    }

    /// The resources for whose checks somebody waits.
    pub fn asked_for(&self) -> Vec<SwarmKey> {
        self.askers.keys().copied().collect()
    }

    /// Somebody waits for what comes of it.
    pub fn hurry(&mut self, key: SwarmKey) {
        self.turns.hurry(key);
    }

    /// The next one that is to begin.
    pub fn next(&mut self) -> Option<(SwarmKey, Turn)> {
        self.turns.next()
    }

    /// Who is to be told of the progress of a check that begins.
    pub fn watchers(&self, key: SwarmKey) -> Vec<TaskHandle> {
        self.askers.get(&key).into_iter().flat_map(|askers| &askers.present).map(|it| it.0.clone()).collect()
    }

    /// A check that ran has come to its end, whatever that was.
    pub fn ended(&mut self, turn: Turn) {
        self.turns.ended(turn);
    }

    /// Answers those who waited for a check; gives those who wait for the next one.
    pub fn answer(&mut self, key: SwarmKey, state: &TaskState) -> Vec<Asker> {
        let Some(Askers { present, next }) = self.askers.remove(&key) else { return Vec::new() };
        present.into_iter().for_each(|asker| asker.0.end(state.clone()));
        next
    }

    /// A resource is not checked any more; whoever waits for it hears of that.
    pub fn give_up(&mut self, key: SwarmKey) {
        self.turns.give_up(key);
        self.askers.remove(&key);
    }

    /// Whether any check runs.
    pub fn are_running(&self) -> bool {
        self.turns.taken() > 0
    }

    /// How many checks go before each of those that wait.
    pub fn before(&self) -> BTreeMap<SwarmKey, u32> {
        self.turns.before()
    }
}
