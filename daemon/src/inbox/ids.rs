//! Numbers that tell objects of one kind apart.

/// The number of a link. It keeps the driver from mistaking a message of a former link with a peer for one of the
/// present link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkId(pub u64);
