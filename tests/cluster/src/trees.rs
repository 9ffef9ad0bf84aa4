//! Directories as resources: makes their bytes, and compares a directory with what it must be.

use crate::files;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use shared::id::ResourceId;
use shared::tree::{Entry, EntryKind, Listing, Sums, TreeLayout, TreePath};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Something in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A directory with this mode.
    Directory(u16),
    /// A file with this mode and content.
    File(u16, Vec<u8>),
    /// A symbolic link with this target.
    Link(String),
}

/// A directory: its items by their paths. The top directory has the empty path.
pub type Items = BTreeMap<String, Item>;

/// When everything was modified, in seconds since 1970.
pub const TIME: i64 = 1_600_000_000;

/// A directory with `files` files of `bytes` bytes in a few subdirectories, an empty file, an empty directory and a link.
pub fn items(seed: u64, files: usize, bytes: usize) -> Items {
    let mut items = Items::from([
        (String::new(), Item::Directory(0o755)),
        ("empty".to_owned(), Item::Directory(0o750)),
        ("nothing".to_owned(), Item::File(0o600, Vec::new())),
        ("link".to_owned(), Item::Link("sub 0/0".to_owned())),
    ]);
    for at in 0..files {
        let folder = format!("sub {}", at % 7);
        items.entry(folder.clone()).or_insert(Item::Directory(0o755));
        let content = files::content(seed + at as u64, bytes);
        items.insert(format!("{folder}/{at}"), Item::File(0o644, content));
    }
    items
}

/// The bytes of the resource that a directory is.
pub fn tar(name: &str, items: &Items) -> Vec<u8> {
    let entries = items.iter().map(|(path, item)| {
        let (mode, kind) = match item {
            Item::Directory(mode) => (*mode, EntryKind::Directory),
            Item::File(mode, content) => (*mode, EntryKind::File { bytes: content.len() as u64 }),
            Item::Link(target) => (0o777, EntryKind::Symlink { target }),
        };
        Entry { path: TreePath::new(path).expect("a good path"), mode, time: Some(TIME), kind }
    });
    let listing = Listing::new(name.parse().expect("a good name"), entries).expect("a tree");
    let layout = TreeLayout::new(listing).expect("it is small");
    let mut tar = vec![0; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let mut sums = Sums::unknown(&layout);
    for index in layout.listing().indices() {
        if let Item::File(_, content) = &items[layout.listing().entry(index).path.as_str()] {
            let range = layout.content_range(index);
            tar[range.start as usize..range.end as usize].copy_from_slice(content);
            sums.set(index, ResourceId::of(content));
        }
    }
    let range = layout.sums_range();
    tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
    tar
}

/// Makes a directory on disk. What is at the path is replaced.
#[track_caller]
pub fn make(path: &Path, items: &Items) {
    let _ = fs::remove_dir_all(path);
    for (below, item) in items {
        let path = if below.is_empty() { path.to_owned() } else { path.join(below) };
        match item {
            Item::Directory(_) => fs::create_dir(&path).expect("a directory is made"),
            Item::File(_, content) => fs::write(&path, content).expect("a file is written"),
            Item::Link(target) => std::os::unix::fs::symlink(target, &path).expect("a link is made"),
        }
    }
    // The times last, from the deepest up: whatever is made in a directory changes its time.
    for (below, item) in items.iter().rev() {
        let path = if below.is_empty() { path.to_owned() } else { path.join(below) };
        if let Item::Directory(mode) | Item::File(mode, _) = item {
            let mode = fs::Permissions::from_mode((*mode).into());
            fs::set_permissions(&path, mode).expect("permissions are set");
        }
        let time = Timespec { tv_sec: TIME, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("a time is set");
    }
}

/// What is in a directory now. Times that are not [`TIME`] fail.
#[track_caller]
pub fn found(path: &Path) -> Items {
    let (mut items, mut left) = (Items::new(), vec![String::new()]);
    while let Some(below) = left.pop() {
        let path = if below.is_empty() { path.to_owned() } else { path.join(&below) };
        let metadata =
            fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(metadata.mtime(), TIME, "{}", path.display());
        let mode = (metadata.mode() & 0o7777) as u16;
        let item = if metadata.is_dir() {
            for entry in fs::read_dir(&path).expect("a directory") {
                let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
                left.push(if below.is_empty() { name } else { format!("{below}/{name}") });
            }
            Item::Directory(mode)
        } else if metadata.is_symlink() {
            Item::Link(fs::read_link(&path).expect("a link").into_os_string().into_string().expect("UTF-8"))
        } else {
            Item::File(mode, fs::read(&path).expect("a file"))
        };
        items.insert(below, item);
    }
    items
}

/// Checks that a directory has exactly these items.
#[track_caller]
pub fn check(path: &Path, items: &Items) {
    let found = found(path);
    let names = |items: &Items| items.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(items), "{}", path.display());
    for (name, item) in items {
        assert!(found[name] == *item, "{}/{name} differs", path.display()); // contents are long
    }
}
