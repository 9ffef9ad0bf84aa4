//! What the tests of durability fetch: files and a directory, and what is on the disk of the directory.

use super::*;
use crate::store::Slot;
use shared::tree::{Entry, EntryKind, Listing, Sums, TreeLayout, TreePath};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file that is nowhere zero.
pub(super) fn dense() -> Vec<u8> {
    bytes(3)
}

/// A file with a run of zeros within a chunk, a chunk of zeros, and zeros at its end.
pub(super) fn sparse() -> Vec<u8> {
    let mut bytes = bytes(3);
    bytes[300 << 10..2 << 20].fill(0);
    bytes[(2 << 20) + 5000..].fill(0);
    bytes
}

/// A directory that replaces nothing: its listing is in the first chunk, and its files are in all of them.
pub(super) fn tree() -> Vec<u8> {
    tree_of(&TREE).0
}

/// The entries of that directory.
const TREE: [(&str, EntryKind<'static>); 7] = [
    ("", EntryKind::Directory),
    ("a", EntryKind::File { bytes: 700 << 10 }),
    ("deep", EntryKind::Directory),
    ("deep/b", EntryKind::File { bytes: 1500 << 10 }),
    ("deep/empty", EntryKind::File { bytes: 0 }),
    ("deep/link", EntryKind::Symlink { target: "../a" }),
    ("z", EntryKind::File { bytes: 5 }),
];

fn tree_of(entries: &[(&str, EntryKind<'static>)]) -> (Vec<u8>, TreeLayout) {
    let entries = entries.iter().map(|(path, kind)| Entry {
        path: TreePath::new(path).unwrap(),
        mode: if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { 0o555 },
        time: Some(1_600_000_000),
        kind: *kind,
    });
    let layout = TreeLayout::new(Listing::new("x".parse().unwrap(), entries).unwrap()).unwrap();
    let mut tar: Vec<u8> = bytes(4)[..layout.bytes() as usize].to_vec();
    layout.fill_synthetic(0, &mut tar);
    let mut sums = Sums::unknown(&layout);
    for index in layout.listing().indices() {
        let range = layout.content_range(index);
        sums.set(index, ResourceId::of(&tar[range.start as usize..range.end as usize]));
    }
    let range = layout.sums_range();
    tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
    (tar, layout)
}

/// The bytes that are visible under the name, of a file or of a directory.
pub(super) fn visible(folder: &Path) -> Option<Vec<u8>> {
    let path = folder.join("x");
    if !path.is_dir() {
        return fs::read(path).ok();
    }
    let (mut tar, layout) = tree_of(&TREE);
    for index in layout.listing().indices() {
        let entry = layout.listing().entry(index);
        let place = path.join(entry.path.as_str());
        match entry.kind {
            EntryKind::Directory => assert!(place.is_dir()),
            EntryKind::Symlink { target } => {
                assert_eq!(fs::read_link(place).unwrap(), std::path::Path::new(target));
            }
            EntryKind::File { .. } => {
                let range = layout.content_range(index);
                let found = fs::read(place).unwrap();
                tar.splice(range.start as usize..range.end as usize, found);
            }
        }
    }
    Some(tar)
}

/// Checks that an unfinished download has these chunks.
pub(super) fn check_claims(
    folder: &Path,
    manifest: &Manifest,
    slot: &Slot,
    have: &HaveMap,
) -> BTreeSet<ChunkIndex> {
    if slot.tree().exists() {
        return check_claims_of_tree(folder, manifest, slot, have);
    }
    let data = fs::read(slot.part()).unwrap();
    for index in have.iter() {
        let chunk = data.get(index.offset() as usize..).unwrap_or_default();
        let chunk = &chunk[..chunk.len().min(CHUNK_BYTES as usize)];
        assert_eq!(manifest.hash(index), Some(&ChunkHash::of(chunk)), "chunk {index} is not there");
    }
    have.iter().collect()
}

fn check_claims_of_tree(
    folder: &Path,
    manifest: &Manifest,
    slot: &Slot,
    have: &HaveMap,
) -> BTreeSet<ChunkIndex> {
    if visible(folder).is_some() {
        return BTreeSet::new(); // what is in the slot now is not the tree any more
    }
    let part = slot.open_part(manifest.count()).unwrap();
    part.finish_move(manifest, &|| true).unwrap();
    part.know(have);
    for index in have.iter() {
        let chunk = part.read(index).unwrap();
        assert_eq!(manifest.hash(index), Some(&ChunkHash::of(&chunk)), "chunk {index} is not there");
    }
    have.iter().collect()
}
