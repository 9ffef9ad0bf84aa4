//! The words for people: why something waits, what is wrong, how a publication stands. The state keeps values; this
//! file makes the words for the status and the log.

use crate::library::{
    CheckStep, Checking, Fetching, FoundHere, Kind, Resource, Reuse, Reusing, Standing, Why,
};
use crate::limits;
use crate::store::{NoRoom, Record};
use crate::throttle::Bucket;
use crate::tracker::{Trouble, seconds};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::date::AHEAD_MS_MAX;
use shared::host::clock::now_ms;
use shared::host::config::RateLimit;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::plain::reused_from;
use shared::plain::{io_error, size, size_rounded};
use shared::rpc::tracker::Namesake;
use shared::shell;
use shared::swarm::Waiting;
use shared::url::TrackerUrl;
use std::path::Path;
use std::time::Duration;

/// What to do about a disk that damages or loses data.
const CHECK_DISK: &str = "check the disk (`dmesg`, `smartctl`)";

/// A rate limit is named as the reason if a chunk takes longer than this under it.
const SLOW_CHUNK: Duration = Duration::from_secs(60);

/// Several reasons as one text.
pub(super) fn joined(reasons: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Why a resource makes no progress, or what is wrong with it. A dead tracker is a problem of many resources: whoever
/// lists them says it once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reason {
    /// Everything that does not concern trackers.
    pub(super) here: Option<String>,
    pub(super) trackers: Option<String>,
}

impl Reason {
    /// Both parts as one text.
    pub(super) fn whole(&self) -> Option<String> {
        joined([self.here.clone(), self.trackers.clone()])
    }
}

impl From<Option<String>> for Reason {
    fn from(here: Option<String>) -> Reason {
        Reason { here, trackers: None }
    }
}

impl From<String> for Reason {
    fn from(here: String) -> Reason {
        Some(here).into()
    }
}

impl From<&str> for Reason {
    fn from(here: &str) -> Reason {
        here.to_owned().into()
    }
}

pub(super) fn unusable(url: &TrackerUrl, (lasting, trouble): &(Duration, Trouble)) -> String {
    format!("tracker {url} {}", trouble.lasting(*lasting))
}

pub(super) fn conflict(resource: &Resource) -> Option<String> {
    let tracker = resource.conflicts.first()?;
    Some(format!(
        "{tracker} knows this file with a different list of chunks: one of the two manifests is wrong"
    ))
}

/// What the check of a resource is doing. `before` is the number of checks before it.
pub(super) fn checking_reason(checking: &Checking, before: Option<u32>) -> String {
    match checking.step {
        CheckStep::Waits => match before.unwrap_or(0) {
            0 => "waiting to be checked, next in line".to_owned(),
            before => format!("waiting to be checked, {before} before it"),
        },
        CheckStep::Hashes => format!("checking {} %", checking.check.percent()),
        CheckStep::Looks => "examining its files".to_owned(),
    }
}

/// What a download that has not joined its swarm does with the chunks that are on this machine; `None` if nothing is
/// left to do.
pub(super) fn reuse_reason(resource: &Resource, reuse: &Reuse) -> Option<String> {
    let (found, work) = match reuse {
        Reuse::Done => return None,
        Reuse::Due | Reuse::Runs(Reusing { found: None, .. }) => {
            return Some("looking for its chunks on this machine".to_owned());
        }
        Reuse::Runs(Reusing { found: Some(found), work, .. }) => (found, work),
    };
    let FoundHere { chunks, file, others } = found;
    let name = resource.manifest.name().as_str();
    let from = reused_from(name, file.as_ref().map(ResourceName::as_str), *others as usize);
    let doing = if work.copies() { "reusing" } else { "waiting to reuse" };
    Some(format!("{doing} {} of {} chunks from {from}", grouped(*chunks), grouped(resource.count().get())))
}

/// What a download that waits for content of an older version does; `None` if it does not wait for that.
pub(super) fn following_reason(fetching: &Fetching, total: u32) -> Option<String> {
    let following = fetching.following.as_ref()?;
    Some(match (following.kind(), following.takes()) {
        (Kind::File, _) => "looking for shifted chunks in the older file".to_owned(),
        (Kind::Tree, None) => "comparing its listing with that of its older version".to_owned(),
        (Kind::Tree, Some(chunks)) => {
            format!("reusing {} of {} chunks from its older version", grouped(chunks), grouped(total))
        }
    })
}

/// A number with a comma after each three digits.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Names a limit that is so low that the download looks stuck.
pub(super) fn limit(direction: &str, bucket: &Bucket) -> Option<String> {
    let is_slow = |rate: u64| rate.saturating_mul(SLOW_CHUNK.as_secs()) < u64::from(CHUNK_BYTES);
    let until = bucket.until_ms().map(|ms| format!(" until {}", limits::shown(ms))).unwrap_or_default();
    match bucket.limit() {
        RateLimit::Pause => {
            Some(format!("the {direction} limit is 0{until}; `ttctl limit --{direction} none` removes it"))
        }
        limit @ RateLimit::AtMost(rate) if is_slow(rate.bytes_per_s()) => {
            Some(format!("the {direction} limit is {limit}{until}"))
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
        Waiting::NoPeers { known: 0 } => "no peers are known".to_owned(),
        Waiting::NoPeers { known: 1 } => "the only known peer is unreachable".to_owned(),
        Waiting::NoPeers { known } => format!("all {known} known peers are unreachable"),
        Waiting::Connecting { peers: 1 } => "connecting to 1 peer".to_owned(),
        Waiting::Connecting { peers } => format!("connecting to {peers} peers"),
        Waiting::Dropped { peers } => {
            let shown = peers.iter().take(3).map(|(peer, why)| format!("{peer} ({why})"));
            let shown = shown.collect::<Vec<_>>().join(", ");
            let rest = peers.len().saturating_sub(3);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("all known peers misbehaved and are ignored for a while: {shown}{more}")
        }
        Waiting::NoSource { chunks, total } => format!("no peer has {}", list(chunks, *total)),
        Waiting::OnlyCorrupt { chunks, peers } => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            let total = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
            format!("every peer that has {} sent corrupt data: {}", list(chunks, total), peers.join(", "))
        }
        Waiting::Zone => "other machines in this zone are fetching the missing chunks".to_owned(),
        Waiting::Busy { peers: 1 } => "the only peer is busy".to_owned(),
        Waiting::Busy { peers } => format!("all {peers} peers are busy"),
        Waiting::Silent { peers: 1 } => "the only useful peer has sent nothing".to_owned(),
        Waiting::Silent { peers } => format!("all {peers} peers have sent nothing"),
        Waiting::Disk { chunks } => format!("the disk is slow: {chunks} chunks are waiting to be written"),
        Waiting::Turn => "other downloads are using all request slots".to_owned(),
        Waiting::Withheld { .. } => "looking for its content in the older version".to_owned(),
    }
}

/// The standing of a resource at a tracker; `since` is how long it has been known.
pub(super) fn told(tracker: &TrackerUrl, standing: &Standing, since: Duration) -> String {
    match standing {
        Standing::Good => format!("published on {tracker}"),
        Standing::Overtaken(other) => format!(
            "{} has different content on {tracker} now ({}); `ttctl share --replace PATH` takes the name back",
            other.name,
            described(other, since)
        ),
        Standing::Taken(other) => format!(
            "{} is published on {tracker} with different content ({}); `ttctl share --replace PATH` takes the name",
            other.name,
            described(other, since)
        ),
        Standing::Refused(why) => format!("not published on {tracker}: {why}"),
    }
}

/// Whether other content was shared before ours. Then it has the name because ours was shared without claiming it.
pub(super) fn is_older(other: &Namesake, shared_at_ms: u64) -> bool {
    let other_ms = other.shared_ago_ms.map(|ago_ms| now_ms().saturating_sub(ago_ms));
    other_ms.is_some_and(|other_ms| other_ms.saturating_add(AHEAD_MS_MAX) < shared_at_ms)
}

/// Which newer version of a name a tracker has, and what helps; `heard` is how long ago it said so.
pub(super) fn newer_version(
    tracker: &TrackerUrl,
    other: &Namesake,
    heard: Duration,
    record: &Record,
) -> String {
    let Namesake { name, .. } = other;
    if is_older(other, record.shared_at_ms) {
        return told(tracker, &Standing::Overtaken(other.clone()), heard); // others had the name before this machine
    }
    let newer = format!("{tracker} has a newer version of {name}: {}", described(other, heard));
    match record.origin {
        true => {
            format!(
                "{newer}; `ttctl share --replace PATH` takes the name back; to have the newer one, remove this one and get it"
            )
        }
        false => format!("{newer}; fetch it with `ttctl get --replace {name}`"),
    }
}

/// "4c47b3e8…, by 10.0.0.1:7987, 12 min ago"
pub(super) fn described(other: &Namesake, since: Duration) -> String {
    let ago = other.shared_ago_ms.map(|ago_ms| Duration::from_millis(ago_ms).saturating_add(since));
    let ago = ago.map_or_else(|| "at an unknown time".to_owned(), |ago| format!("{} ago", seconds(ago)));
    format!("{}, by {}, {ago}", short(other.resource), other.by)
}

pub(super) fn short(resource: ResourceId) -> String {
    format!("{}…", &resource.to_string()[..8])
}

/// Why something does not continue, and what helps.
pub(super) fn words_of(why: &Why) -> String {
    match why {
        Why::NoRoom(no_room) => no_room_words(no_room),
        Why::Disk(error) => error.to_string(),
        Why::NotHere(not_here) => not_here.to_string(),
        Why::Silent { folder, span } => format!(
            "{} has not responded for {} s; check its disk or file server",
            folder.display(),
            span.as_secs()
        ),
        Why::NameTaken(name) => format!(
            "{name} exists here with different content; move it away and `ttctl resume {0}`, or `ttctl get --replace {0}`",
            quoted(name)
        ),
        Why::DirectoryTaken { name, path, what } => directory_taken(name, path, *what),
        Why::NoDirectoryName(name) => no_directory_name(name),
        Why::OtherName { name, first } => format!(
            "the same directory is here as {first}, and a directory has one name; `ttctl remove {}`, or `ttctl get {} -o PATH` for a copy",
            quoted(name),
            quoted(first)
        ),
        Why::Obstructed { path, what } => {
            format!("{} is {what} and in the way; move it away", path.display())
        }
        Why::FalseManifest => {
            "the chunks match the manifest but the whole file does not: the manifest is wrong".to_owned()
        }
        Why::NoTree { name, why } => format!(
            "{name} begins like a directory and cannot be one: {}; `ttctl get --as-file {}` fetches it as a file",
            why.escape_debug(),
            quoted(name)
        ),
        Why::LinkOutside { name, link } => format!(
            "the symbolic link {} leads outside of the directory; `ttctl get --symlinks any {1}` fetches it all the same, `ttctl get --as-file {1}` as a file",
            link.escape_debug(),
            quoted(name)
        ),
        Why::OriginalDiffers { name, differing, total, .. } => format!(
            "{name} has changed since it was shared here ({}); share it again to publish it as it is now",
            how_it_differs(*differing, *total)
        ),
        Why::CopyDiffers { name, differing, total } => format!(
            "{name} is damaged or was changed ({}); `ttctl get --replace {}` repairs it; if the change is intended, share it again",
            how_it_differs(*differing, *total),
            quoted(name)
        ),
        Why::TreeDiffers { name, right, total } => format!(
            "the directory of {name} was changed: {right} of {total} chunks match (names, permissions and times count); `ttctl get --replace {}` makes it right, `ttctl share --replace PATH` publishes it as it is",
            quoted(name)
        ),
        Why::Changed(name) => {
            format!("{name} was changed or deleted; share it again, or `ttctl get {}`", quoted(name))
        }
        Why::Gone(name) => {
            format!(
                "{name} was deleted from the shared directory; `ttctl get {}` fetches it again",
                quoted(name)
            )
        }
        Why::FileUnreadable(error) => format!("cannot read {}", io_error(error)),
        Why::PartUnreadable(error) => error.to_string(),
        Why::ChunkUnreadable(index) => {
            format!("the disk cannot read chunk {index}, even after it was written again; {CHECK_DISK}")
        }
        Why::ChunkDamaged(index) => format!("chunk {index} is damaged on disk; {CHECK_DISK}"),
        Why::NotTrusted(why) => why.to_string(),
    }
}

/// A directory is left with this name, which is not that of a directory.
fn no_directory_name(name: &ResourceName) -> String {
    format!(
        "{name} was laid out as a directory, whose name ends in .tar; `ttctl remove {0}`, then `ttctl get {0}` fetches it as a file",
        quoted(name)
    )
}

/// What keeps a directory from its name.
fn directory_taken(name: &ResourceName, path: &Path, what: Option<&str>) -> String {
    let (path, name) = (path.display(), quoted(name));
    match what {
        None => format!(
            "{path} exists here with different content; move it away and `ttctl resume {name}`, or `ttctl get --replace {name}`"
        ),
        Some(what) => format!(
            "{path} is {what} and in the way of the directory; move it away and `ttctl resume {name}`"
        ),
    }
}

/// What a check found of a file: how many of its chunks differ, and of how many.
fn how_it_differs(differing: u32, total: u32) -> String {
    match differing {
        0 => "it is longer than it was".to_owned(),
        1 => format!("1 of {total} chunks differs"),
        differing => format!("{differing} of {total} chunks differ"),
    }
}

/// A name as a word of a command that is shown.
pub(super) fn quoted(name: &ResourceName) -> String {
    shell::word(name.as_str())
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
    let left = free.saturating_sub(kept).saturating_sub(promised);
    // Rounded in opposite directions, so that both never look the same.
    let reason = format!(
        "no space: {} needed, {} free",
        size_rounded(needed, f64::ceil),
        size_rounded(left, f64::floor)
    );
    match (kept, promised) {
        (0, 0) => reason,
        (kept, 0) => format!("{reason} ({} are reserved by min_free_space)", size(kept)),
        (0, promised) => format!("{reason} ({} are reserved by other files)", size(promised)),
        (kept, promised) => format!(
            "{reason} ({} are reserved by min_free_space, {} by other files)",
            size(kept),
            size(promised)
        ),
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
        let original = |is_damaged| Why::OriginalDiffers { name: name(), differing: 1, total: 9, is_damaged };
        let cases = [
            (disk(28).into(), ErrorKind::NoSpace, "cannot write /srv/x: no space left on device"),
            (disk(5).into(), ErrorKind::Internal, "cannot write /srv/x: input/output error"),
            (NoRoom::Unknown(None).into(), ErrorKind::NoSpace, "the free space is not known yet"),
            (silent, ErrorKind::Refused, "/srv has not responded for 31 s; check its disk"),
            (
                Why::NameTaken(name()),
                ErrorKind::Refused,
                "x exists here with different content; move it away and `ttctl resume x`",
            ),
            (
                Why::Obstructed { path: "/srv/x".into(), what: "a directory" },
                ErrorKind::Internal,
                "/srv/x is a directory and in the way; move it away",
            ),
            (
                original(false),
                ErrorKind::Refused,
                "x has changed since it was shared here (1 of 9 chunks differs);",
            ),
            (
                original(true),
                ErrorKind::BadData,
                "x has changed since it was shared here (1 of 9 chunks differs);",
            ),
            (
                Why::CopyDiffers { name: name(), differing: 0, total: 9 },
                ErrorKind::BadData,
                "x is damaged or was changed (it is longer than it was); `ttctl get --replace x` repairs it",
            ),
            (
                Why::FalseManifest,
                ErrorKind::BadData,
                "the chunks match the manifest but the whole file does not",
            ),
        ];
        cases.into_iter().for_each(must_be);
    }

    #[test]
    fn whatever_is_wrong_with_a_directory_has_its_words_and_its_kind() {
        let name = || "x".parse().unwrap();
        must_be((
            Why::NoDirectoryName(name()),
            ErrorKind::Refused,
            "x was laid out as a directory, whose name ends in .tar; `ttctl remove x`, then `ttctl get x`",
        ));
        let taken = |what| Why::DirectoryTaken { name: name(), path: "/srv/app".into(), what };
        let cases = [
            (
                taken(None),
                ErrorKind::Refused,
                "/srv/app exists here with different content; move it away and `ttctl resume x`, or `ttctl get --replace x`",
            ),
            (
                taken(Some("a file")),
                ErrorKind::Refused,
                "/srv/app is a file and in the way of the directory; move it away and `ttctl resume x`",
            ),
            (
                Why::TreeDiffers { name: name(), right: 1, total: 9 },
                ErrorKind::Refused,
                "the directory of x was changed: 1 of 9 chunks match (names, permissions and times count); `ttctl get --replace x`",
            ),
            (
                Why::NoTree { name: name(), why: "line 3: \u{1b}".to_owned() },
                ErrorKind::BadData,
                "x begins like a directory and cannot be one: line 3: \\u{1b}; `ttctl get --as-file x` fetches it",
            ),
            (
                Why::LinkOutside { name: name(), link: "app/\u{1b}".to_owned() },
                ErrorKind::BadData,
                "the symbolic link app/\\u{1b} leads outside of the directory; `ttctl get --symlinks any x` fetches it",
            ),
        ];
        cases.into_iter().for_each(must_be);
    }

    /// The words begin like this.
    fn must_be((why, kind, words): (Why, ErrorKind, &str)) {
        assert!(words_of(&why).starts_with(words), "{}", words_of(&why));
        assert_eq!(why.kind(), kind, "{words}");
        assert_eq!(why.is_for_room(), kind == ErrorKind::NoSpace, "{words}");
    }

    #[test]
    fn what_is_missing_is_told_in_one_sentence() {
        let mib = |number: u64| number << 20;
        assert_eq!(no_space(mib(40), mib(12), 0, 0), "no space: 40 MiB needed, 12 MiB free");
        assert_eq!(no_space(mib(3), mib(3) - 1, 0, 0), "no space: 3 MiB needed, 2.9 MiB free");
        assert_eq!(no_space(mib(40) + 1, mib(40), 0, 0), "no space: 41 MiB needed, 40 MiB free");
        assert_eq!(
            no_space(mib(62), mib(60), 0, mib(4)),
            "no space: 62 MiB needed, 56 MiB free (4 MiB are reserved by other files)"
        );
        assert_eq!(
            no_space(mib(62), mib(60), mib(64), mib(4)),
            "no space: 62 MiB needed, 0 B free (64 MiB are reserved by min_free_space, 4 MiB by other files)"
        );
    }
}
