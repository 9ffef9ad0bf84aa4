//! A machine's id and zone, and its rank for a chunk among the machines of its zone.

use crate::chance::mix;
use crate::chunk::ChunkIndex;
use crate::id::PeerId;
use std::sync::Arc;

/// A machine's id and zone.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    id: u64,
    zone: Arc<str>,
}

impl Place {
    pub(super) fn new(id: PeerId, zone: &str) -> Place {
        let halves = id.0.as_chunks::<8>().0.iter().map(|half| u64::from_le_bytes(*half));
        Place { id: halves.fold(0, |folded, half| mix(folded ^ half)), zone: zone.into() }
    }

    pub(super) fn shares_zone(&self, other: &Place) -> bool {
        self.zone == other.zone
    }

    /// The machine's rank for a chunk. The machine of a zone with the highest rank is the chunk's home.
    pub(super) fn rank(&self, index: ChunkIndex) -> (u64, u64) {
        (mix(self.id ^ mix(u64::from(index.0))), self.id)
    }
}
