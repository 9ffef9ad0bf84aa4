//! The bandwidth limits.

use serde::{Deserialize, Serialize};

/// The bandwidth limit of one direction, for all peers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// No limit.
    None,
    /// At most this many bytes per second; 0 pauses all transfers in this direction.
    BytesPerS(u64),
}

/// The limits to change; `None` keeps the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitChange {
    pub download: Option<Limit>,
    pub upload: Option<Limit>,
}

/// The current limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub download: Limit,
    pub upload: Limit,
}
