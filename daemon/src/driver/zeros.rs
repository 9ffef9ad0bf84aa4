//! Makes the chunks of zeros of a download, which nobody has to send. They are made before it joins its swarm, however
//! it begins or continues, so that no peer is asked for them.

use super::Driver;
use crate::inbox::{Input, TaskInput};
use crate::library::{Download, Phase, ReusedFrom};
use crate::panicked::Panicked;
use crate::store::StoreError;
use shared::chunk::CHUNK_BYTES;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use std::sync::Arc;

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
            fetching.makes_zeros = true;
            let (download, have) = (fetching.download.clone(), fetching.have.clone());
            let making = download.clone();
            self.work(
                move || making.make_zeros(&have),
                move |made| {
                    let failed = |panic: Panicked| Err(panic.at("write zeros to", download.file.path()));
                    let made = made.unwrap_or_else(failed);
                    Input::Task(TaskInput::ZerosMade { download, made })
                },
            );
        }
        true
    }

    /// The chunks of zeros were made, or could not be. They count as had like chunks that were written: a crash before
    /// the next sync may undo them, and the have map claims them after it.
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
        fetching.zeros_left = 0;
        let before = fetching.have.len();
        for index in made.iter() {
            if fetching.have.insert(index) {
                resource.sources.reuse(index, made.count(), &ReusedFrom::Zeros, CHUNK_BYTES.into());
            }
            resource.unreadable.entry(index).and_modify(|written| *written = true);
        }
        let chunks = fetching.have.len() - before;
        // They are not counted as unnoted: a crash does not cost anything to fetch them again.
        fetching.noted += chunks;
        fetching.dirty += chunks;
        download.whole.advance(&fetching.have);
        let manifest = &download.manifest;
        let (name, zeros, total) = (manifest.name(), manifest.zero_chunks(), manifest.count());
        tracing::info!(%name, id = %key, "{zeros} of {total} chunks are zeros and are not fetched");
        self.join(key);
    }
}
