//! What happened on this machine, for those who follow it.

use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Its number: each is one more than the one before, from 1 at the start of the daemon.
    pub number: u64,
    /// When it was noticed, in milliseconds since 1970.
    pub at_ms: u64,
    pub event: Happening,
}

/// What it was, and to what it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// To a file of this machine.
    File { name: ResourceName, resource: ResourceId, what: FileEvent },
    /// To a tracker that the daemon talks to.
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
        /// Bytes that came from peers since the daemon started; the rest was here already.
        received: u64,
        /// Milliseconds since the download was accepted, or since the daemon started if that was later.
        took_ms: u64,
        /// How many peers sent a chunk of it.
        sources: u32,
    },
    /// A download has waited for some seconds.
    Waiting { reason: String },
    /// A download has made no progress for `stall_warning`.
    Stalled { reason: String, still_s: u64 },
    /// It goes on after it waited, stalled, was paused or failed.
    Resumed,
    /// Somebody paused it.
    Paused,
    /// It was removed, or its name was given to other content.
    Removed,
    /// What is on the disk is not what it should be.
    Damaged { reason: String },
    /// It cannot go on without help.
    Failed { reason: String },
    /// Its name means a newer version on a tracker. This one is still served.
    Outdated { reason: String },
}

/// What happened to a tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackerEvent {
    /// It is of no use.
    Lost { reason: String },
    /// It is of use again.
    Back,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// The number of the newest event, to be handed in as `after` next time; 0 before the first one.
    pub newest: u64,
    /// How many of the events that were asked for are kept no more.
    pub missed: u64,
    /// Those that are kept, in order.
    pub events: Vec<Happened>,
}
