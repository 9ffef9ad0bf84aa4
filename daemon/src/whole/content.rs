//! What the machines of a world share and fetch.

use super::world::World;
use shared::chance::splitmix;
use shared::chunk::CHUNK_BYTES;
use shared::id::{ChunkHash, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::Accepted;
use shared::url::TrackerUrl;

/// A file with its manifest.
#[derive(Debug)]
pub(crate) struct Content {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Its manifest.
    pub(crate) manifest: Manifest,
}

impl Content {
    /// A file with these bytes, which these trackers know.
    ///
    /// # Panics
    /// If it is not a name, or if there are no bytes.
    pub(crate) fn new(name: &str, bytes: Vec<u8>, trackers: Vec<TrackerUrl>) -> Content {
        let hashes = bytes.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
        let name = name.parse().expect("worlds choose valid names");
        let manifest = Manifest::new(name, ResourceId::of(&bytes), trackers, hashes);
        Content { bytes, manifest: manifest.expect("worlds choose valid content") }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &ResourceName {
        self.manifest.name()
    }

    /// Whether it is what a daemon has accepted.
    pub(crate) fn is(&self, accepted: &Accepted) -> bool {
        *self.name() == accepted.name && self.manifest.resource() == accepted.resource
    }

    /// Its swarm.
    pub(crate) fn key(&self) -> SwarmKey {
        self.manifest.key()
    }
}

/// The number of bytes of a random file: most are tiny, since what happens around chunks matters more than their bytes.
pub(crate) fn size(world: &World) -> usize {
    let chunk = u64::from(CHUNK_BYTES);
    let bytes = match world.below(100) {
        0..70 => world.between(1..=4096),
        70..90 => chunk + world.between(0..=4096),
        90..98 => world.between(2 * chunk..=4 * chunk),
        _ => world.between(4 * chunk..=6 * chunk),
    };
    bytes as usize
}

/// Random bytes; in one of eight files some of them are a long run of zeros.
pub(crate) fn bytes(world: &World, bytes: usize) -> Vec<u8> {
    let mut state = world.draw();
    // Random numbers take long without optimization: a block of them is repeated, and each chunk gets a mark.
    let mut block: Vec<u8> = (0..512).flat_map(|_| splitmix(&mut state).to_le_bytes()).collect();
    while block.len() < bytes {
        block.extend_from_within(..);
    }
    block.truncate(bytes);
    for chunk in block.chunks_mut(CHUNK_BYTES as usize) {
        for (byte, mark) in chunk.iter_mut().zip(splitmix(&mut state).to_le_bytes()) {
            *byte = mark;
        }
    }
    if world.one_in(8) {
        let from = world.below(bytes as u64) as usize;
        let to = world.between(from as u64..=bytes as u64) as usize;
        block[from..to].fill(0);
    }
    block
}
