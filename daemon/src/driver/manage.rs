//! Pauses, resumes and removes resources.

use super::Driver;
use crate::inbox::unknown;
use crate::library::{CheckStep, Checking, Phase};
use crate::store::NameRecord;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;
use shared::wanted::{WantedBy, Withdrawn};

impl Driver {
    pub(super) fn pause(&mut self, what: &str) -> Result<Vec<ResourceName>, ControlError> {
        let found = self.some(what)?;
        for &(_, key) in &found {
            self.set_paused(key, true);
            self.leave(key);
            self.pause_zeros(key);
            self.pause_check(key);
        }
        Ok(names(found))
    }

    pub(super) fn resume(&mut self, what: &str) -> Result<Vec<ResourceName>, ControlError> {
        let found = self.some(what)?;
        for &(_, key) in &found {
            self.set_paused(key, false);
            match self.library.get(key).map(|resource| &resource.phase) {
                Some(Phase::Failed(_)) => self.check(key),
                Some(Phase::Checking(checking)) if checking.step == CheckStep::Waits => self.check(key),
                Some(Phase::Accepted(_)) => self.unblock_now(key),
                Some(Phase::Fetching(fetching)) if fetching.blocked.is_some() => self.unblock_now(key),
                Some(Phase::Seeding(_)) => {
                    self.forgive(key);
                    self.join(key);
                    self.publish(key);
                }
                _ => self.join(key),
            }
        }
        Ok(names(found))
    }

    /// Stops the check of a paused resource; it begins again when the resource is resumed.
    fn pause_check(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let may_begin_anew = |step| matches!(step, CheckStep::Waits | CheckStep::Hashes);
        if matches!(&resource.phase, Phase::Checking(it) if may_begin_anew(it.step)) {
            resource.phase = Phase::Checking(Checking::new(CheckStep::Waits));
            self.checks.give_up(key);
        }
    }

    /// Tries the names again that could not be published.
    pub(super) fn forgive(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.republish_at = None;
        let waits = |record: &&NameRecord| record.published.is_none();
        for record in resource.record.names.iter().filter(waits) {
            resource.troubles.remove(&record.name);
        }
    }

    fn set_paused(&mut self, key: SwarmKey, paused: bool) {
        if let Some(resource) = self.library.get_mut(key)
            && resource.record.paused != paused
        {
            resource.record.paused = paused;
            self.saver.save(&resource.slot, &resource.record);
        }
    }

    /// Tries a blocked resource again at once instead of a little later.
    pub(super) fn unblock_now(&mut self, key: SwarmKey) {
        let is_blocked = |phase: &Phase| match phase {
            Phase::Fetching(fetching) => fetching.blocked.is_some(),
            phase => matches!(phase, Phase::Accepted(_)),
        };
        if self.library.get(key).is_some_and(|resource| is_blocked(&resource.phase)) {
            self.look_at_room();
            self.doubt_taken_name(key);
            self.unblock(key);
        }
    }

    /// Withdraws what `by` wants, and removes the names that nobody else wants. Returns the removed names.
    pub(super) fn remove(
        &mut self,
        what: &str,
        delete: bool,
        by: &WantedBy,
    ) -> Result<Vec<ResourceName>, ControlError> {
        let mut found = self.some(what)?;
        found.retain(|(name, key)| self.withdraw(*key, name, by) == Withdrawn::NobodyLeft);
        for (name, key) in &found {
            let Some(resource) = self.library.get(*key) else { continue };
            let record = resource.record.names.iter().find(|record| record.name == *name);
            let (identity, is_tree) = (record.and_then(|record| record.published), resource.is_tree);
            let trackers = if resource.record.origin { resource.trackers() } else { Vec::new() };
            if let Some(identity) = identity.filter(|_| delete && is_tree) {
                // Its slot says what is ours in it. Its manifest goes first here, too.
                let manifest = resource.manifest_of(name);
                self.saver.hide_manifest(self.home.clone(), manifest);
                self.saver.remove_tree(self.home.clone(), name.clone(), identity, &resource.slot, None);
            }
            self.forget_name(name, None);
            self.leave_catalogues(*key, name, &trackers);
            let publishing = self.publishing.get_mut(key).filter(|publishing| publishing.name == *name);
            publishing.into_iter().for_each(|publishing| publishing.delete |= delete);
            if let Some(identity) = identity.filter(|_| delete && !is_tree) {
                self.saver.remove_file(self.home.clone(), name.clone(), identity);
            }
            let done = if delete { "removed, and its file deleted" } else { "removed; its file stays" };
            tracing::info!(%name, id = %key, user = %by, "{done}");
        }
        Ok(names(found))
    }

    /// Forgets a name and removes its manifest; its file stays. If it was the last name, the swarm is left too, unless
    /// the swarm is `keep`, which is about to receive the name again.
    pub(super) fn forget_name(&mut self, name: &ResourceName, keep: Option<SwarmKey>) {
        let Some(key) = self.library.key_of(name).filter(|key| Some(*key) != keep) else { return };
        let Some(resource) = self.library.get(key) else { return };
        let manifest = resource.manifest_of(name);
        if resource.record.names.len() == 1 {
            self.leave(key);
        }
        // The manifest goes first: a file that has a manifest and no record would be adopted by the next start.
        self.saver.hide_manifest(self.home.clone(), manifest);
        self.forgot(name);
        match self.library.remove_name(name) {
            Some(resource) => {
                self.checks.give_up(key);
                self.saver.forget(key, &resource.slot);
            }
            None => self.lost_name(key, name),
        }
        self.changed();
    }

    /// A swarm has lost one of its names, which may be the one whose file was served.
    fn lost_name(&mut self, key: SwarmKey, name: &ResourceName) {
        let Some(resource) = self.library.get(key) else { return };
        let path = resource.path(&self.home, name);
        self.saver.save(&resource.slot, &resource.record);
        let was_served = matches!(&resource.phase, Phase::Seeding(published) if published.path == path);
        let other = resource.record.names.iter().find(|record| record.published.is_some());
        match (was_served, other) {
            (true, Some(_)) => self.check(key),
            _ => {
                self.look_at_its_name(key); // it may be one that a directory cannot have
                self.announce(key);
            }
        }
    }

    // -- what a person means

    /// All names that `what` means.
    pub(super) fn some(&self, what: &str) -> Result<Vec<(ResourceName, SwarmKey)>, ControlError> {
        let found = self.library.find(what);
        if found.is_empty() { Err(unknown(what)) } else { Ok(found) }
    }

    /// The name that `what` means; of several names of one resource, the first.
    pub(super) fn one(&self, what: &str) -> Result<(ResourceName, SwarmKey), ControlError> {
        self.library.find(what).into_iter().next().ok_or_else(|| unknown(what))
    }
}

fn names(found: Vec<(ResourceName, SwarmKey)>) -> Vec<ResourceName> {
    found.into_iter().map(|(name, _)| name).collect()
}
