//! The trackers that this machine talks to.

use super::announcer;
use super::entry::TrackerCommand;
use super::health::{Health, Trouble};
use super::inbox::Inbox;
use super::schedule;
use crate::entropy;
use crate::inbox::Context;
use crate::jobs;
use shared::id::SwarmKey;
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How many trackers a daemon talks to; further ones are left out. Manifests name trackers, so strangers could add any
/// number.
const TRACKERS_MAX: usize = 64;

/// The trackers that we talk to.
#[derive(Debug, Default)]
pub struct Trackers {
    trackers: BTreeMap<TrackerUrl, AnnouncerHandle>,
    /// Whether the start is over: then new resources are announced at once.
    up: bool,
}

#[derive(Debug)]
struct AnnouncerHandle {
    /// The orders that its announcer has not taken yet.
    inbox: Arc<Inbox>,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
    /// The resources that are announced to it.
    keys: BTreeSet<SwarmKey>,
}

impl AnnouncerHandle {
    fn send(&mut self, command: TrackerCommand) {
        match &command {
            TrackerCommand::Put(key, _) => _ = self.keys.insert(*key),
            TrackerCommand::Remove(key) => _ = self.keys.remove(key),
            _ => {}
        }
        self.inbox.add(command);
    }
}

impl Trackers {
    /// Gives a command to a tracker's announcer, which is started if necessary. Returns `false` if there are too many
    /// trackers.
    pub fn command(&mut self, context: &Arc<Context>, url: &TrackerUrl, command: TrackerCommand) -> bool {
        if !self.trackers.contains_key(url) {
            self.make_room();
            if self.trackers.len() >= TRACKERS_MAX {
                tracing::warn!(tracker = %url, "too many trackers; this one is not used");
                return false;
            }
            let inbox = Arc::new(Inbox::default());
            let health = Arc::new(Mutex::new(Health::new(Instant::now())));
            let pause = (!self.up).then(|| schedule::return_pause(entropy::random()));
            let announcer =
                announcer::run(context.clone(), url.clone(), health.clone(), pause, inbox.clone());
            let task = jobs::spawn(announcer);
            self.trackers.insert(url.clone(), AnnouncerHandle { inbox, health, task, keys: BTreeSet::new() });
        }
        self.trackers.get_mut(url).map(|tracker| tracker.send(command)).is_some()
    }

    /// Whether a resource is announced to a tracker.
    #[cfg(test)]
    pub fn announces(&self, url: &TrackerUrl, key: SwarmKey) -> bool {
        self.trackers.get(url).is_some_and(|tracker| tracker.keys.contains(&key))
    }

    /// Gives a command to all announcers.
    pub fn command_all(&mut self, command: impl Fn() -> TrackerCommand) {
        for tracker in self.trackers.values_mut() {
            tracker.send(command());
        }
    }

    /// If there are too many trackers, ends the announcer of one to which nothing is announced any more.
    fn make_room(&mut self) {
        let unused = self.trackers.iter().find(|(_, tracker)| tracker.keys.is_empty());
        let unused = unused.map(|(url, _)| url.clone()).filter(|_| self.trackers.len() >= TRACKERS_MAX);
        if let Some(mut tracker) = unused.and_then(|url| self.trackers.remove(&url)) {
            tracker.send(TrackerCommand::End);
        }
    }

    /// Ends the start: the resources of the last run are announced after a short random pause. Returns whether this was
    /// the first call.
    pub fn started(&mut self) -> bool {
        !std::mem::replace(&mut self.up, true)
    }

    /// The trouble that a tracker causes for a resource, and how long it has lasted.
    pub fn trouble(&self, url: &TrackerUrl, key: SwarmKey) -> Option<(Duration, Trouble)> {
        let now = Instant::now();
        match self.trackers.get(url) {
            Some(tracker) => tracker.health.lock().unwrap_or_else(PoisonError::into_inner).trouble(now, key),
            None => Health::left_out().trouble(now, key),
        }
    }

    /// All trackers that we talk to, in order, each with what is wrong with it for all resources, and for how long.
    pub fn all(&self) -> impl Iterator<Item = (&TrackerUrl, Option<(Duration, Trouble)>)> {
        let now = Instant::now();
        self.trackers.iter().map(move |(url, tracker)| {
            let health = tracker.health.lock().unwrap_or_else(PoisonError::into_inner);
            (url, health.trouble_for_all(now))
        })
    }

    /// Withdraws everything from all trackers, and ends. Gives up after `patience`.
    pub async fn end(self, patience: Duration) {
        let until = tokio::time::Instant::now() + patience;
        let mut tasks = Vec::new();
        for mut tracker in self.trackers.into_values() {
            tracker.send(TrackerCommand::End);
            tasks.push(tracker.task);
        }
        for mut task in tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}
