//! A manifest that is being uploaded, page by page.

use sha2::{Digest, Sha256};
use shared::rpc::tracker::{Offer, PAGE_HASHES, Publication};
use shared::swarm::Time;
use shared::url::TrackerUrl;
use std::net::SocketAddr;

/// The number of bytes of a chunk's hash.
pub(super) const HASH_BYTES: usize = 32;

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) offer: Offer,
    pub(super) by: SocketAddr,
    pub(super) hashes: Vec<u8>,
    pub(super) hasher: Sha256,
    pub(super) last_page: Time,
}

impl Upload {
    pub(super) fn new(now: Time, by: SocketAddr, offer: Offer) -> Upload {
        Upload { offer, by, hashes: Vec::new(), hasher: Sha256::new(), last_page: now }
    }

    pub(super) fn next_page(&self) -> u32 {
        (self.hashes.len() / (PAGE_HASHES as usize * HASH_BYTES)) as u32
    }

    /// The number of bytes of the next page; 0 if all pages are here.
    pub(super) fn page_bytes(&self) -> usize {
        (hashes_bytes(&self.offer.publication) - self.hashes.len()).min(PAGE_HASHES as usize * HASH_BYTES)
    }

    pub(super) fn take_page(&mut self, now: Time, hashes: &[u8]) {
        self.hasher.update(hashes);
        self.hashes.extend_from_slice(hashes);
        self.last_page = now;
    }
}

pub(super) fn hashes_bytes(publication: &Publication) -> usize {
    publication.count.get() as usize * HASH_BYTES
}

/// About the memory of a publication without its hashes, in bytes. Its name is stored up to seven times, each URL twice, and
/// its signature once.
pub(super) fn text_bytes(publication: &Publication) -> usize {
    let url_bytes = |url: &TrackerUrl| 64 + 2 * url.as_str().len();
    let urls_bytes: usize = publication.trackers.iter().map(url_bytes).sum();
    let signature_bytes = publication.signature.as_ref().map_or(0, |signature| signature.as_str().len());
    896 + 7 * publication.name.as_str().len() + urls_bytes + signature_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;
    use shared::id::{ListDigest, ResourceId, SwarmKey};

    /// The room of a publication with such a name and trackers.
    fn room(name_bytes: usize, tracker_bytes: &[usize]) -> usize {
        let tracker = |bytes: &usize| format!("tt://{}", "t".repeat(bytes - "tt://".len())).parse().unwrap();
        text_bytes(&Publication {
            name: "n".repeat(name_bytes).parse().unwrap(),
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) },
            count: ChunkCount::new(1).unwrap(),
            trackers: tracker_bytes.iter().map(tracker).collect(),
            shared_at_ms: 0,
            bytes: None,
            signature: None,
        })
    }

    #[test]
    fn no_publication_is_free_and_its_text_counts_as_often_as_it_is_stored() {
        assert!(room(1, &[]) > 512);
        assert_eq!(room(200, &[]) - room(1, &[]), 7 * 199);
        assert_eq!(room(9, &[60]) - room(9, &[20]), 2 * 40);
        let one = room(9, &[20]) - room(9, &[]);
        assert!(one > 2 * 20, "an address takes more room than its text");
        assert_eq!(room(9, &[20, 20, 20]) - room(9, &[]), 3 * one);
    }
}
