//! The core's settings: every number of the strategy that is not measured.

use std::time::Duration;

/// The constants of the strategy. The reasons for the defaults are in docs/strategy.md.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmConfig {
    /// Upload slots of a seeder: the chunks that it uploads at once. When all slots are taken, a `pick` waits in the
    /// queue and a request for a chunk is refused.
    pub seeder_slots: u32,
    /// Upload slots of a leecher: the chunks that it uploads at once. When all slots are taken, further requests are
    /// refused.
    pub leecher_slots: u32,
    /// Open requests per swarm while the downlink is well used.
    pub depth_min: u32,
    /// Open requests per swarm while the downlink has room.
    pub depth_max: u32,
    /// Other machines count as far when an answer takes more than this share of the time that a chunk takes.
    pub far_share: f64,
    /// Upload slots and minimum number of open requests per swarm while other machines are far. Twice as many requests
    /// are open while the downlink has room.
    pub far_slots: u32,
    /// Replaces `far_slots` at a leecher that knows fewer than `far_many` members of the swarm.
    pub far_slots_few: u32,
    /// A leecher that knows at least this many members of the swarm uses `far_slots`.
    pub far_many: usize,
    /// The downlink has room while it receives less than this share of its measured peak.
    pub downlink_used: f64,
    /// Limits the chunks that are being verified and written. At this number no further chunk is requested. Chunks
    /// requested before may still arrive, so at most `verifying_max + requests_max` chunks are in memory when the disk
    /// stands still.
    pub verifying_max: u32,
    /// Limits the open requests of all swarms together, including picks. It bounds memory when many resources are
    /// fetched at once; swarms beyond it wait their turn.
    pub requests_max: u32,
    /// Limits the links that we dial per swarm.
    pub neighbours_max: u32,
    /// Limits the addresses remembered per swarm. A new address replaces one that failed, or is ignored.
    pub candidates_max: u32,
    /// Limits the uploads that take much longer than usual and no longer occupy an upload slot.
    pub overdue_max: u32,
    /// Limits the picks that wait for an upload slot, in all swarms together. Further picks are refused as busy.
    pub pick_queue_max: u32,
    /// How long a pick may wait for an upload slot before it is refused with
    /// [`NotHere`](super::RequestRefusal::NotHere).
    pub pick_wait_max: Duration,
    /// The longest time that an upload slot stays reserved for a granted chunk that is not requested.
    pub grant_wait_max: Duration,
    /// A peer has stalled after this time without a byte, or after ten chunk times if that is longer.
    pub stall_min: Duration,
    /// A peer is dropped after this many corrupt chunks.
    pub corrupt_max: u32,
    /// A peer is dropped after this many requests in a row for chunks that it claimed and did not have.
    pub empty_max: u32,
    /// The first pause before a failed or broken link is dialed again. It doubles with each failure.
    pub redial_min: Duration,
    /// The longest such pause for a peer that has answered before.
    pub redial_max: Duration,
    /// The least time between two requests to the tracker for more peers, beside the regular announces.
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
