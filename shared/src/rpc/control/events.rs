//! The events of this machine, for readers that follow them.

use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Its number: each is one more than the one before, from 1 at the start of the daemon.
    pub number: u64,
    /// When it was noticed, in milliseconds since 1970.
    pub at_ms: u64,
    pub event: Happening,
}

/// The event itself, and what it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// It concerns a file of this machine.
    File { name: ResourceName, resource: ResourceId, what: FileEvent },
    /// It concerns a tracker that the daemon talks to.
    Tracker { tracker: TrackerUrl, what: TrackerEvent },
}

/// What happened to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileEvent {
    /// It is shared from this machine.
    Shared,
    /// A download was accepted.
    Accepted,
    /// A download is complete: the file is verified and has its name.
    Complete {
        /// Its size in bytes.
        bytes: u64,
        /// Bytes that came from peers in this run of the daemon; the rest was here already.
        received: u64,
        /// Milliseconds from the beginning of the download in this run to its last chunk; 0 if nothing came.
        took_ms: u64,
        /// How many peers sent a chunk of it in this run.
        sources: u32,
        /// Bytes of chunks that were on this machine already, in other files or at other positions.
        reused: u64,
        /// How many chunks these are.
        chunks_reused: u32,
    },
    /// A download has waited for some seconds.
    Waiting { reason: String },
    /// A download has made no progress for `stall_warning`.
    Stalled { reason: String, still_s: u64 },
    /// It continues after it waited, stalled, was paused or failed.
    Resumed,
    /// Somebody paused it.
    Paused,
    /// It was removed, or its name was given to other content.
    Removed,
    /// The data on the disk does not match its manifest.
    Damaged { reason: String },
    /// It cannot continue until somebody intervenes.
    Failed { reason: String },
    /// Its name means a newer version on a tracker. This one is still served.
    Outdated { reason: String },
}

/// What happened to a tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackerEvent {
    /// It does not answer, or refuses.
    Lost { reason: String },
    /// It can be used again.
    Back,
}

/// The answer to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// The number of the newest event, for `after` in the next call; 0 before the first event.
    pub newest: u64,
    /// The number of requested events that are no longer kept.
    pub missed: u64,
    /// The events, in order.
    pub events: Vec<Happened>,
}
