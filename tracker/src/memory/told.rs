//! Checks whether what peers report can be true.

use shared::chunk::ChunkCount;
use shared::rpc::tracker::{ANNOUNCE_NAMES_MAX, Announce, Stage};

/// The message when a size is refused.
pub(super) const BAD_SIZE: &str = "the size in bytes does not match the number of chunks";

/// Whether a reported size is possible for a resource of this many chunks.
pub(super) fn fits(bytes: Option<u64>, count: ChunkCount) -> bool {
    bytes.is_none_or(|bytes| ChunkCount::of_bytes(bytes) == Some(count))
}

/// What is impossible in an entry; `None` if nothing is.
pub(super) fn nonsense(entry: &Announce) -> Option<String> {
    let has_what_it_says = match entry.stage {
        Stage::Leeching => entry.have <= entry.count.get(),
        Stage::Seeding => entry.have == entry.count.get(),
    };
    if !has_what_it_says {
        return Some("the number of chunks does not match the stage".to_owned());
    }
    if entry.names.len() > ANNOUNCE_NAMES_MAX {
        return Some(format!("more than {ANNOUNCE_NAMES_MAX} names of one resource"));
    }
    if !fits(entry.bytes, entry.count) {
        return Some(BAD_SIZE.to_owned());
    }
    (entry.bytes.is_some() && entry.stage == Stage::Leeching)
        .then(|| "a leecher cannot know the size in bytes".to_owned())
}
