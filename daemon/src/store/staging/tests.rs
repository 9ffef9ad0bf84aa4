use super::super::disk::{Medium, Step, System};
use super::super::faulty::Faulty;
use super::*;
use shared::tree::{Entry, Listing, TreePath};
use std::fs;
use std::os::unix::fs::MetadataExt;

fn entry(path: &str, kind: EntryKind<'static>) -> (String, EntryKind<'static>) {
    (path.to_owned(), kind)
}

fn layout(entries: &[(String, EntryKind<'static>)]) -> TreeLayout {
    let top = Entry { path: TreePath::TOP, mode: 0o755, time: Some(0), kind: EntryKind::Directory };
    let others = entries.iter().map(|(path, kind)| Entry {
        path: TreePath::new(path).unwrap(),
        mode: if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { 0o755 },
        time: Some(7),
        kind: *kind,
    });
    let listing = Listing::new("app".parse().unwrap(), std::iter::once(top).chain(others)).unwrap();
    TreeLayout::new(listing).unwrap()
}

fn check(layout: TreeLayout) {
    let folder = tempfile::tempdir().unwrap();
    let (path, sums) = (folder.path().join("tree"), folder.path().join("sums"));
    let disk = Disk::system();
    let total = layout.bytes() as usize;
    let mut tar: Vec<u8> = (0..total).map(|at| (at / 3 % 251) as u8).collect();
    layout.fill_synthetic(0, &mut tar);
    let tree = StagingTree::create(&disk, &path, &sums, layout.clone(), &|| true).unwrap().unwrap();
    for (at, chunk) in tar.chunks(1 << 20).enumerate() {
        tree.write((at << 20) as u64, chunk).unwrap();
    }
    tree.sync().unwrap();
    drop(tree);
    let tree = StagingTree::open(&disk, &path, &sums, layout.clone()).unwrap();
    let mut read = vec![0; total];
    tree.read(0, &mut read).unwrap();
    assert!(read == tar);
    for index in layout.listing().indices() {
        let entry = layout.listing().entry(index);
        if let EntryKind::File { bytes } = entry.kind {
            let range = layout.content_range(index);
            let content = fs::read(path.join(entry.path.as_str())).unwrap();
            assert_eq!(content.len() as u64, bytes);
            assert!(content == tar[range.start as usize..range.end as usize]);
        }
    }
}

#[test]
fn the_files_have_their_bytes_and_the_resource_is_read_back() {
    let files = |count: u32, bytes: u64| -> Vec<_> {
        (0..count).map(|at| entry(&format!("{at:04}"), EntryKind::File { bytes })).collect()
    };
    check(layout(&files(0, 0)));
    check(layout(&files(500, 4321)));
    check(layout(&files(3, 3 << 20)));
    let mut mixed = files(2, 1 << 20);
    mixed.extend([entry("deep", EntryKind::Directory), entry("deep/down", EntryKind::Directory)]);
    mixed.extend([entry("deep/down/file", EntryKind::File { bytes: 9 })]);
    mixed.extend([entry("link", EntryKind::Symlink { target: "deep/down" })]);
    check(layout(&mixed));
}

/// A tree with files of some bytes in a directory, made on a disk, and the bytes of its tar.
fn made_on(disk: &Disk, folder: &Path, files: u32, bytes: u64) -> (StagingTree, Vec<u8>) {
    let names = (0..files).map(|at| entry(&format!("d/{at:04}"), EntryKind::File { bytes }));
    let layout = layout(&std::iter::once(entry("d", EntryKind::Directory)).chain(names).collect::<Vec<_>>());
    let mut tar = vec![b'x'; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let (path, sums) = (folder.join("tree"), folder.join("sums"));
    let tree = StagingTree::create(disk, &path, &sums, layout, &|| true).unwrap().unwrap();
    disk.sync_all(tree.root()).unwrap();
    (tree, tar)
}

#[test]
fn a_file_is_made_with_its_first_bytes_and_gets_mode_and_time_with_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, tar) = made_on(&Disk::system(), folder.path(), 2, 10);
    let [first, second] = ["tree/d/0000", "tree/d/0001"].map(|path| folder.path().join(path));
    assert!(fs::read_dir(folder.path().join("tree/d")).unwrap().next().is_none());
    // The chunk ends within the second file.
    let end = tree.layout().content_range(EntryIndex(3)).start as usize + 4;
    tree.write(0, &tar[..end]).unwrap();
    let metadata = fs::metadata(&first).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime(), metadata.len()), (0o755, 7, 10));
    assert!(tree.dressed(EntryIndex(2)).unwrap().is_same(&FileIdentity::of_metadata(&metadata)));
    let metadata = fs::metadata(&second).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.len()), (0o600, 10), "it has its length");
    assert!(tree.dressed(EntryIndex(3)).is_none());
    tree.write(end as u64, &tar[end..]).unwrap();
    assert_eq!(fs::read(&second).unwrap(), [b'x'; 10]);
}

#[test]
fn whatever_was_synced_has_its_name_after_a_power_cut() {
    for files in [1, 3, DIRTY_MAX as u32 + 1] {
        let folder = tempfile::tempdir().unwrap();
        let faulty = Arc::new(Faulty::new(&folder.path().join("grave")));
        let (tree, tar) = made_on(&Disk::on(faulty.clone()), folder.path(), files, 10);
        tree.write(0, &tar).unwrap();
        tree.sync().unwrap();
        faulty.cut_power(|| true);
        for at in 0..files {
            let path = folder.path().join(format!("tree/d/{at:04}"));
            assert_eq!(fs::read(path).unwrap(), [b'x'; 10], "{at} of {files}");
        }
    }
}

#[test]
fn the_names_that_a_killed_process_has_made_are_durable_after_the_first_sync_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = Arc::new(Faulty::new(&folder.path().join("grave")));
    let disk = Disk::on(faulty.clone());
    let (tree, tar) = made_on(&disk, folder.path(), 1, 10);
    let half = tree.layout().content_range(EntryIndex(2)).start as usize + 5;
    tree.write(0, &tar[..half]).unwrap();
    let layout = tree.layout().clone();
    drop(tree);
    let (path, sums) = (folder.path().join("tree"), folder.path().join("sums"));
    let tree = StagingTree::open(&disk, &path, &sums, layout).unwrap();
    tree.write(half as u64, &tar[half..]).unwrap();
    tree.sync().unwrap();
    faulty.cut_power(|| true);
    assert_eq!(fs::read(path.join("d/0000")).unwrap(), [b'x'; 10]);
}

#[test]
fn what_a_crash_left_of_a_file_does_not_stop_a_check() {
    for left in [None, Some(3)] {
        let folder = tempfile::tempdir().unwrap();
        let (tree, tar) = made_on(&Disk::system(), folder.path(), 1, 10);
        tree.write(0, &tar).unwrap();
        let path = folder.path().join("tree/d/0000");
        match left {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => File::options().write(true).open(&path).unwrap().set_len(bytes).unwrap(),
        }
        let mut read = vec![0; tar.len()];
        let error = tree.read_exact_at(&mut read, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{left:?}");
        tree.write(0, &tar).unwrap();
        tree.read_exact_at(&mut read, 0).unwrap();
        assert!(read == tar);
    }
}

#[test]
fn a_file_that_ends_with_a_hole_has_its_length() {
    let bytes = 3 * zeros::RUN_BYTES_MIN;
    for data in [0, bytes / 3, bytes / 2] {
        let folder = tempfile::tempdir().unwrap();
        let (tree, mut tar) = made_on(&Disk::system(), folder.path(), 1, bytes as u64);
        let content = tree.layout().content_range(EntryIndex(2));
        tar[content.start as usize + data..content.end as usize].fill(0);
        tree.write(0, &tar).unwrap();
        let found = fs::read(folder.path().join("tree/d/0000")).unwrap();
        assert!(found == tar[content.start as usize..content.end as usize], "{data} bytes of data");
    }
}

#[test]
fn a_chunk_whose_header_is_not_the_layouts_is_bad_data_and_a_complete_tree_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, sums) = (folder.path().join("tree"), folder.path().join("sums"));
    let layout = layout(&[entry("file", EntryKind::File { bytes: 4 })]);
    let mut tar = vec![b'x'; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let tree = StagingTree::create(&Disk::system(), &path, &sums, layout, &|| true).unwrap().unwrap();
    let mut wrong = tar.clone();
    wrong[3] ^= 1;
    assert_eq!(tree.write(0, &wrong).unwrap_err().source.kind(), io::ErrorKind::InvalidData);
    assert!(!path.join("file").exists());
    tree.complete(|| Ok(())).unwrap();
    tree.write(0, &tar).unwrap();
    assert!(!path.join("file").exists());
    tree.reopen();
    tree.write(0, &tar).unwrap();
    assert_eq!(fs::read(path.join("file")).unwrap(), b"xxxx");
}

#[test]
fn what_is_below_is_never_reached_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (path, outside) = (folder.path().join("tree"), folder.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "theirs").unwrap();
    let sums = folder.path().join("sums");
    let layout = layout(&[entry("d", EntryKind::Directory), entry("d/file", EntryKind::File { bytes: 4 })]);
    let mut tar = vec![b'x'; layout.bytes() as usize];
    layout.fill_synthetic(0, &mut tar);
    let tree = StagingTree::create(&Disk::system(), &path, &sums, layout, &|| true).unwrap().unwrap();
    fs::rename(path.join("d"), path.join("gone")).unwrap();
    std::os::unix::fs::symlink(&outside, path.join("d")).unwrap();
    assert!(tree.write(0, &tar).is_err());
    assert!(tree.read(0, &mut tar).is_err());
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"theirs");
}

#[test]
fn a_tree_is_removed_whatever_its_modes_are_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, outside) = (folder.path().join("tree"), folder.path().join("outside"));
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "theirs").unwrap();
    let mode = fs::metadata(&outside).unwrap().mode();
    std::os::unix::fs::symlink(&outside, path.join("a/b/link")).unwrap();
    for directory in ["a/b", "a", ""] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path.join(directory), fs::Permissions::from_mode(0o000)).unwrap();
    }
    Disk::system().remove_all(&path).unwrap();
    assert!(!path.exists());
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"theirs");
    assert_eq!(fs::metadata(&outside).unwrap().mode(), mode);
    Disk::system().remove_all(&path).unwrap();
}

#[test]
fn the_kernels_version_says_whether_a_sync_of_all_reports_failed_writes() {
    for (release, reports) in [("6.1.0-18-amd64", true), ("5.8.0", true), ("5.7.19", false), ("", false)] {
        assert_eq!(reports_failed_writes(release), reports, "{release}");
    }
}

/// A file system that takes names that differ in case only for the same.
#[derive(Debug)]
struct Folding;

impl Medium for Folding {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        System.open(path, how)
    }

    fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
        System.open_below(root, &below.to_lowercase(), how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::MakeFolderBelow { root, below } => {
                System.perform(Step::MakeFolderBelow { root, below: &below.to_lowercase() })
            }
            Step::RemoveBelow { root, below } => {
                System.perform(Step::RemoveBelow { root, below: &below.to_lowercase() })
            }
            step => System.perform(step),
        }
    }
}

#[test]
fn names_that_the_file_system_takes_for_one_are_found_out() {
    let file = EntryKind::File { bytes: 1 };
    let link = EntryKind::Symlink { target: "other" };
    for (what, one, other) in [
        ("two files", ("FILE", file), ("file", file)),
        ("two directories", ("SUB", EntryKind::Directory), ("sub", EntryKind::Directory)),
        ("a link and a file", ("NAME", file), ("name", link)),
        ("two links", ("NAME", link), ("name", link)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&[entry(one.0, one.1), entry(other.0, other.1)]);
        let (path, sums) = (folder.path().join("tree"), folder.path().join("sums"));
        let create = |disk: &Disk, path: &Path| {
            StagingTree::create(disk, path, &sums, layout.clone(), &|| true).map(drop)
        };
        create(&Disk::system(), &folder.path().join("other")).unwrap();
        let error = create(&Disk::on(std::sync::Arc::new(Folding)), &path).expect_err(what);
        assert!(is_folding(&error), "{what}: {error}");
    }
}
