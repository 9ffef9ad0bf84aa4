//! Logs when a download has made no progress for a long time, and when it continues.

use super::Driver;
use crate::library::{Phase, Resource};
use crate::tracker::seconds;
use crate::watch::Word;
use shared::id::SwarmKey;
use shared::rpc::control::State;
use std::time::{Duration, Instant};

impl Driver {
    /// Looks at every download, except those that are paused, being checked, or still taking chunks from this machine.
    pub(super) fn look_for_stalls(&mut self, now: Instant) {
        let known = self.stalls.watched();
        let is_download = |key: &SwarmKey| {
            self.library.get(*key).is_some_and(|resource| is_fetched(resource) && !resource.record.paused)
        };
        let ended: Vec<SwarmKey> = known.into_iter().filter(|key| !is_download(key)).collect();
        for key in ended {
            let stood = self.stalls.forget(key, now);
            let is_whole = |key| {
                self.library.get(key).is_some_and(|resource| matches!(resource.phase, Phase::Seeding(_)))
            };
            if let Some(stood) = stood.filter(|_| is_whole(key)) {
                let (name, stood) = (self.library.called(key), seconds(stood));
                tracing::info!(name, id = %key, "the download makes progress again after {stood}, and is complete");
            }
        }
        let downloads = self.library.stirring().filter_map(|(key, resource)| match &resource.phase {
            Phase::Fetching(fetching) if is_fetched(resource) && !resource.record.paused => {
                Some((key, fetching.have.len()))
            }
            _ => None,
        });
        let downloads: Vec<(SwarmKey, u32)> = downloads.collect();
        for (key, have) in downloads {
            let mark = (have, self.machine.status(key).map(|swarm| swarm.moved_at));
            match self.stalls.look(key, mark, now, self.settings.stall_warning) {
                Some(Word::Stalled(stood)) => self.warn_of(key, stood),
                Some(Word::GoesOn(stood)) => {
                    self.tell_goes_on(key);
                    let (name, stood) = (self.library.called(key), seconds(stood));
                    tracing::info!(name, id = %key, "the download makes progress again after {stood}");
                }
                None => {}
            }
        }
    }

    fn warn_of(&mut self, key: SwarmKey, stood: Duration) {
        let what = key.resource.to_string();
        let Some(status) = self.status(Some(&what)).ok().and_then(|all| all.into_iter().next()) else {
            return;
        };
        let reason = match status.state {
            State::Downloading => "nothing arrives".to_owned(),
            _ => status.reason.unwrap_or_default(),
        };
        self.tell_stalled(&status.name, stood, &reason);
        let stood = seconds(stood);
        tracing::warn!(name = %status.name, id = %key, error = %reason, "the download has made no progress for {stood}");
    }
}

/// Whether its chunks come from peers, or will when nothing is in the way.
fn is_fetched(resource: &Resource) -> bool {
    matches!(&resource.phase, Phase::Fetching(it) if it.reuse.is_done() || it.blocked.is_some())
}
