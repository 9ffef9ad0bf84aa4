//! The limits of bandwidth.

use serde::{Deserialize, Serialize};

/// How fast bytes may move in one direction, over all peers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// As fast as they can.
    None,
    /// At most this number of bytes per second; 0 is a pause.
    BytesPerS(u64),
}

/// Which limits are to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitChange {
    pub download: Option<Limit>,
    pub upload: Option<Limit>,
}

/// The limits that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub download: Limit,
    pub upload: Limit,
}
