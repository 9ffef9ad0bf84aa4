//! Room on the disk is promised once: to downloads that run, to what is copied into them, to copies under further names
//! and to imports. Nothing keeps a list of that: what is promised follows from what goes on, and ends with it.

use super::Driver;
use crate::library::{CheckStep, Phase, Resource};
use shared::chunk::CHUNK_BYTES;
use shared::id::SwarmKey;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Driver {
    /// Why there is no room for what a download has still to fetch.
    pub(super) fn lacking_space(&self, key: SwarmKey) -> Option<String> {
        self.no_room(rest_bytes(self.library.get(key)?), Some(key))
    }

    /// Why there is no room for all of a download, beside what was written of it already.
    pub(super) fn lacking_space_for_all(&self, key: SwarmKey) -> Option<String> {
        let resource = self.library.get(key)?;
        let written = allocated_bytes(&resource.slot.part());
        self.no_room(resource.count().bytes_max().saturating_sub(written), Some(key))
    }

    /// Why there is no room for this many bytes, beside what is promised to others than this resource.
    pub(super) fn no_room(&self, needed: u64, by: Option<SwarmKey>) -> Option<String> {
        let (kept, promised) = (self.settings.min_free_bytes, self.promised(by));
        let free = match self.free_bytes() {
            Ok(free) => free,
            Err(reason) => return Some(reason),
        };
        let left = free.saturating_sub(kept).saturating_sub(promised);
        (needed > left).then(|| no_space(needed, free, kept, promised))
    }

    /// The same, for a copy of this many bytes under a further name.
    pub(super) fn no_room_for_copy(&mut self, bytes: u64) -> Option<String> {
        self.look_at_room();
        self.no_room(bytes, None)
    }

    /// The bytes that are still to be written by all that was taken in, but for this resource.
    fn promised(&self, by: Option<SwarmKey>) -> u64 {
        let others = self.library.stirring().filter(|(other, _)| Some(*other) != by);
        let fetched: u64 = others.map(|(_, resource)| rest_bytes(resource)).sum();
        let copies: u64 = self.publishing.values().map(|publishing| publishing.room).sum();
        fetched.saturating_add(copies).saturating_add(self.tasks.promised())
    }
}

/// The room that a file takes on the disk, in bytes; 0 if there is none.
fn allocated_bytes(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// What a resource has still to write, in bytes, when nothing stands in its way.
fn rest_bytes(resource: &Resource) -> u64 {
    let chunks = match &resource.phase {
        Phase::Fetching(it) if it.blocked.is_none() => it.have.count().get() - it.have.len(),
        Phase::Checking(it) if it.step == CheckStep::Copies => resource.count().get(),
        _ => 0,
    };
    u64::from(chunks) * u64::from(CHUNK_BYTES)
}

fn no_space(needed: u64, free: u64, kept: u64, promised: u64) -> String {
    let mut reason = format!("no space: {} needed, {} free", binary(needed), binary(free));
    let mut of_that = Vec::new();
    if kept > 0 {
        of_that.push(format!("min_free_space keeps {}", binary(kept)));
    }
    if promised > 0 {
        of_that.push(format!("{} are promised to others", binary(promised)));
    }
    if !of_that.is_empty() {
        reason = format!("{reason}, of which {}", of_that.join(" and "));
    }
    reason
}

/// A number of bytes for a person: "40 MiB", "1.5 GiB".
fn binary(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    // one digit behind the point where that says something: "1.5", and neither "8.0" nor "10.0"
    let tenths = (number * 10.0).round();
    match tenths < 100.0 && tenths % 10.0 != 0.0 {
        true => format!("{number:.1} {}", UNITS[unit]),
        false => format!("{number:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holes_of_a_part_are_still_to_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        assert_eq!(allocated_bytes(&path), 0);
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        file.sync_all().unwrap();
        let bytes = allocated_bytes(&path);
        assert!(((1 << 20)..(2 << 20)).contains(&bytes), "{bytes}");
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
        cases.iter().for_each(|(bytes, text)| assert_eq!(binary(*bytes), *text));
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
