//! What trackers answer about a resource.

use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::tracker::Namesake;
use shared::signature::SignatureText;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;

/// A tracker's answer to the announce of one of our resources.
#[derive(Debug)]
pub struct Found {
    /// The resource's swarm.
    pub key: SwarmKey,
    /// The addresses at which its peers listen. A seeder receives only leechers that found no seeder.
    pub peers: Vec<PeerAddr>,
    /// Whether we announced ourselves as a seeder.
    pub seeds: bool,
    /// Whether the tracker knows the same resource with another list of chunks.
    pub conflict: bool,
    /// The newer versions of the names that the resource has here: what such a name means at this tracker, if that is
    /// another resource.
    pub newer: Vec<Namesake>,
    /// The size in bytes that the tracker told: a stranger's claim.
    pub bytes: Option<u64>,
    /// When the resource was shared, by our clock, if the tracker knows and we did not.
    pub shared_at_ms: Option<u64>,
    /// The tracker that answered.
    pub tracker: TrackerUrl,
}

/// An entry of a tracker's catalogue for a name or an id.
#[derive(Debug)]
pub struct Hit {
    /// The manifest.
    pub manifest: Manifest,
    /// Its signature, as the catalogue has it.
    pub signature: Option<SignatureText>,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// The tracker whose catalogue it is.
    pub tracker: TrackerUrl,
}
