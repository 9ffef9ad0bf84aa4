//! How many entries go into one announce: names may be long, and a head has its limit.

use shared::rpc::tracker::Announce;

/// How many bytes the entries of one announce may have. What is beyond goes with the next call. A tracker takes a head
/// of 256 KiB, and 1,024 entries with names of usual length stay below this.
const ENTRIES_BYTES_MAX: usize = 200 << 10;

/// How many bytes an entry has at most without its names: 64 are the key, the rest are numbers.
const ENTRY_BYTES: usize = 96;

/// As many of these entries as go into one call, from the first one on; one at least.
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
