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

/// About the memory of a publication without its hashes, in bytes. Its name is stored up to four times, each URL twice.
pub(super) fn text_bytes(publication: &Publication) -> usize {
    let url_bytes = |url: &TrackerUrl| 64 + 2 * url.as_str().len();
    let urls_bytes: usize = publication.trackers.iter().map(url_bytes).sum();
    768 + 4 * publication.name.as_str().len() + urls_bytes
}
