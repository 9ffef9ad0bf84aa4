//! The words for people: why something waits, what is wrong, how a publication stands. The state keeps values; this
//! file makes the words for the status and the log.

use crate::library::{CheckStep, Checking, Resource, Standing, Why};
use crate::store::NoRoom;
use crate::throttle::Bucket;
use crate::tracker::{Trouble, seconds};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::host::config::RateLimit;
use shared::id::ResourceId;
use shared::rpc::tracker::Namesake;
use shared::swarm::Waiting;
use shared::url::TrackerUrl;
use std::time::Duration;

/// A rate limit is named as the reason if a chunk takes longer than this under it.
const SLOW_CHUNK: Duration = Duration::from_secs(60);

/// Several reasons as one text.
pub(super) fn joined(reasons: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

pub(super) fn unusable(url: &TrackerUrl, (lasting, trouble): &(Duration, Trouble)) -> String {
    format!("tracker {url} {}", trouble.lasting(*lasting))
}

pub(super) fn conflict(resource: &Resource) -> Option<String> {
    let tracker = resource.conflicts.first()?;
    Some(format!(
        "{tracker} knows the same resource with another list of chunks: one of the two manifests is false"
    ))
}

/// What the check of a resource is doing. `before` is the number of checks before it.
pub(super) fn checking_reason(checking: &Checking, before: Option<u32>) -> String {
    match checking.step {
        CheckStep::Waits => match before.unwrap_or(0) {
            0 => "waits for its turn to be checked, as the next one".to_owned(),
            before => format!("waits for its turn to be checked, {before} before it"),
        },
        CheckStep::Hashes => format!("checking {} %", checking.check.percent()),
        CheckStep::Looks => "its files are being looked at".to_owned(),
        CheckStep::Copies => {
            format!("taking what fits of the file that lies there, {} %", checking.check.percent())
        }
    }
}

/// Names a limit that is so low that the download looks stuck.
pub(super) fn limit(direction: &str, bucket: &Bucket) -> Option<String> {
    let is_slow = |rate: u64| rate.saturating_mul(SLOW_CHUNK.as_secs()) < u64::from(CHUNK_BYTES);
    match bucket.limit() {
        RateLimit::Pause => Some(format!(
            "the {direction} limit is 0: nothing moves; `ttctl limit --{direction} none` lifts it"
        )),
        limit @ RateLimit::AtMost(rate) if is_slow(rate.bytes_per_s()) => {
            Some(format!("the {direction} limit is {limit}"))
        }
        _ => None,
    }
}

pub(super) fn reason(waiting: &Waiting) -> String {
    let list = |chunks: &[ChunkIndex], total: u32| {
        let shown: Vec<String> = chunks.iter().take(5).map(ToString::to_string).collect();
        let rest = total as usize - shown.len().min(total as usize);
        match (&shown[..], rest) {
            ([one], 0) => format!("chunk {one}"),
            ([first @ .., last], 0) => format!("chunks {} and {last}", first.join(", ")),
            _ => format!("chunks {} and {rest} more", shown.join(", ")),
        }
    };
    match waiting {
        Waiting::NoPeers { known: 0 } => "no peer is known".to_owned(),
        Waiting::NoPeers { known: 1 } => "the only known peer cannot be reached".to_owned(),
        Waiting::NoPeers { known } => format!("none of {known} known peers can be reached"),
        Waiting::Connecting { peers: 1 } => "connecting to 1 peer".to_owned(),
        Waiting::Connecting { peers } => format!("connecting to {peers} peers"),
        Waiting::Dropped { peers } => {
            let shown = peers.iter().take(3).map(|(peer, why)| format!("{peer} ({why})"));
            let shown = shown.collect::<Vec<_>>().join(", ");
            let rest = peers.len().saturating_sub(3);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("all known peers misbehaved and are left alone for a while: {shown}{more}")
        }
        Waiting::NoSource { chunks, total } => format!("no peer has {}", list(chunks, *total)),
        Waiting::OnlyCorrupt { chunks, peers } => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            let total = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
            format!(
                "{} came corrupt from the only peers that have it: {}",
                list(chunks, total),
                peers.join(", ")
            )
        }
        Waiting::Zone => "other machines of this zone fetch what is missing".to_owned(),
        Waiting::Busy { peers: 1 } => "the only peer is busy".to_owned(),
        Waiting::Busy { peers } => format!("{peers} peers, all busy"),
        Waiting::Silent { peers: 1 } => "the only peer that could help is silent".to_owned(),
        Waiting::Silent { peers } => format!("{peers} peers, all silent"),
        Waiting::Disk { chunks } => format!("the disk is slow: {chunks} chunks wait to be written"),
        Waiting::Turn => "other downloads go first: as many requests are open as there may be".to_owned(),
    }
}

/// The standing of a resource at a tracker; `since` is how long it has been known.
pub(super) fn told(tracker: &TrackerUrl, standing: &Standing, since: Duration) -> String {
    match standing {
        Standing::Good => format!("{tracker} publishes it"),
        Standing::Overtaken(other) => format!(
            "{} means other content on {tracker} by now ({}); `ttctl share --replace` takes the name back",
            other.name,
            described(other, since)
        ),
        Standing::Taken(other) => format!(
            "{} is published on {tracker} with other content ({}); `ttctl share --replace` takes the name",
            other.name,
            described(other, since)
        ),
        Standing::Refused(why) => format!("{tracker} does not publish it: {why}"),
    }
}

/// "4c47b3e8…, by 10.0.0.1:7987, 12 min ago"
pub(super) fn described(other: &Namesake, since: Duration) -> String {
    let ago = other.shared_ago_ms.map(|ago_ms| Duration::from_millis(ago_ms).saturating_add(since));
    let ago = ago.map_or_else(|| "at an unknown time".to_owned(), |ago| format!("{} ago", seconds(ago)));
    format!("{}, by {}, {ago}", short(other.resource), other.by)
}

fn short(resource: ResourceId) -> String {
    format!("{}…", &resource.to_string()[..8])
}

/// Why something does not continue, and what helps.
pub(super) fn words_of(why: &Why) -> String {
    match why {
        Why::NoRoom(no_room) => no_room_words(no_room),
        Why::Disk(error) if error.is_no_space() => format!("no space: {error}"),
        Why::Disk(error) => error.to_string(),
        Why::NotHere(not_here) => not_here.to_string(),
        Why::Silent { folder, span } => format!(
            "{} has not answered for {} s; is its disk well, or the server that it is on?",
            folder.display(),
            span.as_secs()
        ),
        Why::NameTaken(name) => format!(
            "{name} is in the shared directory already, with other content; \
             move it away and resume, or get this one with --replace"
        ),
        Why::Obstructed { path, what } => {
            format!("{} is {what}: move it away, and the file appears", path.display())
        }
        Why::FalseManifest => {
            "its chunks are as its manifest says, and yet the whole is not: the manifest is false".to_owned()
        }
        Why::OriginalDiffers { name, chunks, .. } => format!(
            "{name} has changed since it was shared here ({}); share it again to share what it is now",
            how_it_differs(*chunks)
        ),
        Why::CopyDiffers { name, chunks } => format!(
            "{name} is damaged or was changed ({}); `ttctl get --replace {name}` mends it, \
             or share it to share what it is now",
            how_it_differs(*chunks)
        ),
        Why::Changed(name) => {
            format!("{name} has changed since it was shared, or is gone; share it again, or get it")
        }
        Why::Gone(name) => format!("{name} is gone from the shared directory"),
        Why::FileUnreadable { name, error } => format!("{name} cannot be read: {error}"),
        Why::PartUnreadable(error) => error.to_string(),
        Why::ChunkUnreadable(index) => {
            format!("the disk cannot read chunk {index}, not even after it was written anew")
        }
        Why::ChunkDamaged(index) => {
            format!("chunk {index} is damaged on disk; remove the file and get it again")
        }
    }
}

/// What a check found; `chunks` is the number of chunks that differ.
fn how_it_differs(chunks: u32) -> String {
    match chunks {
        0 => "it has grown".to_owned(),
        1 => "1 chunk differs".to_owned(),
        chunks => format!("{chunks} chunks differ"),
    }
}

/// Why there is no room for something.
pub(super) fn no_room_words(no_room: &NoRoom) -> String {
    match no_room {
        NoRoom::Short { needed, free, kept, promised } => no_space(*needed, *free, *kept, *promised),
        NoRoom::Unknown(Some(error)) => error.to_string(),
        NoRoom::Unknown(None) => "the free space is not known yet".to_owned(),
    }
}

fn no_space(needed: u64, free: u64, kept: u64, promised: u64) -> String {
    let mut reason = format!("no space: {} needed, {} free", size(needed), size(free));
    let mut of_that = Vec::new();
    if kept > 0 {
        of_that.push(format!("min_free_space keeps {}", size(kept)));
    }
    if promised > 0 {
        of_that.push(format!("{} are promised to others", size(promised)));
    }
    if !of_that.is_empty() {
        reason = format!("{reason}, of which {}", of_that.join(" and "));
    }
    reason
}

/// A number of bytes as text: "40 MiB", "1.5 GiB".
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    // One decimal where it says something: "1.5", but neither "8.0" nor "10.0".
    let tenths = (number * 10.0).round();
    match tenths < 100.0 && tenths % 10.0 != 0.0 {
        true => format!("{number:.1} {}", UNITS[unit]),
        false => format!("{number:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use shared::rpc::control::ErrorKind;
    use std::io;

    #[test]
    fn whatever_stands_in_the_way_has_its_words_and_its_kind() {
        let name = || "x".parse().unwrap();
        let disk = |error| StoreError {
            doing: "write",
            path: "/srv/x".into(),
            source: io::Error::from_raw_os_error(error),
        };
        let silent = Why::Silent { folder: "/srv".into(), span: Duration::from_secs(31) };
        let original = |is_damaged| Why::OriginalDiffers { name: name(), chunks: 1, is_damaged };
        let cases: [(Why, ErrorKind, &str); 10] = [
            (disk(28).into(), ErrorKind::NoSpace, "no space: cannot write /srv/x: No space left on device"),
            (disk(5).into(), ErrorKind::Internal, "cannot write /srv/x: Input/output error"),
            (NoRoom::Unknown(None).into(), ErrorKind::NoSpace, "the free space is not known yet"),
            (silent, ErrorKind::Refused, "/srv has not answered for 31 s; is its disk well"),
            (
                Why::NameTaken(name()),
                ErrorKind::Refused,
                "x is in the shared directory already, with other content;",
            ),
            (
                Why::Obstructed { path: "/srv/x".into(), what: "a directory" },
                ErrorKind::Internal,
                "/srv/x is a directory: move it away, and the file appears",
            ),
            (
                original(false),
                ErrorKind::Refused,
                "x has changed since it was shared here (1 chunk differs);",
            ),
            (original(true), ErrorKind::BadData, "x has changed since it was shared here (1 chunk differs);"),
            (
                Why::CopyDiffers { name: name(), chunks: 0 },
                ErrorKind::BadData,
                "x is damaged or was changed (it has grown); `ttctl get --replace x` mends it, or share it",
            ),
            (Why::FalseManifest, ErrorKind::BadData, "its chunks are as its manifest says, and yet"),
        ];
        for (why, kind, words) in cases {
            assert!(words_of(&why).starts_with(words), "{}", words_of(&why));
            assert_eq!(why.kind(), kind, "{words}");
            assert_eq!(why.is_for_room(), kind == ErrorKind::NoSpace, "{words}");
        }
    }

    #[test]
    fn sizes_are_for_a_person() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 10, "1 KiB"),
            (64 << 20, "64 MiB"),
            (3 << 19, "1.5 MiB"),
            ((8 << 20) - 1, "8 MiB"),
            ((10 << 20) - 1, "10 MiB"),
            (5 << 40, "5 TiB"),
        ];
        cases.iter().for_each(|(bytes, text)| assert_eq!(size(*bytes), *text));
    }

    #[test]
    fn what_is_missing_is_told_in_one_sentence() {
        let mib = |number: u64| number << 20;
        assert_eq!(no_space(mib(40), mib(12), 0, 0), "no space: 40 MiB needed, 12 MiB free");
        assert_eq!(
            no_space(mib(62), mib(60), mib(64), mib(4)),
            "no space: 62 MiB needed, 60 MiB free, of which min_free_space keeps 64 MiB and 4 MiB are promised to others"
        );
    }
}
