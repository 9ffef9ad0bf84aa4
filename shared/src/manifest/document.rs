//! The manifest as a value, and its text.

use crate::chunk::{CHUNKS_MAX, ChunkCount, ChunkIndex};
use crate::id::{ChunkHash, ListDigest, ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use std::fmt;
use std::sync::Arc;

/// Limits the trackers in a manifest. A manifest with more is refused. A daemon announces to each of them, so the limit
/// bounds its connections.
pub const TRACKERS_MAX: usize = 16;

/// The number of hashes in one part of [`Manifest::text_parts`]: about 64 KiB of text.
const PART_HASHES: usize = 1008;

/// The SHA-256 of no bytes: the id of an empty resource, and never the hash of a chunk.
pub(super) const OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Everything needed to fetch a resource and to verify it. A value of this type is always consistent: its parts were
/// checked. Clones share the list of hashes.
///
/// ```
/// use shared::id::{ChunkHash, ResourceId};
/// use shared::manifest::Manifest;
///
/// let manifest = Manifest::new(
///     "hello.txt".parse().unwrap(),
///     ResourceId::of(b"hello"),
///     vec!["tt://tracker.example".parse().unwrap()],
///     vec![ChunkHash::of(b"hello")],
/// )
/// .unwrap();
/// assert_eq!(
///     manifest.to_text(),
///     "hello.txt\n\
///      2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n\
///      tt://tracker.example\n\
///      2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
/// );
/// assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    name: ResourceName,
    key: SwarmKey,
    trackers: Arc<[TrackerUrl]>,
    hashes: Arc<Vec<ChunkHash>>,
    count: ChunkCount,
    zero_chunks: u32,
}

impl Manifest {
    /// Makes a manifest of its parts.
    ///
    /// # Errors
    ///
    /// When the parts do not fit together; see [`BadManifest`].
    pub fn new(
        name: ResourceName,
        resource: ResourceId,
        trackers: Vec<TrackerUrl>,
        hashes: Vec<ChunkHash>,
    ) -> Result<Manifest, BadManifest> {
        if trackers.is_empty() {
            return Err(BadManifest::NoTracker);
        }
        if trackers.len() > TRACKERS_MAX {
            return Err(BadManifest::TooManyTrackers);
        }
        let count =
            u32::try_from(hashes.len()).ok().and_then(ChunkCount::new).ok_or(BadManifest::TooManyChunks)?;
        match (resource.0 == OF_NOTHING, hashes.as_slice()) {
            (false, []) => return Err(BadManifest::NoChunks),
            (true, [_, ..]) => return Err(BadManifest::ChunksOfNothing),
            (false, [only]) if only.0 != resource.0 => return Err(BadManifest::OneChunk),
            _ => (),
        }
        if let Some(index) = count.indices().find(|index| hashes[index.slot()].0 == OF_NOTHING) {
            return Err(BadManifest::EmptyChunk(index));
        }
        let key = SwarmKey { resource, digest: ListDigest::of(&hashes) };
        let zero_chunks = hashes.iter().filter(|hash| **hash == ChunkHash::ZEROS).count() as u32;
        Ok(Manifest { name, key, trackers: trackers.into(), hashes: Arc::new(hashes), count, zero_chunks })
    }

    /// The resource's name.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }

    /// The same manifest under another name: the same swarm, another file.
    pub fn with_name(&self, name: ResourceName) -> Manifest {
        Manifest { name, ..self.clone() }
    }

    /// The same manifest with other trackers; `None` if these are none or too many.
    pub fn with_trackers(&self, trackers: Vec<TrackerUrl>) -> Option<Manifest> {
        let fits = (1..=TRACKERS_MAX).contains(&trackers.len());
        fits.then(|| Manifest { trackers: trackers.into(), ..self.clone() })
    }

    /// The SHA-256 of the whole resource.
    pub fn resource(&self) -> ResourceId {
        self.key.resource
    }

    /// The SHA-256 of the chunk hashes. It was computed when the manifest was made.
    pub fn digest(&self) -> ListDigest {
        self.key.digest
    }

    /// Which swarm the manifest belongs to.
    pub fn key(&self) -> SwarmKey {
        self.key
    }

    /// The trackers; at least one.
    pub fn trackers(&self) -> &[TrackerUrl] {
        &self.trackers
    }

    /// How many chunks the resource has.
    pub fn count(&self) -> ChunkCount {
        self.count
    }

    /// The hashes of the chunks, in order.
    pub fn hashes(&self) -> &[ChunkHash] {
        &self.hashes
    }

    /// A chunk's hash; `None` for an index beyond the resource.
    pub fn hash(&self, index: ChunkIndex) -> Option<&ChunkHash> {
        self.hashes.get(index.slot())
    }

    /// Whether a chunk consists of zeros and has the full size. What it contains is known without fetching it.
    pub fn is_zeros(&self, index: ChunkIndex) -> bool {
        self.hash(index) == Some(&ChunkHash::ZEROS)
    }

    /// How many chunks consist of zeros and have the full size. They take no room on the disk.
    pub fn zero_chunks(&self) -> u32 {
        self.zero_chunks
    }

    /// The number of bytes of the text.
    pub fn text_bytes(&self) -> usize {
        let trackers: usize = self.trackers.iter().map(|url| url.as_str().len() + 1).sum();
        self.name.as_str().len() + 1 + 65 + trackers + 65 * self.hashes.len()
    }

    /// The text of the `.tinytorrent` file.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.text_bytes());
        self.text_parts().for_each(|part| text.push_str(&part));
        text
    }

    /// The same text in parts of at most 64 KiB, for callers that must not hold a large text in memory.
    pub fn text_parts(&self) -> impl Iterator<Item = String> + '_ {
        let trackers: Vec<&str> = self.trackers.iter().map(TrackerUrl::as_str).collect();
        let head = format!("{}\n{}\n{}\n", self.name, self.key.resource, trackers.join(" "));
        let hashes = self.hashes.chunks(PART_HASHES).map(|hashes| {
            let mut part = String::with_capacity(65 * hashes.len());
            for hash in hashes {
                hash.push_hex(&mut part);
                part.push('\n');
            }
            part
        });
        std::iter::once(head).chain(hashes)
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manifest({:?}, {}, {} chunks)", self.name.as_str(), self.key.resource, self.count)
    }
}

/// Why the parts of a manifest do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadManifest {
    /// There is no tracker.
    NoTracker,
    /// There are more than [`TRACKERS_MAX`] trackers.
    TooManyTrackers,
    /// There are more than [`CHUNKS_MAX`] chunks.
    TooManyChunks,
    /// There are no chunks, but the resource's id is not SHA-256 of nothing.
    NoChunks,
    /// There are chunks, but the resource's id is SHA-256 of nothing.
    ChunksOfNothing,
    /// There is one chunk, but its hash is not the resource's id, as it must be.
    OneChunk,
    /// This chunk's hash is that of nothing; a chunk has 1 byte at least.
    EmptyChunk(ChunkIndex),
}

impl fmt::Display for BadManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadManifest::NoTracker => f.write_str("no tracker is listed"),
            BadManifest::TooManyTrackers => write!(f, "more than {TRACKERS_MAX} trackers"),
            BadManifest::TooManyChunks => write!(f, "more than {CHUNKS_MAX} chunks"),
            BadManifest::NoChunks => {
                f.write_str("no chunks are listed, but this is not the SHA-256 of an empty file")
            }
            BadManifest::ChunksOfNothing => {
                f.write_str("this is the SHA-256 of an empty file, but chunks are listed")
            }
            BadManifest::OneChunk => {
                f.write_str("the SHA-256 of the only chunk differs from that of the file")
            }
            BadManifest::EmptyChunk(index) => {
                write!(f, "chunk {index} has the SHA-256 of no data, but every chunk has at least 1 byte")
            }
        }
    }
}

impl std::error::Error for BadManifest {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_text_are_small() {
        let hashes = vec![ChunkHash([7; 32]); 5000];
        let trackers = vec!["tt://h".parse().unwrap()];
        let manifest = Manifest::new("n".parse().unwrap(), ResourceId([1; 32]), trackers, hashes).unwrap();
        assert!(manifest.text_parts().all(|part| part.len() <= 64 << 10));
        assert_eq!(manifest.text_parts().collect::<String>(), manifest.to_text());
    }
}
