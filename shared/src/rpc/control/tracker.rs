//! What ttctl asks of trackers by way of its daemon. Each answer says which tracker gave it. A long answer comes in pages,
//! each in a frame of its own; a page says where the next one begins.

use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// What a tracker answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerAnswer<T> {
    /// Which tracker. To get the next page, ask the same one.
    pub tracker: TrackerUrl,
    /// Its answer.
    pub answer: T,
}

/// A part of a long answer: entries in strict order of their places, all of them after the place that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T, P> {
    /// The entries; as many as the tracker's own service puts on a page at most.
    pub entries: Vec<T>,
    /// The place after which the next page begins; `None` after the last page.
    pub next: Option<P>,
}

/// What the daemon found out about a tracker that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerExamined {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Its software version, for people: at most [`SOFTWARE_CHARS_MAX`] characters of the stranger's choice.
    pub software: String,
    /// It answered at an address of the daemon's own machine that no other machine can use.
    pub is_local: bool,
    /// How long a call took, in microseconds.
    pub round_trip_us: u64,
    /// The tracker's time of day, in milliseconds since 1970.
    pub clock_ms: u64,
    /// The daemon's time of day before it asked for the tracker's.
    pub asked_ms: u64,
    /// The daemon's time of day after the answer.
    pub answered_ms: u64,
}

/// The most characters of a tracker's software version that are handed on.
pub const SOFTWARE_CHARS_MAX: usize = 64;
