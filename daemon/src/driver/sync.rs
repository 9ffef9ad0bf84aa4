//! Makes stored chunks durable: syncs the data of downloads, then writes their have maps.

use super::Driver;
use super::zeros::zeros_missing;
use crate::inbox::{Input, TaskInput};
use crate::library::{Blocked, Download, Fetching, Phase};
use crate::panicked::Panicked;
use crate::store::StoreError;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use std::sync::Arc;
use std::time::Instant;

/// Limits the chunks of a download that are written before they are synced, even if the time for a sync has not come.
/// It is half of the chunks that a crash may cost, so that writing continues during a sync.
pub(super) const DIRTY_MAX: u32 = 32;

impl Driver {
    pub(super) fn sync_due(&mut self, now: Instant) {
        let is_due = |fetching: &Fetching| {
            fetching.dirty > 0
                && !fetching.syncing
                && now.duration_since(fetching.synced_at) >= self.settings.sync_every
        };
        let due: Vec<SwarmKey> = self
            .library
            .stirring()
            .filter(|(_, resource)| matches!(&resource.phase, Phase::Fetching(fetching) if is_due(fetching)))
            .map(|(key, _)| key)
            .collect();
        due.into_iter().for_each(|key| self.sync(key));
    }

    /// Syncs the data, and then writes the have map as it was before the sync.
    pub(super) fn sync(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        (fetching.dirty, fetching.syncing) = (0, true);
        let (download, have) = (fetching.download.clone(), fetching.have.clone());
        let syncing = download.clone();
        self.work(
            move || syncing.sync(),
            move |synced| {
                let failed = |panic: Panicked| Err(panic.at("sync", download.file.path()));
                let synced = synced.unwrap_or_else(failed);
                Input::Task(TaskInput::Synced { download, have, synced })
            },
        );
    }

    /// The data is durable. The saver writes the have map in its order, because the folder may be removed and created
    /// again at any time.
    pub(super) fn synced(&mut self, download: &Arc<Download>, have: HaveMap, synced: Result<(), StoreError>) {
        if !self.is_current(download) {
            // The part file remembers a failed sync, so that publishing it or checking it reports the failure.
            if let Err(error) = synced {
                let name = download.manifest.name();
                tracing::warn!(%name, id = %download.manifest.key(), %error, "cannot sync what was downloaded before");
            }
            return;
        }
        if let Err(error) = synced {
            return self.not_synced(download, error);
        }
        let Some(resource) = self.library.get_mut(download.manifest.key()) else { return };
        if let Phase::Fetching(fetching) = &mut resource.phase {
            fetching.safe.clone_from(&have);
        }
        self.saver.write_have(self.context.clone(), download.clone(), &resource.slot, have, false);
    }

    /// After a failed sync nobody knows which data since the last good one is on the disk: the system may have dropped
    /// it and still show it to readers. Those chunks are fetched again, and all others are read back for the hash of
    /// the whole file.
    pub(super) fn not_synced(&mut self, download: &Arc<Download>, error: StoreError) {
        let key = download.manifest.key();
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        let (file, safe) = (download.file.clone(), fetching.safe.clone());
        file.reopen();
        let chunks = fetching.have.len() - safe.len();
        tracing::error!(name = %fetching.download.manifest.name(), id = %key, %error, chunks, "cannot sync; what was not synced is fetched again");
        if !safe.count().last().is_some_and(|last| safe.contains(last)) {
            file.forget_last();
        }
        let noted = (fetching.noted + fetching.zeros_unnoted).min(safe.len());
        let mut anew = self.fetching_beside(download.manifest.clone(), file, safe, noted);
        anew.blocked = Some(Blocked::new(error));
        self.leave(key);
        if let Some(resource) = self.library.get_mut(key) {
            resource.phase = Phase::Fetching(Box::new(anew));
        }
    }

    /// A have map was written or not: after a sync, or as a probe of a disk that has refused a write. A sync may be
    /// running at the same time as a probe.
    pub(super) fn noted(
        &mut self,
        download: &Arc<Download>,
        have: &HaveMap,
        is_probe: bool,
        noted: Result<(), StoreError>,
    ) {
        let key = download.manifest.key();
        if !self.is_current(download) {
            return;
        }
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return;
        };
        if !is_probe {
            (fetching.syncing, fetching.synced_at) = (false, Instant::now());
        }
        if let Err(error) = noted {
            fetching.dirty += 1; // the next sync that is due tries again
            return self.write_failed(key, error);
        }
        let zeros = new_zeros(fetching, have);
        fetching.zeros_unnoted -= zeros;
        download.unnoted.leave(have.len().saturating_sub(fetching.noted + zeros));
        fetching.noted = fetching.noted.max(have.len());
        let more = fetching.dirty >= DIRTY_MAX;
        self.probed(key);
        if more {
            self.sync(key);
        }
    }

    /// Syncs everything before the end, so that arrived chunks are not fetched again.
    pub(super) fn sync_all(&mut self) {
        for (_, resource) in self.library.iter() {
            if let Phase::Fetching(fetching) = &resource.phase {
                self.saver.sync(fetching.download.clone(), &resource.slot, fetching.have.clone());
            }
        }
    }
}

/// The number of chunks of zeros that this have map is the first one to claim.
fn new_zeros(fetching: &Fetching, have: &HaveMap) -> u32 {
    if fetching.zeros_unnoted == 0 {
        return 0;
    }
    let missing_before = fetching.zeros_left + fetching.zeros_unnoted;
    let missing = zeros_missing(&fetching.download.manifest, have);
    missing_before.saturating_sub(missing).min(fetching.zeros_unnoted)
}
