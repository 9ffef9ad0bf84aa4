//! Makes the chunks of zeros of a download, which nobody has to send. They are made before it joins its swarm, however
//! it begins or continues, so that no peer is asked for them.

use super::Driver;
use crate::inbox::{Input, TaskInput};
use crate::jobs;
use crate::library::{Download, Phase, ReuseWork, ReusedFrom};
use crate::panicked::{Panicked, caught};
use crate::store::StoreError;
use shared::chunk::CHUNK_BYTES;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Driver {
    /// Makes the chunks of zeros that a download does not have yet, in the background; then it joins its swarm. Returns
    /// whether there are any.
    pub(super) fn make_zeros(&mut self, key: SwarmKey) -> bool {
        let Some(Phase::Fetching(fetching)) = self.library.get_mut(key).map(|resource| &mut resource.phase)
        else {
            return false;
        };
        if fetching.zeros_left == 0 {
            return false;
        }
        if !fetching.makes_zeros {
            (fetching.makes_zeros, fetching.zeros_work) = (true, ReuseWork::default());
            let (download, have) = (fetching.download.clone(), fetching.have.clone());
            let (work, stop) = (fetching.zeros_work.clone(), self.stop.clone());
            let is_wanted = move || work.is_wanted() && !stop.load(Ordering::Relaxed);
            let (context, places) = (self.context.clone(), self.reusers.zeros.clone());
            jobs::spawn(async move {
                let Ok(place) = places.acquire_owned().await else { return };
                let making = download.clone();
                let making = move || caught(|| making.make_zeros(&have, is_wanted));
                let Ok(made) = jobs::run(making).await else { return };
                drop(place);
                let failed = |panic: Panicked| Err(panic.at("write zeros to", download.file.path()));
                let made = made.unwrap_or_else(failed);
                context.tell(Input::Task(TaskInput::ZerosMade { download, made })).await;
            });
        }
        true
    }

    /// Stops making the chunks of zeros of a download that is paused. Those that are left are made when it is resumed.
    pub(super) fn pause_zeros(&self, key: SwarmKey) {
        if let Some(Phase::Fetching(fetching)) = self.library.get(key).map(|resource| &resource.phase) {
            fetching.zeros_work.stop();
        }
    }

    /// Chunks of zeros were made, or could not be; some may still be missing if the work was stopped. They count as had
    /// like chunks that were written: a crash before the next sync may undo them, and the have map claims them after it.
    pub(super) fn zeros_made(&mut self, download: &Arc<Download>, made: Result<HaveMap, StoreError>) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        fetching.makes_zeros = false;
        let made = match made {
            Ok(made) => made,
            Err(error) => return self.write_failed(key, error),
        };
        let before = fetching.have.len();
        for index in made.iter() {
            if fetching.have.insert(index) {
                resource.sources.reuse(index, made.count(), &ReusedFrom::Zeros, CHUNK_BYTES.into());
            }
            resource.unreadable.entry(index).and_modify(|written| *written = true);
        }
        let chunks = fetching.have.len() - before;
        let was_stopped = !fetching.zeros_work.is_wanted();
        fetching.zeros_left = if was_stopped { fetching.zeros_left.saturating_sub(chunks) } else { 0 };
        fetching.zeros_unnoted += chunks;
        fetching.dirty += chunks;
        download.whole.advance(&fetching.have);
        let manifest = &download.manifest;
        let (name, zeros, total) = (manifest.name(), manifest.zero_chunks(), manifest.count());
        if fetching.zeros_left == 0 {
            tracing::info!(%name, id = %key, "{zeros} of {total} chunks are zeros and are not fetched");
        }
        self.join(key);
    }
}

/// The number of chunks of zeros that are not had yet.
pub(super) fn zeros_missing(manifest: &Manifest, have: &HaveMap) -> u32 {
    let had = match manifest.zero_chunks() {
        0 => 0,
        _ => have.iter().filter(|index| manifest.is_zeros(*index)).count() as u32,
    };
    manifest.zero_chunks() - had
}
