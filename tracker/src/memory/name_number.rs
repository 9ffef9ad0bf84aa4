//! Numbers that stand for names.

/// Stands for a name while something is published under it. Members of swarms remember under which names they have a
/// resource, and a number takes less memory than a name. A name that is published again after it was gone has another
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameNumber(pub(super) u64);
