//! Adds chunks to a download that were found on this machine. Nothing that is here is fetched.

use super::Driver;
use crate::library::{Download, ReusedFrom, TakeError};
use shared::chunk::ChunkIndex;
use shared::swarm::Event;
use std::sync::Arc;

impl Driver {
    /// A chunk was found on this machine, verified and written ([`Download::store`]), or one of the two failed. This is
    /// the only way in which such chunks enter a download, whether it has joined its swarm or not. A chunk that is wrong
    /// or cannot be written stays missing, and is fetched.
    pub(super) fn reused(
        &mut self,
        download: &Arc<Download>,
        index: ChunkIndex,
        from: &ReusedFrom,
        taken: Result<(), TakeError>,
    ) {
        if !self.is_current(download) {
            return;
        }
        let key = download.manifest.key();
        match taken {
            Ok(()) if self.stored_from_here(key, index, from) => self.event(Event::Stored { key, index }),
            // It is wrong, or a peer was faster, or the download has ended.
            Ok(()) | Err(TakeError::Corrupt | TakeError::Ended) => {}
            Err(error) => {
                let name = download.manifest.name();
                tracing::warn!(%name, id = %key, %error, "cannot store chunk {index}, which is here");
                if let TakeError::Store(error) = error {
                    self.write_failed(key, error);
                }
            }
        }
    }
}
