//! Makes the snapshots, and publishes each that differs from the last one.

use super::Driver;
use super::status::not_looked_at;
use crate::inbox::unknown;
use crate::snapshot::Snapshot;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;
use std::sync::Arc;
use std::time::Instant;

/// Limits the removed names that are collected. Beyond it a snapshot is made for them even though nobody reads it, so
/// that they do not take more and more memory.
const FORGOTTEN_MAX: usize = 4096;

impl Driver {
    /// Says that something changed that a reader may want to see.
    pub(super) fn changed(&mut self) {
        self.pace.note();
    }

    /// Says that something changed that concerns all resources, including idle ones.
    pub(super) fn all_changed(&mut self) {
        self.pace.note_all();
    }

    /// When the next snapshot is due; `None` while nothing has changed.
    pub(super) fn next_snapshot_at(&self, now: Instant) -> Option<Instant> {
        match self.is_read() {
            true => self.pace.due_at(now),
            false => self.pace.due_unread_at(now),
        }
    }

    /// Makes the next snapshot when it is due.
    pub(super) fn publish_news(&mut self, now: Instant) {
        if self.next_snapshot_at(now).is_some_and(|at| at <= now) {
            let is_whole = if self.is_read() { self.pace.is_whole(now) } else { self.pace.is_for_all() };
            self.make_snapshot(is_whole);
        }
    }

    /// Whether anybody is connected who may read snapshots. Without readers they are made for the events alone.
    fn is_read(&self) -> bool {
        self.context.snapshots.receiver_count() > 0
    }

    /// Makes a snapshot if anything has changed.
    pub(super) fn show_news(&mut self) {
        if self.pace.has_news() {
            self.make_snapshot(self.pace.is_whole(Instant::now()));
        }
    }

    /// A snapshot of this moment for a name, a resource id, or everything.
    ///
    /// # Errors
    /// When nothing here has that name or id.
    pub(super) fn snapshot_for(&mut self, what: Option<&str>) -> Result<Arc<Snapshot>, ControlError> {
        let Some(what) = what else {
            let is_whole = self.pace.is_whole_for_asker(Instant::now());
            if is_whole || self.pace.has_news() {
                self.make_snapshot(is_whole);
            }
            return Ok(self.context.snapshots.borrow().clone());
        };
        let found = self.library.find(what);
        if found.is_empty() {
            return Err(unknown(what));
        }
        let names: Vec<ResourceName> = found.into_iter().map(|(name, _)| name).collect();
        self.look_at_names(&names);
        if self.snapshot.has_changed() {
            self.pace.note(); // other readers receive it with the next snapshot
        }
        Ok(Arc::new(self.snapshot.only(&names)))
    }

    fn make_snapshot(&mut self, is_whole: bool) {
        let begin = Instant::now();
        let mut names: Vec<ResourceName> = self.library.take_touched();
        if is_whole {
            names = self.library.names().map(|(name, _)| name.clone()).collect();
        }
        names.extend(std::mem::take(&mut self.forgotten));
        self.look_at_names(&names);
        self.snapshot.put_to_look_at(self.loading.left().filter_map(not_looked_at));
        if let Some(snapshot) = self.snapshot.next() {
            self.context.snapshots.send_replace(snapshot);
        }
        self.pace.made(begin, Instant::now(), is_whole);
    }

    /// A name was removed. It may receive another resource a moment later, so it leaves the snapshot only when the next
    /// one is made.
    pub(super) fn forgot(&mut self, name: &ResourceName) {
        if self.forgotten.len() >= FORGOTTEN_MAX {
            let forgotten = std::mem::take(&mut self.forgotten);
            self.look_at_names(&Vec::from_iter(forgotten)); // nobody has read for a long time
        }
        self.events.removed(name);
        self.forgotten.insert(name.clone());
        self.changed();
    }

    fn look_at_names(&mut self, names: &[ResourceName]) {
        let before = self.checks.before();
        for name in names {
            let key = self.library.key_of(name);
            let status = key.and_then(|key| self.status_of(name, key, &before));
            self.compare_with_before(name, status.as_ref());
            match status {
                Some(status) => self.snapshot.put(status),
                None => self.snapshot.remove(name),
            }
        }
    }
}
