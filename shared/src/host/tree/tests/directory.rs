//! Directories that tests make, and their tars.

use crate::chunk::CHUNK_BYTES;
use crate::host::tree::hash::hash_walked;
use crate::host::tree::{HashedTree, TreeError, TreeFiles, open_top, read_tree, walk};
use crate::id::{ChunkHash, ResourceId};
use crate::tree::{Symlinks, TreeName, TreeOptions};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

pub(super) const OPTIONS: TreeOptions =
    TreeOptions { symlinks: Symlinks::Any, skip_special: false, has_times: true };

pub(super) fn name() -> TreeName {
    "app".parse().expect("a name")
}

/// A progress function that ignores the numbers.
pub(super) fn silent(_done: u64, _total: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An empty directory `app` in a directory that goes away.
pub(super) fn app() -> (tempfile::TempDir, PathBuf) {
    let room = tempfile::tempdir().expect("a directory");
    let app = room.path().join("app");
    fs::create_dir(&app).expect("a directory");
    (room, app)
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("it is in a directory")).expect("directories");
    fs::write(path, bytes).expect("a file");
}

/// Bytes in which no two chunks are equal.
pub(super) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at >> 20) as u8 ^ (at % 251) as u8).collect()
}

/// A directory with whatever tools may trip over.
pub(super) fn difficult() -> (tempfile::TempDir, PathBuf) {
    let (room, app) = app();
    write(&app.join("empty"), b"");
    write(&app.join("block"), &[b'x'; 512]);
    write(&app.join("large"), &bytes(3 * CHUNK_BYTES as usize + 77));
    write(&app.join("sub/second-large"), &bytes(CHUNK_BYTES as usize));
    fs::create_dir(app.join("hollow")).expect("a directory");
    for name in [
        "with space",
        "back\\slash",
        "#hash",
        "a=b",
        "st*r",
        "what?",
        "[",
        "a[1-3].js",
        "{b,c}",
        "~tilde",
        "$HOME",
        "-rf",
        "'quoted\"",
        "!bang",
        "模型 α.txt",
        "é",
        "UPPER",
        "upper",
        "...",
        "trailing ",
        "a-b",
        "a.b",
    ] {
        write(&app.join("names").join(name), name.as_bytes());
    }
    write(&app.join("names-2"), b"between the directory's name and its names with slashes");
    // What fits only with a prefix, what fits not at all, and 4,000 bytes.
    write(&app.join("p".repeat(120)).join("n".repeat(90)), b"prefix");
    write(&app.join("n".repeat(250)), b"too long for ustar");
    // Its top directory and 16 components with their slashes have 4,000 bytes.
    let long = format!("{}{}", format!("{}/", "d".repeat(249)).repeat(15), "e".repeat(246));
    assert_eq!("app/".len() + long.len(), 4000);
    // No single call takes the absolute path.
    fs::create_dir(app.join("deep")).expect("a directory");
    make_file_step_by_step(&app, &long, b"at the end of a long path");
    make_file_step_by_step(&app.join("deep"), &[&["d"; 62][..], &["file"]].concat().join("/"), b"deep");
    symlink("block", app.join("link")).expect("a link");
    symlink("../large", app.join("sub/up")).expect("a link");
    symlink("no such thing", app.join("dangling")).expect("a link");
    symlink("模型", app.join("to-模型")).expect("a link");
    symlink("l/".repeat(60), app.join("long-target")).expect("a link");
    symlink("/etc/passwd", app.join("absolute")).expect("a link");
    let sparse = File::create(app.join("sparse")).expect("a file");
    sparse.set_len(300_000).expect("it grows");
    let mode = |path: &str, mode| {
        fs::set_permissions(app.join(path), Permissions::from_mode(mode)).expect("permissions");
    };
    mode("block", 0o755);
    mode("empty", 0o400);
    for (path, seconds) in
        [("block", 1_u64 << 33), ("empty", (1 << 33) - 1), ("sub/second-large", 1), ("names", 1_700_000_000)]
    {
        let file = File::open(app.join(path)).expect("it opens");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("a time");
    }
    let old = File::open(app.join("large")).expect("it opens");
    old.set_modified(UNIX_EPOCH - Duration::from_millis(86_400_500)).expect("a time before 1970");
    // Last, because nothing can be written below it then, but by root.
    mode("sub", 0o555);
    (room, app)
}

/// Makes a file whose path from `directory` on may be longer than a call takes together with the directory's.
fn make_file_step_by_step(directory: &Path, path: &str, bytes: &[u8]) {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let mut at = open_top(directory).expect("it opens");
    let (parents, name) = path.rsplit_once('/').expect("it is in a directory");
    for parent in parents.split('/') {
        let _ = mkdirat(&at, parent, Mode::from_raw_mode(0o755));
        at = openat(&at, parent, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).expect("it is there");
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::EXCL;
    let file = openat(&at, name, flags, Mode::from_raw_mode(0o644)).expect("a new file");
    File::from(file).write_all(bytes).expect("it is written");
}

/// Walks and hashes a directory.
pub(super) fn hash(app: &Path, options: TreeOptions) -> Result<HashedTree, TreeError> {
    let files = TreeFiles::new(open_top(app).expect("it opens"));
    let walked = walk(files.top(), name(), options, &|_| ControlFlow::Continue(()))?;
    hash_walked(&files, walked, &silent)
}

/// The bytes of a directory's tar, whose hashes are what [`hash`] found.
pub(super) fn tar(app: &Path, options: TreeOptions) -> (Vec<u8>, HashedTree) {
    let tree = hash(app, options).expect("it is a tree");
    let files = TreeFiles::new(open_top(app).expect("it opens"));
    let mut tar = Vec::new();
    let mut take = |chunk: Vec<u8>| {
        tar.extend(chunk);
        ControlFlow::Continue(())
    };
    read_tree(&files, &tree.walked, &mut take).expect("it is read");
    let (layout, end) = (&tree.walked.layout, tar.len());
    assert_eq!(end as u64, layout.contents_end());
    tar.resize(layout.bytes() as usize, 0);
    layout.fill_synthetic(end as u64, &mut tar[end..]);
    let sums = layout.sums_range();
    tar[sums.start as usize..sums.end as usize].copy_from_slice(&tree.sums.to_bytes(layout));
    assert_eq!(ResourceId::of(&tar), tree.hashed.resource);
    let hashes: Vec<ChunkHash> = tar.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
    assert_eq!(hashes, tree.hashed.hashes);
    (tar, tree)
}
