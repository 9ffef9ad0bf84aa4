//! What the tracker's memory may hold.

use std::time::Duration;

/// What the registry may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries "this peer takes part in this swarm", in total.
    pub entries_max: usize,
    /// Entries of one peer.
    pub entries_per_peer_max: usize,
    /// Peers that are told apart at one address and port: those behind a NAT may have the same.
    pub peers_per_address_max: usize,
    /// Lists of chunk hashes that are told apart for one resource: more than one means that some are false.
    pub digests_max: usize,
    /// Bytes of manifests, those that are still arriving included.
    pub catalogue_bytes_max: usize,
    /// Publications, in total.
    pub publications_max: usize,
    /// Publications under one name, of which the newest is found by it.
    pub publications_per_name_max: usize,
    /// Names under which one manifest is published.
    pub names_per_manifest_max: usize,
    /// Manifests that are arriving, one per connection.
    pub uploads_max: usize,
    /// How long a manifest that is arriving may pause between two pages.
    pub upload_timeout: Duration,
    /// How long a publication is kept after the last peer of its swarm is gone.
    pub publication_ttl: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries_max: 1_000_000,
            entries_per_peer_max: 100_000,
            peers_per_address_max: 1024,
            digests_max: 16,
            catalogue_bytes_max: 256 << 20,
            publications_max: 100_000,
            publications_per_name_max: 1024,
            names_per_manifest_max: 1024,
            uploads_max: 256,
            upload_timeout: Duration::from_secs(30),
            publication_ttl: Duration::from_secs(3600),
        }
    }
}
