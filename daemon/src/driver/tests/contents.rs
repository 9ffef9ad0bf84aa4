//! What the tests of durability fetch: files and a directory, and what is on the disk of the directory.

use super::*;
use crate::store::{Slot, open_directory};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use shared::host::tree::walk;
use shared::tree::{Entry, EntryKind, Listing, Sums, Symlinks, TreeLayout, TreeOptions, TreePath};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A file that is nowhere zero.
pub(super) fn dense() -> Vec<u8> {
    static DENSE: LazyLock<Vec<u8>> = LazyLock::new(|| bytes(3));
    DENSE.clone()
}

/// A file with a run of zeros within a chunk, a chunk of zeros, and zeros at its end.
pub(super) fn sparse() -> Vec<u8> {
    let mut bytes = dense();
    bytes[300 << 10..2 << 20].fill(0);
    bytes[(2 << 20) + 5000..].fill(0);
    bytes
}

/// A directory: its listing is in the first chunk, and its files are in all of them.
pub(super) fn tree() -> Vec<u8> {
    static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| tar_of(&TREE));
    TAR.clone()
}

/// A former version of that directory.
pub(super) fn older_tree() -> Vec<u8> {
    static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| tar_of(&OLDER));
    TAR.clone()
}

/// A directory with more files than are synced one by one.
pub(super) fn many() -> Vec<u8> {
    static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let names: Vec<String> = (0..70).map(|at| format!("file-{at:02}")).collect();
        let file = |(at, name): (usize, &'static String)| (name.as_str(), Item::File(0o444, at, 20 << 10));
        let files = names.leak().iter().enumerate().map(file);
        tar_of(&std::iter::once(("", Item::Directory(0o555))).chain(files).collect::<Vec<_>>())
    });
    TAR.clone()
}

/// Makes the directory on disk: what a user has there.
pub(super) fn lay(path: &Path) {
    lay_out(path, &TREE);
}

/// Makes its former version on disk.
pub(super) fn lay_older(path: &Path) {
    lay_out(path, &OLDER);
}

fn lay_out(path: &Path, items: &[(&str, Item)]) {
    for (below, item) in items {
        let place = path.join(below);
        match *item {
            Item::Directory(_) => fs::create_dir(place).unwrap(),
            Item::File(_, seed, bytes) => fs::write(place, content(seed, bytes)).unwrap(),
            Item::Link(target) => std::os::unix::fs::symlink(target, place).unwrap(),
        }
    }
    for (below, item) in items.iter().rev() {
        let place = path.join(below);
        if let Item::Directory(mode) | Item::File(mode, ..) = *item {
            fs::set_permissions(&place, fs::Permissions::from_mode(mode.into())).unwrap();
        }
        let time = Timespec { tv_sec: TIME, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &place, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Something in a directory.
#[derive(Clone, Copy)]
enum Item {
    /// A directory with this mode.
    Directory(u16),
    /// A file: its mode, the seed of its content, and its length in bytes.
    File(u16, usize, usize),
    /// A symbolic link.
    Link(&'static str),
}

const TREE: [(&str, Item); 7] = [
    ("", Item::Directory(0o555)),
    ("a", Item::File(0o555, 1, 700 << 10)),
    ("deep", Item::Directory(0o555)),
    ("deep/b", Item::File(0o444, 2, 1500 << 10)),
    ("deep/empty", Item::File(0o555, 3, 0)),
    ("deep/link", Item::Link("../a")),
    ("z", Item::File(0o555, 4, 5)),
];

/// `a` is the same, `deep/b` has grown since then, `deep/link` and `z` were something else, and `gone` is left out now.
const OLDER: [(&str, Item); 7] = [
    ("", Item::Directory(0o555)),
    ("a", Item::File(0o644, 1, 700 << 10)),
    ("deep", Item::Directory(0o755)),
    ("deep/b", Item::File(0o444, 2, 900 << 10)),
    ("deep/link", Item::File(0o444, 5, 9)),
    ("gone", Item::File(0o444, 6, 300 << 10)),
    ("z", Item::Directory(0o555)),
];

const TIME: i64 = 1_600_000_000;

/// Content of this length in bytes, which depends on a seed. Most of it is copied, since a test without optimization
/// computes slowly.
fn content(seed: usize, bytes: usize) -> Vec<u8> {
    let mut content: Vec<u8> = (0..753 + seed).map(|at| (at / 3 % 251 + seed) as u8).collect();
    while content.len() < bytes {
        content.extend_from_within(..);
    }
    content.truncate(bytes);
    content
}

fn tar_of(items: &[(&str, Item)]) -> Vec<u8> {
    let entries = items.iter().map(|(path, item)| {
        let (mode, kind) = match *item {
            Item::Directory(mode) => (mode, EntryKind::Directory),
            Item::File(mode, _, bytes) => (mode, EntryKind::File { bytes: bytes as u64 }),
            Item::Link(target) => (0o777, EntryKind::Symlink { target }),
        };
        Entry { path: TreePath::new(path).unwrap(), mode, time: Some(TIME), kind }
    });
    let listing = Listing::new("x".parse().unwrap(), entries).unwrap();
    let by_path: BTreeMap<&str, Item> = items.iter().copied().collect();
    tar_with(listing, |path| match by_path[path] {
        Item::File(_, seed, bytes) => content(seed, bytes),
        Item::Directory(_) | Item::Link(_) => panic!("{path} is not a file"),
    })
}

/// The tar with this listing and these contents.
fn tar_with(listing: Listing, content: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let layout = TreeLayout::new(listing).unwrap();
    let mut tar = vec![0; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let mut sums = Sums::unknown(&layout);
    for index in layout.listing().indices() {
        let entry = layout.listing().entry(index);
        if let EntryKind::File { .. } = entry.kind {
            let (range, content) = (layout.content_range(index), content(entry.path.as_str()));
            sums.set(index, ResourceId::of(&content));
            tar[range.start as usize..range.end as usize].copy_from_slice(&content);
        }
    }
    let range = layout.sums_range();
    tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
    tar
}

/// The bytes that are visible under the name, of a file or of a directory. The top directory gets its mode and time only
/// after it has its name, so they are not looked at.
pub(super) fn visible(folder: &Path) -> Option<Vec<u8>> {
    let path = folder.join("x");
    if !path.is_dir() {
        return fs::read(path).ok();
    }
    let top = open_directory(&path).unwrap();
    let options = TreeOptions { symlinks: Symlinks::Any, skip_special: false, has_times: true };
    let walked = walk(top.as_fd(), "x".parse().unwrap(), options, &|_| ControlFlow::Continue(())).unwrap();
    let listing = walked.layout.listing();
    let theirs = |entry: &Entry<'_>| entry.path.as_str().ends_with(THEIRS);
    let entries = listing.entries().filter(|entry| !theirs(entry)).map(|entry| match entry.path.is_top() {
        true => Entry { mode: 0o555, time: Some(TIME), ..entry },
        false => entry,
    });
    let listing = Listing::new(listing.name().clone(), entries).unwrap();
    Some(tar_with(listing, |below| fs::read(path.join(below)).unwrap()))
}

/// A file that somebody puts into a directory. What is visible is told without it.
const THEIRS: &str = "mine";

/// Puts a file of somebody else into a directory in a directory of that name, whose time stays as it is.
pub(super) fn put_theirs(folder: &Path) {
    let deep = folder.join("x/deep");
    let times = fs::FileTimes::new().set_modified(deep.metadata().unwrap().modified().unwrap());
    fs::write(deep.join(THEIRS), THEIRS).unwrap();
    fs::File::open(&deep).unwrap().set_times(times).unwrap();
}

/// How often a walk through the shared directory begins anew, because a daemon removed something meanwhile.
const WALKS_MAX: usize = 1_000;

/// Where that file is, below the shared directory. The daemon may be removing other files there.
#[track_caller]
pub(super) fn theirs(folder: &Path) -> PathBuf {
    let mut walks = (0..WALKS_MAX).map(|_| files_of_theirs(folder));
    let is_over = |walk: &io::Result<_>| !walk.as_ref().is_err_and(|it| it.kind() == ErrorKind::NotFound);
    let found = walks.find(is_over).expect("the directory changes all the time").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(fs::read_to_string(&found[0]).unwrap(), THEIRS);
    found[0].strip_prefix(folder).unwrap().to_owned()
}

/// All files of that name.
fn files_of_theirs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut left, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(path) = left.pop() {
        match path.symlink_metadata()? {
            it if it.is_dir() => {
                for entry in fs::read_dir(&path)? {
                    left.push(entry?.path());
                }
            }
            _ if path.ends_with(THEIRS) => found.push(path),
            _ => {}
        }
    }
    Ok(found)
}

/// The paths below a directory, of what is no directory.
pub(super) fn paths(top: &Path) -> Vec<PathBuf> {
    let (mut left, mut found) = (vec![top.to_owned()], Vec::new());
    while let Some(path) = left.pop() {
        match path.symlink_metadata().unwrap().is_dir() {
            true => left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => found.push(path.strip_prefix(top).unwrap().to_owned()),
        }
    }
    found.sort();
    found
}

/// Checks the mode and the time of the top directory, if it is one.
pub(super) fn check_top(folder: &Path) {
    let metadata = fs::metadata(folder.join("x")).unwrap();
    if metadata.is_dir() {
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o555, TIME));
    }
}

/// Checks that an unfinished download has these chunks. `ends_at` is the size of the resource in bytes where other programs
/// may have written behind it; `None` where its part has nothing else.
pub(crate) fn check_claims(
    folder: &Path,
    manifest: &Manifest,
    slot: &Slot,
    have: &HaveMap,
    ends_at: Option<usize>,
) -> BTreeSet<ChunkIndex> {
    if slot.tree().exists() {
        return check_claims_of_tree(folder, manifest, slot, have);
    }
    let mut data = fs::read(slot.part()).unwrap();
    data.truncate(ends_at.unwrap_or(usize::MAX));
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
    if visible(folder).is_some_and(|found| ResourceId::of(&found) == manifest.resource()) {
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
