//! Questions to trackers that ttctl asks through its daemon. Each answer says which tracker gave it. A long answer
//! comes in pages, one frame each; a page says where the next one begins.

use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// A tracker's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerAnswer<T> {
    /// The tracker. Ask the same one for the next page.
    pub tracker: TrackerUrl,
    /// Its answer.
    pub answer: T,
}

/// A part of a long answer: entries in strictly ascending order, all of them after the requested place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T, P> {
    /// The entries. Their number is limited by the page size of the tracker's own service.
    pub entries: Vec<T>,
    /// The place after which the next page begins; `None` after the last page.
    pub next: Option<P>,
}

/// The daemon's findings about a tracker that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerExamined {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Its software version as shown to users. The text is chosen by a stranger; it has at most [`SOFTWARE_CHARS_MAX`]
    /// characters.
    pub software: String,
    /// Whether it answered at an address of the daemon's own machine that no other machine can use.
    pub is_local: bool,
    /// The duration of a call in microseconds.
    pub round_trip_us: u64,
    /// The tracker's time of day, in milliseconds since 1970.
    pub clock_ms: u64,
    /// The daemon's time of day before it asked for the tracker's time.
    pub asked_ms: u64,
    /// The daemon's time of day after the answer.
    pub answered_ms: u64,
    /// How many machines are connected to it as the daemon's node: more than one are copies of one machine. 0 without a
    /// certificate.
    pub of_our_node: u32,
}

/// Limits the characters of a tracker's software version, which is shown on a line. The rest is cut off.
pub const SOFTWARE_CHARS_MAX: usize = 64;
