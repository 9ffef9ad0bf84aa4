//! Limits the entries of an announce by their size, because names may be long and a head is limited.

use shared::rpc::tracker::Announce;

/// The most bytes of the entries of one announce; further ones go in the next call. A tracker accepts a head of 256
/// KiB, and 1,024 entries with names of usual length stay below this.
const ENTRIES_BYTES_MAX: usize = 200 << 10;

/// An upper bound of the bytes of an entry without its names: 64 for the key, and the numbers.
const ENTRY_BYTES: usize = 96;

/// The first of these entries that fit into one call, at least one.
pub(super) fn fitting(mut entries: Vec<Announce>) -> Vec<Announce> {
    let mut bytes = 0;
    let fits = |entry: &&Announce| {
        let names: usize = entry.names.iter().map(|name| 2 + name.as_str().len()).sum();
        bytes += ENTRY_BYTES + names;
        bytes <= ENTRIES_BYTES_MAX
    };
    let fit = entries.iter().take_while(fits).count();
    entries.truncate(fit.max(1));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::{CHUNKS_MAX, ChunkCount};
    use shared::id::{ListDigest, ResourceId, SwarmKey};
    use shared::name::NAME_BYTES_MAX;
    use shared::rpc::Message;
    use shared::rpc::tracker::{ANNOUNCE_MAX, ANNOUNCE_NAMES_MAX, Stage, TrackerRequest};

    #[test]
    fn entries_with_the_longest_names_go_in_several_calls() {
        let key = SwarmKey { resource: ResourceId([255; 32]), digest: ListDigest([255; 32]) };
        let names = vec!["n".repeat(NAME_BYTES_MAX).parse().unwrap(); ANNOUNCE_NAMES_MAX];
        let (count, stage) = (ChunkCount::new(CHUNKS_MAX).unwrap(), Stage::Seeding);
        let long =
            Announce { key, stage, have: u32::MAX, count, peers_wanted: 255, names, bytes: Some(u64::MAX) };
        let usual = Announce { names: vec!["lab-2026-debian-bookworm.img".parse().unwrap()], ..long.clone() };
        assert_eq!(fitting(vec![usual.clone(); ANNOUNCE_MAX]).len(), ANNOUNCE_MAX);
        let few = fitting(vec![long; ANNOUNCE_MAX]);
        assert!(few.len() > 1 && few.len() < ANNOUNCE_MAX, "{}", few.len());
        for entries in [few, fitting(vec![usual; ANNOUNCE_MAX])] {
            let head = postcard::to_stdvec(&TrackerRequest::Announce { entries }).unwrap().len();
            assert!(head + 64 <= TrackerRequest::HEAD_BYTES_MAX, "{head} bytes");
        }
    }
}
