//! What trackers tell the driver of a resource.

use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::tracker::Namesake;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;

/// What a tracker answered for one of our resources.
#[derive(Debug)]
pub struct Found {
    /// Which swarm.
    pub key: SwarmKey,
    /// Its peers, where they listen; to a seeder, leechers that found nobody.
    pub peers: Vec<PeerAddr>,
    /// Whether it was asked as a seeder.
    pub seeds: bool,
    /// The tracker knows the same resource with another list of chunks.
    pub conflict: bool,
    /// We shared it, and a name of it means this other content there.
    pub overtaken: Option<Namesake>,
    /// When the resource was shared, by our clock, if the tracker knows and we do not.
    pub shared_at_ms: Option<u64>,
    /// Which tracker.
    pub tracker: TrackerUrl,
}

/// What a catalogue has under a name or an id.
#[derive(Debug)]
pub struct Hit {
    /// The manifest.
    pub manifest: Manifest,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Which tracker's catalogue it was.
    pub tracker: TrackerUrl,
}
