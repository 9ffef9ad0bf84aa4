//! What tells one from another.

/// The number of a link. What a former link with the same peer had to say is not taken for news of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkId(pub u64);
