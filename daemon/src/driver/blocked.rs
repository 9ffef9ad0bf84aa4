//! Downloads that are stopped for a reason outside their swarm: a disk that is full or fails. They keep their chunks,
//! are looked at again every few seconds, and continue as soon as they can.

use super::Driver;
use super::reasons::words_of;
use crate::library::{Blocked, Failure, Phase, Why};
use crate::store::StoreError;
use shared::id::SwarmKey;
use std::time::{Duration, Instant};

/// How long a download that found no room, or a failing disk, waits before it tries again. Each try costs one write.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long to wait before an unreadable file is read again. This is longer, because each attempt may read much of the
/// file.
pub(super) const REREAD_AFTER: Duration = Duration::from_secs(60);

impl Blocked {
    pub(super) fn new(why: impl Into<Why>) -> Blocked {
        Blocked { why: why.into(), retry_at: Instant::now() + RETRY_AFTER, probing: false }
    }
}

impl Driver {
    /// The disk refuses writes: blocks the download.
    pub(super) fn write_failed(&mut self, key: SwarmKey, error: StoreError) {
        if error.is_bad_data() {
            return self.refuse_no_tree(key, error.source.to_string());
        }
        self.block(key, Blocked::new(error));
    }

    pub(super) fn block(&mut self, key: SwarmKey, blocked: Blocked) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        let is_new = fetching.blocked.is_none();
        if is_new {
            let name = fetching.download.manifest.name();
            tracing::warn!(%name, id = %key, error = %words_of(&blocked.why), "the download waits");
        }
        fetching.blocked = Some(blocked);
        if is_new {
            self.leave(key);
        }
    }

    /// Tries blocked downloads again whose time has come.
    pub(super) fn retry_blocked(&mut self, now: Instant) {
        if self.folder.is_away() {
            return;
        }
        let is_due = |resource: &crate::library::Resource| match &resource.phase {
            Phase::Fetching(fetching) => fetching.blocked.as_ref().is_some_and(|it| it.retry_at <= now),
            Phase::Accepted(blocked) => blocked.retry_at <= now,
            Phase::Failed(failure) => failure.retry_at.is_some_and(|at| at <= now),
            Phase::Seeding(_) => resource.republish_at.is_some_and(|at| at <= now),
            Phase::Checking(_) | Phase::Opening(_) => false,
        };
        let due = self.library.stirring().filter(|(_, resource)| is_due(resource) && !resource.record.paused);
        let keys: Vec<SwarmKey> = due.map(|(key, _)| key).collect();
        for key in keys {
            match self.library.get(key).map(|resource| &resource.phase) {
                Some(Phase::Failed(_)) => self.check_in_turn(key),
                Some(Phase::Seeding(_)) => {
                    self.forgive(key);
                    self.publish(key);
                }
                Some(_) => self.unblock(key),
                None => {}
            }
        }
    }

    /// Joins the swarm of a download, or blocks it when there is no room. Returns whether it has started; a paused one
    /// has not.
    pub(super) fn start_or_wait(&mut self, key: SwarmKey) -> bool {
        if self.folder.is_away() {
            return false;
        }
        if let Some(no_room) = self.lacking_space(key) {
            self.block(key, Blocked::new(no_room));
            return false;
        }
        self.join(key);
        self.lay_out(key);
        self.look_at_its_name(key);
        self.library.get(key).is_some_and(|resource| !resource.record.paused)
    }

    /// Continues a blocked download if nothing stands in its way any more.
    pub(super) fn unblock(&mut self, key: SwarmKey) {
        if self.folder.is_away() {
            return;
        }
        if let Some(Phase::Accepted(blocked)) = self.library.get(key).map(|resource| &resource.phase) {
            // Creating its folder may mean hashing everything that is there, so that waits until there is room for the
            // download.
            let waits_for_room = blocked.why.is_for_room();
            return match self.lacking_space_for_all(key).filter(|_| waits_for_room) {
                Some(no_room) => self.wait_for_room(key, no_room),
                None => self.make_place(key),
            };
        }
        if self.waits_for_its_name(key) {
            return;
        }
        let lacking = self.lacking_space(key);
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        if let Some(no_room) = lacking.filter(|_| !fetching.verified) {
            return self.block(key, Blocked::new(no_room));
        }
        match &mut fetching.blocked {
            None => {} // it is not blocked
            Some(blocked) if fetching.verified => {
                // publishing it or writing its have map has failed
                blocked.retry_at = Instant::now() + RETRY_AFTER;
                self.forgive(key);
                self.publish(key);
            }
            Some(blocked) if blocked.probing => blocked.retry_at = Instant::now() + RETRY_AFTER,
            Some(blocked) => {
                // No chunk is requested before a write has succeeded again.
                (blocked.probing, blocked.retry_at) = (true, Instant::now() + RETRY_AFTER);
                let (download, safe) = (fetching.download.clone(), fetching.safe.clone());
                self.saver.write_have(self.context.clone(), download, &resource.slot, safe, true);
            }
        }
    }

    /// The disk has accepted a have map, so the download continues.
    pub(super) fn probed(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        if fetching.blocked.take_if(|blocked| blocked.probing).is_some() {
            let name = fetching.download.manifest.name();
            tracing::info!(%name, id = %key, "the download continues");
            self.join(key);
            self.lay_out(key);
            self.publish(key); // if it has become complete
        }
    }

    /// Writes the records again that could not be written.
    pub(super) fn save_again(&mut self) {
        for key in self.saver.unsaved() {
            match self.library.get(key) {
                Some(resource) if !matches!(resource.phase, Phase::Accepted(_)) => {
                    drop(self.shelve(resource, matches!(resource.phase, Phase::Seeding(_))));
                }
                Some(_) => {} // its place is made when it goes on
                None => self.saver.give_up(key),
            }
        }
    }

    // -- room

    /// Blocks running downloads while less room is free than must be kept.
    pub(super) fn keep_room(&mut self) {
        if self.folder.is_away() || !self.free_bytes().is_ok_and(|free| free < self.settings.min_free_bytes) {
            return;
        }
        let runs = |phase: &Phase| matches!(phase, Phase::Fetching(it) if it.blocked.is_none() && !it.have.is_full());
        let running = self.library.stirring().filter(|(_, resource)| runs(&resource.phase));
        let keys: Vec<SwarmKey> = running.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(no_room) = self.lacking_space(key) {
                self.block(key, Blocked::new(no_room));
            }
        }
    }

    // -- failures

    /// Marks a resource as failed: it cannot continue without help.
    pub(super) fn fail_resource(&mut self, key: SwarmKey, why: Why) {
        self.fail_until(key, Failure { why, retry_at: None });
    }

    /// The files of a resource cannot be read. It fails, but is tried again after [`REREAD_AFTER`].
    pub(super) fn cannot_read(&mut self, key: SwarmKey, why: Why) {
        let retry_at = Some(Instant::now() + REREAD_AFTER);
        self.fail_until(key, Failure { why, retry_at });
    }

    fn fail_until(&mut self, key: SwarmKey, failure: Failure) {
        let name = self.library.called(key);
        tracing::error!(name, id = %key, error = %words_of(&failure.why), "cannot continue");
        self.leave(key);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Failed(failure);
        }
        self.changed();
    }
}
