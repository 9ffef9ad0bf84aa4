//! The core's settings: every number of the strategy that is not derived from what is measured.

use std::time::Duration;

/// The strategy's constants. The defaults are those of docs/strategy.md.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmConfig {
    /// How many chunks are uploaded at once to those who ask for what we seed.
    pub seeder_slots: u32,
    /// How many chunks are uploaded at once to those who ask for what we are still fetching.
    pub leecher_slots: u32,
    /// How many requests a swarm keeps open while the downlink is well used.
    pub depth_min: u32,
    /// How many requests a swarm keeps open while the downlink has room.
    pub depth_max: u32,
    /// Other machines are far when an answer takes more than this share of a chunk time.
    pub far_share: f64,
    /// While other machines are far: how many chunks are uploaded at once, and how many requests a swarm keeps open, at
    /// least. It keeps twice as many open while the downlink has room.
    pub far_slots: u32,
    /// The same at a leecher that knows fewer than `far_many` members of the swarm.
    pub far_slots_few: u32,
    /// From how many members of the swarm on a leecher goes by `far_slots`.
    pub far_many: usize,
    /// The downlink has room below this share of its measured maximum.
    pub downlink_used: f64,
    /// How many chunks may be in verification before no further one is asked for. What was asked for before may still
    /// arrive: when the disk stands still, this many and `requests_max` chunks are in memory at most.
    pub verifying_max: u32,
    /// Requests (picks, too) that are open, all swarms together: bounds memory when many resources are fetched
    /// at once.
    pub requests_max: u32,
    /// Links of one swarm that we dial.
    pub neighbours_max: u32,
    /// Addresses of one swarm that are remembered.
    pub candidates_max: u32,
    /// Uploads that take much longer than usual and keep no slot from others.
    pub overdue_max: u32,
    /// Picks that wait for a slot here, all swarms together.
    pub pick_queue_max: u32,
    /// How long a pick may wait here before it is answered with [`NotHere`](super::RequestRefusal::NotHere).
    pub pick_wait_max: Duration,
    /// How long a slot is kept for a granted chunk that is not asked for.
    pub grant_wait_max: Duration,
    /// The least time without a byte after which a peer is passed over (10 chunk times if that is longer).
    pub stall_min: Duration,
    /// Corrupt chunks from one peer after which it is dropped.
    pub corrupt_max: u32,
    /// How often in a row a peer may not have what it claimed before it is dropped.
    pub empty_max: u32,
    /// A link that could not be made, or broke, is tried again after this time, doubled each time …
    pub redial_min: Duration,
    /// … up to this.
    pub redial_max: Duration,
    /// How often the tracker may be asked for more peers beyond the regular announces.
    pub find_peers_every: Duration,
}

impl Default for SwarmConfig {
    fn default() -> SwarmConfig {
        SwarmConfig {
            seeder_slots: 6,
            leecher_slots: 4,
            depth_min: 4,
            depth_max: 8,
            far_share: 0.12,
            far_slots: 8,
            far_slots_few: 5,
            far_many: 12,
            downlink_used: 0.75,
            verifying_max: 8,
            requests_max: 128,
            neighbours_max: 40,
            candidates_max: 200,
            overdue_max: 8,
            pick_queue_max: 1024,
            pick_wait_max: Duration::from_secs(10),
            grant_wait_max: Duration::from_secs(2),
            stall_min: Duration::from_millis(300),
            corrupt_max: 3,
            empty_max: 8,
            redial_min: Duration::from_secs(1),
            redial_max: Duration::from_secs(15),
            find_peers_every: Duration::from_secs(2),
        }
    }
}
