//! Trees that property tests make up, and their tar made the long way.

use crate::id::ResourceId;
use crate::tree::{Entry, EntryIndex, EntryKind, Listing, Segment, Sums, TreeLayout, TreePath};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// An entry that owns its texts.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub path: String,
    pub mode: u16,
    pub time: i64,
    pub kind: MadeKind,
}

#[derive(Debug, Clone)]
pub(super) enum MadeKind {
    Directory,
    File(u64),
    Symlink(String),
}

impl Made {
    pub(super) fn entry(&self, has_times: bool) -> Entry<'_> {
        let kind = match &self.kind {
            MadeKind::Directory => EntryKind::Directory,
            MadeKind::File(bytes) => EntryKind::File { bytes: *bytes },
            MadeKind::Symlink(target) => EntryKind::Symlink { target },
        };
        let path = TreePath::new(&self.path).expect("the strategies make allowed paths");
        Entry { path, mode: self.mode, time: has_times.then_some(self.time), kind }
    }
}

/// A tree with small files.
pub(super) fn tree() -> impl Strategy<Value = TreeLayout> {
    (entries(0..3000_u64), any::<bool>(), component()).prop_map(|(entries, has_times, name)| {
        let entries: Vec<Entry<'_>> = entries.iter().map(|made| made.entry(has_times)).collect();
        let name = name.parse().unwrap_or_else(|_| "app".parse().expect("a name"));
        TreeLayout::new(Listing::new(name, entries).expect("a tree")).expect("it is small")
    })
}

/// Entries that are a tree, in some order. `sizes` are those of the files.
pub(super) fn entries(sizes: std::ops::Range<u64>) -> impl Strategy<Value = Vec<Made>> {
    let made = (prop::collection::vec(component(), 1..5), 0..=0o777_u16, time(), kind(sizes));
    (prop::collection::vec(made, 0..20), time()).prop_map(|(made, time)| {
        // Directories for all paths; what would be in something else than a directory is left out.
        let mut all = BTreeMap::new();
        let directory =
            |path: &str| Made { path: path.to_owned(), mode: 0o755, time, kind: MadeKind::Directory };
        all.insert(String::new(), directory(""));
        for (components, mode, time, kind) in made {
            let path = components.join("/");
            let parents = (1..components.len()).map(|end| components[..end].join("/"));
            let is_free = |path: &String| {
                all.get(path).is_none_or(|made: &Made| matches!(made.kind, MadeKind::Directory))
            };
            if all.contains_key(&path) || !parents.clone().all(|parent| is_free(&parent)) {
                continue;
            }
            for parent in parents {
                all.entry(parent.clone()).or_insert_with(|| directory(&parent));
            }
            let mode = if matches!(kind, MadeKind::Symlink(_)) { 0o777 } else { mode };
            all.insert(path.clone(), Made { path, mode, time, kind });
        }
        all.into_values().rev().collect()
    })
}

/// A file name. Some are long, some are not ASCII, some have what the formats escape.
fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]{1,2}",
        1 => r"[a-c \\#=*\[é\-]{1,4}",
        1 => (60..=255_usize).prop_map(|bytes| "x".repeat(bytes)),
        1 => (1..=80_usize).prop_map(|chars| "模".repeat(chars)),
    ]
    .prop_filter("dots", |name| name != "." && name != "..")
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(-1), Just((1 << 33) - 1), Just(1 << 33), any::<i64>(), 0..2_000_000_000_i64]
}

fn kind(sizes: std::ops::Range<u64>) -> impl Strategy<Value = MadeKind> {
    prop_oneof![
        Just(MadeKind::Directory),
        sizes.prop_map(MadeKind::File),
        Just(MadeKind::File(0)),
        prop_oneof![r"[a-c./ \\é]{1,10}", Just("t".repeat(101)), Just("t".repeat(4095))]
            .prop_map(MadeKind::Symlink),
    ]
}

/// The content that tests give a file.
pub(super) fn content(index: EntryIndex, bytes: u64) -> Vec<u8> {
    (0..bytes).map(|byte| (byte as u8).wrapping_mul(31).wrapping_add(index.0 as u8) | 1).collect()
}

/// The sums of files with [`content`].
pub(super) fn sums(layout: &TreeLayout) -> Sums {
    let mut sums = Sums::unknown(layout);
    for index in layout.listing().indices() {
        if let EntryKind::File { bytes } = layout.listing().entry(index).kind {
            sums.set(index, ResourceId::of(&content(index, bytes)));
        }
    }
    sums
}

/// A range of the tar, through the layout.
pub(super) fn read(layout: &TreeLayout, sums: &Sums, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut buffer = vec![0xee; (range.end - range.start) as usize];
    layout.fill_synthetic(range.start, &mut buffer);
    let mut at = 0;
    for segment in layout.segments(range) {
        let place = at..at + segment.bytes() as usize;
        at = place.end;
        match segment {
            Segment::Synthetic { .. } => {}
            Segment::File { entry, offset, bytes } => {
                let all = content(entry, layout.listing().entry(entry).content_bytes());
                buffer[place].copy_from_slice(&all[offset as usize..(offset + bytes) as usize]);
            }
            Segment::Sums { offset, .. } => sums.fill(layout, offset, &mut buffer[place]),
        }
    }
    assert_eq!(at, buffer.len(), "the segments cover the range");
    buffer
}
