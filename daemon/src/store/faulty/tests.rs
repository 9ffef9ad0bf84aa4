//! Tests of the faulty disk itself.

use super::*;

fn write(disk: &Faulty, file: &File, bytes: &[u8]) {
    disk.perform(Step::Write { file, offset: 0, bytes }).unwrap();
}

#[test]
fn a_revived_disk_forgets_nothing_unsynced() {
    let root = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(&root.path().join("grave"));
    let path = root.path().join("file");
    let file = faulty.open(&path, Open::Empty).unwrap();
    write(&faulty, &file, b"synced");
    faulty.perform(Step::SyncFile { file: &file }).unwrap();
    faulty.perform(Step::SyncFolder { path: root.path() }).unwrap();
    write(&faulty, &file, b"latest");

    faulty.stop_at(0, false);
    assert!(faulty.perform(Step::Write { file: &file, offset: 0, bytes: b"nobody" }).is_err());
    faulty.revive();
    assert_eq!(fs::read(&path).unwrap(), b"latest", "a process that ends loses nothing");
    faulty.perform(Step::Write { file: &file, offset: 6, bytes: b"!" }).unwrap();

    faulty.stop_at(0, false);
    faulty.cut_power(|| true);
    assert_eq!(
        fs::read(&path).unwrap(),
        b"synced",
        "what was written before the return was durable by itself"
    );
}

#[test]
fn a_write_back_fails_for_the_file_that_was_meant_and_is_told_once() {
    let root = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(&root.path().join("grave"));
    let open = |name: &str| faulty.open(&root.path().join(name), Open::Empty).unwrap();
    let (one, other) = (open("one"), open("other"));
    let inode = other.metadata().unwrap().ino();
    faulty.refuse_from(0, DiskFault::WriteBackOf(inode));
    write(&faulty, &one, b"bytes");
    write(&faulty, &other, b"bytes");

    faulty.perform(Step::SyncFile { file: &one }).unwrap();
    assert_eq!(faulty.lost(), BTreeSet::new(), "nothing failed yet");
    assert!(faulty.perform(Step::SyncFile { file: &other }).is_err());
    assert!(faulty.perform(Step::SyncFile { file: &other }).is_ok(), "a failure is told once");
    assert_eq!(faulty.lost(), BTreeSet::from([inode]));

    write(&faulty, &other, b"again");
    faulty.perform(Step::SyncFile { file: &other }).unwrap();
    assert_eq!(faulty.lost(), BTreeSet::new(), "what is written again is there");
}

#[test]
fn a_failed_write_back_loses_data_but_no_length() {
    let root = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(&root.path().join("grave"));
    let path = root.path().join("file");
    let file = faulty.open(&path, Open::Empty).unwrap();
    write(&faulty, &file, b"file and more");
    faulty.perform(Step::SyncFile { file: &file }).unwrap();
    faulty.perform(Step::SyncFolder { path: root.path() }).unwrap();
    faulty.refuse_from(0, DiskFault::WriteBack);
    faulty.perform(Step::Cut { file: &file, bytes: 4 }).unwrap();
    write(&faulty, &file, b"FILE");
    assert!(faulty.perform(Step::SyncFile { file: &file }).is_err());
    write(&faulty, &file, b"FILE");
    faulty.perform(Step::SyncFile { file: &file }).unwrap();
    assert_eq!(faulty.lost(), BTreeSet::new(), "all that was lost is written again");
    faulty.stop_at(0, false);
    faulty.cut_power(|| true);
    assert_eq!(fs::read(&path).unwrap(), b"FILE");
}

#[test]
fn a_sync_that_fails_on_a_broken_disk_drops_what_was_written() {
    let root = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(&root.path().join("grave"));
    let path = root.path().join("file");
    let file = faulty.open(&path, Open::Empty).unwrap();
    let inode = file.metadata().unwrap().ino();
    write(&faulty, &file, b"first");
    faulty.perform(Step::SyncFile { file: &file }).unwrap();

    faulty.refuse_from(0, DiskFault::Broken);
    assert!(faulty.perform(Step::SyncFile { file: &file }).is_err());
    assert_eq!(faulty.dropped_at(inode), None, "all of it was on the disk");
    faulty.heal();
    write(&faulty, &file, b"other");
    faulty.refuse_from(0, DiskFault::Broken);
    assert!(faulty.perform(Step::SyncFile { file: &file }).is_err());
    assert!(faulty.dropped_at(inode).is_some());
    assert_eq!(fs::read(&path).unwrap(), b"first");
}
