//! The limits of the tracker's memory.

use std::time::Duration;

/// The limits of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Entries of all peers. An entry says that a peer takes part in a swarm. Beyond the limit, entries of others make
    /// way or the announce is refused.
    pub entries_max: usize,
    /// Entries of one peer. Beyond the limit its announce is refused.
    pub entries_per_peer_max: usize,
    /// Peers at one address and port, which several machines behind a NAT may share. Beyond the limit a new peer is
    /// refused.
    pub peers_per_address_max: usize,
    /// Lists of chunk hashes of one resource. More than one means that some are false. Beyond the limit one of them
    /// makes way, or the new one is refused.
    pub digests_max: usize,
    /// Bytes of manifests, including those that are being uploaded. Beyond the limit abandoned manifests make way, or
    /// the new one is refused.
    pub catalogue_bytes_max: usize,
    /// Publications of all names. Beyond the limit abandoned ones make way, or the new one is refused.
    pub publications_max: usize,
    /// Publications under one name. Beyond the limit one of them makes way.
    pub publications_per_name_max: usize,
    /// Names of one manifest. Beyond the limit one of them makes way, or the new one is refused.
    pub names_per_manifest_max: usize,
    /// Manifests that are being uploaded, one per connection. Beyond the limit further ones are refused.
    pub uploads_max: usize,
    /// The longest pause between two pages of an upload. After that it is dropped.
    pub upload_timeout: Duration,
    /// How long a publication is kept after its swarm has lost the last peer.
    pub publication_ttl: Duration,
}

impl Default for RegistryLimits {
    fn default() -> RegistryLimits {
        RegistryLimits {
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
