//! When files of directories are looked at next, to find those that were edited although nobody reads them. Looking
//! takes one percent of a processor at most, whatever the number of files.

use shared::id::SwarmKey;
use std::time::{Duration, Instant};

/// How many files are looked at at once. On a warm disk that takes 2 ms, in which nobody else is kept waiting.
pub const FILES_AT_ONCE_MAX: usize = 512;

/// How long one look takes at most, as far as the disk allows it: where every file is read from a slow disk, fewer files
/// than [`FILES_AT_ONCE_MAX`] are looked at.
pub const LOOK_MAX: Duration = Duration::from_millis(50);

/// After a look, nothing is done for at least this many times the processor time that it took: so looks take at most a
/// hundredth of one processor.
const SHARE: u32 = 99;

/// The same for the time that it lasted, most of which may be the disk's: so looks keep a disk busy for a fifth of the time
/// at most.
const DISK_SHARE: u32 = 4;

/// The shortest time between the beginnings of two rounds over all directories. A change in a small directory is noticed
/// after this time.
const ROUND_EVERY: Duration = Duration::from_secs(10);

/// The looks at the files of all directories, one after the other.
#[derive(Debug, Default)]
pub struct TreeScans {
    is_looking: bool,
    /// Nothing is looked at before this moment.
    next_at: Option<Instant>,
    /// When the present round began.
    round_at: Option<Instant>,
    /// The last directory that was looked at completely; `None` at the beginning of a round.
    last: Option<SwarmKey>,
}

impl TreeScans {
    /// Begins a look, if it is time for one and none is running. Returns whether it begins.
    pub fn begin(&mut self, now: Instant) -> bool {
        if self.is_looking || self.next_at.is_some_and(|at| now < at) {
            return false;
        }
        self.is_looking = true;
        self.round_at.get_or_insert(now);
        true
    }

    /// The directory after which the next one comes; `None` if it is the first.
    pub fn last(&self) -> Option<SwarmKey> {
        self.last
    }

    /// A look has ended that took this much processor time and lasted this long. `done` is the directory that was looked
    /// at completely with it, if one was.
    pub fn ended(&mut self, now: Instant, worked: Duration, lasted: Duration, done: Option<SwarmKey>) {
        self.is_looking = false;
        self.next_at = Some(now + (worked * SHARE).max(lasted * DISK_SHARE));
        self.last = done.or(self.last);
    }

    /// All directories were looked at. Nothing was done in the look that was begun.
    pub fn end_round(&mut self, now: Instant) {
        self.is_looking = false;
        self.last = None;
        let began = self.round_at.take().unwrap_or(now);
        self.next_at = Some(now.max(began + ROUND_EVERY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    const MS: Duration = Duration::from_millis(1);

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([1; 32]) }
    }

    /// Looks at a directory of this many files for one hour, each of which takes so long, at times that are asked for
    /// every quarter of a second. Returns the processor time, and how many files were looked at.
    fn hour(files: usize, worked: Duration, lasted: Duration) -> (Duration, u64) {
        let (mut scans, start) = (TreeScans::default(), Instant::now());
        let (mut now, mut left, mut took, mut looked) = (start, files, Duration::ZERO, 0);
        while now < start + Duration::from_secs(3600) {
            now += 250 * MS;
            if !scans.begin(now) {
                continue;
            }
            if left == 0 {
                scans.end_round(now);
                left = files;
                continue;
            }
            assert!(!scans.begin(now), "one look at a time");
            let at_once = (LOOK_MAX.as_nanos() / lasted.as_nanos()) as usize + 1;
            let at_once = left.min(FILES_AT_ONCE_MAX).min(at_once);
            left -= at_once;
            looked += at_once as u64;
            took += worked * at_once as u32;
            now += lasted * at_once as u32;
            scans.ended(now, worked * at_once as u32, lasted * at_once as u32, (left == 0).then(|| key(1)));
        }
        (took, looked)
    }

    #[test]
    fn looking_takes_one_percent_of_a_processor_whatever_the_number_of_files() {
        let micro = Duration::from_micros(1);
        for (files, worked, lasted) in [
            (1, 4 * micro, 4 * micro),
            (5_000, 4 * micro, 4 * micro),
            (1_000_000, 4 * micro, 4 * micro),
            (1_000_000, 40 * micro, 40 * micro),
            (1_000_000, 40 * micro, 5000 * micro), // a cold disk
        ] {
            let (took, looked) = hour(files, worked, lasted);
            assert!(took <= Duration::from_secs(36), "{files} files: {took:?}");
            let rounds = looked / files as u64;
            match files {
                1 | 5_000 => assert!(rounds > 300, "{files} files: {rounds}"),
                _ => assert!(looked > 100_000, "{looked} of {files} files, {worked:?} each"),
            }
        }
    }

    #[test]
    fn after_the_last_directory_a_new_round_begins_a_while_later() {
        let (mut scans, start) = (TreeScans::default(), Instant::now());
        assert!(scans.begin(start));
        scans.ended(start, MS, MS, Some(key(1)));
        assert_eq!(scans.last(), Some(key(1)));
        assert!(!scans.begin(start + 98 * MS) && scans.begin(start + 99 * MS));
        scans.ended(start + 100 * MS, MS, 100 * MS, None);
        assert_eq!(scans.last(), Some(key(1)));
        assert!(!scans.begin(start + 499 * MS) && scans.begin(start + 500 * MS));
        scans.end_round(start + 500 * MS);
        assert_eq!(scans.last(), None);
        assert!(!scans.begin(start + ROUND_EVERY - MS) && scans.begin(start + ROUND_EVERY));
    }
}
