//! What of a new version of a tree is known from the old one.

use super::model::{self, MadeKind};
use crate::chunk::CHUNK_BYTES;
use crate::have::HaveMap;
use crate::id::ResourceId;
use crate::tree::{
    Entry, EntryIndex, EntryKind, FilePlace, KnownFiles, Listing, OLDER, Piece, Segment, Sums, TreeLayout,
    TreePath,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// A version of a tree: of each path the time, and the content if it is a file.
type Version = BTreeMap<String, (i64, Option<Vec<u8>>)>;

/// A version with its layout and sums.
struct Tree {
    version: Version,
    layout: TreeLayout,
    sums: Sums,
}

impl Tree {
    fn new(version: Version) -> Tree {
        let entries = version.iter().map(|(path, (time, content))| Entry {
            path: TreePath::new(path).unwrap(),
            mode: 0o644,
            time: Some(*time),
            kind: match content {
                Some(content) => EntryKind::File { bytes: content.len() as u64 },
                None => EntryKind::Directory,
            },
        });
        let layout = TreeLayout::new(Listing::new("app".parse().unwrap(), entries).unwrap()).unwrap();
        let mut sums = Sums::unknown(&layout);
        for index in layout.listing().indices() {
            let path = layout.listing().entry(index).path;
            if let Some(content) = &version[path.as_str()].1 {
                sums.set(index, ResourceId::of(content));
            }
        }
        Tree { version, layout, sums }
    }

    fn content(&self, entry: EntryIndex) -> &[u8] {
        let path = self.layout.listing().entry(entry).path;
        self.version[path.as_str()].1.as_deref().unwrap()
    }

    /// The whole tar.
    fn tar(&self) -> Vec<u8> {
        let mut tar = vec![0; self.layout.bytes() as usize];
        self.layout.fill_synthetic(0, &mut tar);
        let mut at = 0;
        for segment in self.layout.segments(0..self.layout.bytes()) {
            let place = at..at + segment.bytes() as usize;
            at = place.end;
            match segment {
                Segment::Synthetic { .. } => {}
                Segment::File { entry, .. } => tar[place].copy_from_slice(self.content(entry)),
                Segment::Sums { offset, .. } => self.sums.fill(&self.layout, offset, &mut tar[place]),
            }
        }
        tar
    }
}

/// A range of the new tar made of what is known, and which of its bytes are unknown.
fn made(known: &KnownFiles<'_>, new: &Tree, donors: &[&Tree], range: Range<u64>) -> (Vec<u8>, Vec<bool>) {
    let mut bytes = vec![0xee; (range.end - range.start) as usize];
    let mut is_unknown = vec![false; bytes.len()];
    new.layout.fill_synthetic(range.start, &mut bytes);
    let old_sums = donors[0].sums.to_bytes(&donors[0].layout);
    let mut at = 0;
    for piece in known.pieces(range) {
        let mut take = |len: u64| {
            let place = at..at + len as usize;
            at = place.end;
            place
        };
        match piece {
            Piece::Synthetic { bytes } => drop(take(bytes)),
            Piece::File { place, offset, bytes: len } => {
                let content = donors[place.donor as usize].content(place.entry);
                bytes[take(len)].copy_from_slice(&content[offset as usize..(offset + len) as usize]);
            }
            Piece::OlderSums { offset, bytes: len } => {
                bytes[take(len)].copy_from_slice(&old_sums[offset as usize..(offset + len) as usize]);
            }
            Piece::UnknownFile { bytes, .. } | Piece::UnknownSums { bytes } => {
                is_unknown[take(bytes)].fill(true)
            }
        }
    }
    assert_eq!(at, bytes.len(), "the pieces cover the range");
    (bytes, is_unknown)
}

/// How a file differs in the new version.
#[derive(Debug, Clone, Copy)]
enum Change {
    Nothing,
    Moved,
    Touched,
    Edited,
    /// Another content with the same size and time.
    Disguised,
    Grown,
    Removed,
}

fn change() -> impl Strategy<Value = Change> {
    use Change::*;
    prop_oneof![
        4 => Just(Nothing), 1 => Just(Moved), 1 => Just(Touched), 1 => Just(Edited), 1 => Just(Disguised),
        1 => Just(Grown), 1 => Just(Removed)
    ]
}

/// An old version, and a new one with what happened to each of its files.
fn versions() -> impl Strategy<Value = (Version, Version, BTreeMap<String, Change>)> {
    (model::entries(0..3000), prop::collection::vec(change(), 30)).prop_map(|(entries, changes)| {
        let mut old = Version::new();
        for (number, made) in entries.iter().enumerate() {
            let content = match made.kind {
                MadeKind::Directory => None,
                MadeKind::File(bytes) => Some(model::content(EntryIndex(number as u32), bytes)),
                MadeKind::Symlink(_) => continue,
            };
            old.insert(made.path.clone(), (made.time, content));
        }
        let (mut new, mut done) = (Version::new(), BTreeMap::new());
        for ((path, (time, content)), change) in old.iter().zip(changes) {
            let Some(bytes) = content else {
                new.insert(path.clone(), (*time, None));
                continue;
            };
            let (mut path, mut time, mut bytes) = (path.clone(), *time, bytes.clone());
            match change {
                Change::Nothing => {}
                Change::Moved => path = format!("moved {}", new.len()),
                Change::Touched => time ^= 1,
                Change::Edited => {
                    time ^= 1;
                    bytes.iter_mut().for_each(|byte| *byte ^= 0x80);
                }
                Change::Disguised => bytes.iter_mut().for_each(|byte| *byte ^= 0x80),
                Change::Grown => bytes.extend_from_slice(b"more"),
                Change::Removed => continue,
            }
            done.insert(path.clone(), change);
            new.insert(path, (time, Some(bytes)));
        }
        (old, new, done)
    })
}

proptest! {
    #[test]
    fn what_is_known_is_right_unless_a_change_was_disguised(
        (old, new, changes) in versions(), from in any::<prop::sample::Index>(), bytes in 1..9000_u64,
    ) {
        let (old, new) = (Tree::new(old), Tree::new(new));
        let tar = new.tar();
        let known = KnownFiles::by_path(&new.layout, &old.layout);
        let start = from.index(tar.len()) as u64;
        for range in [0..tar.len() as u64, start..(start + bytes).min(tar.len() as u64)] {
            let (made, is_unknown) = made(&known, &new, &[&old], range.clone());
            let is_disguised = changes.values().any(|change| matches!(change, Change::Disguised));
            let right = &tar[range.start as usize..range.end as usize];
            let differs = made.iter().zip(right).zip(&is_unknown).any(|((made, right), unknown)| !unknown && made != right);
            prop_assert!(is_disguised || !differs);
        }
        for index in new.layout.listing().indices() {
            let entry = new.layout.listing().entry(index);
            let Some(change) = changes.get(entry.path.as_str()) else { continue };
            let is_same = matches!(change, Change::Nothing | Change::Disguised);
            prop_assert_eq!(known.place(index).is_some(), is_same, "{}", entry.path);
        }
    }

    #[test]
    fn with_the_sums_everything_that_is_here_is_known((old, new, changes) in versions()) {
        let (old, new) = (Tree::new(old), Tree::new(new));
        let tar = new.tar();
        let mut known = KnownFiles::by_path(&new.layout, &old.layout);
        let (new_sum, old_sum) = (|index| Some(new.sums.hash(index)), |index| Some(old.sums.hash(index)));
        let moved = known.compare_sums(new_sum, old_sum);
        moved.look_in(&mut known, OLDER, &old.layout, old_sum);
        let (made, is_unknown) = made(&known, &new, &[&old], 0..tar.len() as u64);
        prop_assert!(made.iter().zip(&tar).zip(&is_unknown).all(|((made, right), unknown)| *unknown || made == right));
        let here: Vec<&[u8]> = old.version.values().filter_map(|(_, content)| content.as_deref()).collect();
        for index in new.layout.listing().indices() {
            let entry = new.layout.listing().entry(index);
            if entry.content_bytes() > 0 {
                let is_here = here.contains(&new.content(index));
                prop_assert_eq!(known.place(index).is_some(), is_here, "{} {:?}", entry.path, changes.get(entry.path.as_str()));
            }
        }
    }
}

/// A tree of files with these contents.
fn tree(files: &[(&str, usize, u8)]) -> Tree {
    let mut version = Version::from([(String::new(), (5, None))]);
    for (path, bytes, seed) in files {
        let content = (0..*bytes).map(|at| (at / 7 % 251) as u8 ^ seed).collect();
        version.insert((*path).to_owned(), (5, Some(content)));
    }
    Tree::new(version)
}

fn indices(chunks: &HaveMap) -> Vec<u32> {
    chunks.iter().map(|index| index.0).collect()
}

#[test]
fn a_chunk_is_known_if_everything_in_it_is() {
    let mib = CHUNK_BYTES as usize;
    let old = tree(&[("a", 2 * mib, 1), ("b", 2 * mib, 2), ("c", 2 * mib, 3)]);
    // In `b` a byte is new; `d` was `c` before.
    let new = tree(&[("a", 2 * mib, 1), ("b", 2 * mib + 1, 2), ("d", 2 * mib, 3)]);
    let mut known = KnownFiles::by_path(&new.layout, &old.layout);
    assert_eq!(known.unknown_sizes(), [2 * mib as u64, 2 * mib as u64 + 1]);
    let all = HaveMap::full(new.layout.count());
    let sizes = [2 * mib as u64];
    let before = known.chunks(&all, &sizes);
    assert_eq!((indices(&before.known), indices(&before.likely)), (vec![0, 1], vec![5]), "6 has the sums");
    let moved = known.compare_sums(|index| Some(new.sums.hash(index)), |index| Some(old.sums.hash(index)));
    assert!(moved.has_size(2 * mib as u64) && !moved.has_size(7));
    moved.look_in(&mut known, OLDER, &old.layout, |index| Some(old.sums.hash(index)));
    let after = known.chunks(&all, &[]);
    assert_eq!((indices(&after.known), indices(&after.likely)), (vec![0, 1, 5], vec![]));

    let (d, file) = (EntryIndex(3), FilePlace { donor: 7, entry: EntryIndex::TOP });
    let mut known = KnownFiles::by_path(&new.layout, &old.layout);
    let moved = known.compare_sums(|index| Some(new.sums.hash(index)), |index| Some(old.sums.hash(index)));
    moved.is_here(&mut known, &ResourceId::of(b"something else"), FilePlace { donor: 6, ..file });
    moved.is_here(&mut known, &new.sums.hash(d), file);
    assert_eq!(known.place(d), Some(file));
}

#[test]
fn the_digits_of_a_hash_are_where_the_layout_says() {
    let tree = tree(&[("a", 3, 1), (r"b\c", 4, 2), ("d", 0, 3)]);
    let text = tree.sums.to_bytes(&tree.layout);
    for index in tree.layout.listing().indices().skip(1) {
        let range = tree.layout.digits_range(index);
        let digits = &text[range.start as usize..range.end as usize];
        assert_eq!(digits, tree.sums.hash(index).to_string().as_bytes());
    }
    assert!(tree.layout.digits_range(EntryIndex::TOP).is_empty());
}
