//! A directory with many files takes long to lay out, to publish, to share and to remove. Meanwhile the driver answers,
//! and the saver saves. Instead of many files the tests have a disk that holds one step until they let it go.

use super::{CAP, Rig, bytes, comes_true, is_seeding, manifest_of, user};
use crate::inbox::{Command, ToShare};
use crate::store::{Disk, Home, Medium, Open, Root, Step, System};
use shared::id::ResourceId;
use shared::rpc::control::State;
use shared::tree::{Entry, EntryKind, Listing, Sums, Symlinks, TreeLayout, TreeOptions, TreePath};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MakeFile,
    SyncAll,
    Identities,
    RemoveAll,
}

#[derive(Debug, Default)]
struct Holding {
    state: Mutex<(Option<Kind>, bool)>,
    let_go: Condvar,
}

impl Holding {
    fn hold(&self, kind: Kind) {
        *self.state.lock().unwrap() = (Some(kind), false);
    }

    fn is_holding(&self) -> bool {
        self.state.lock().unwrap().1
    }

    fn let_go(&self) {
        *self.state.lock().unwrap() = (None, false);
        self.let_go.notify_all();
    }

    fn pass(&self, kind: Kind) {
        let mut state = self.state.lock().unwrap();
        while state.0 == Some(kind) {
            state.1 = true;
            let waited = self.let_go.wait_timeout(state, 2 * CAP).unwrap();
            assert!(!waited.1.timed_out(), "nobody lets it go: the test itself waits for it");
            state = waited.0;
        }
    }
}

impl Medium for Holding {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        if path.ends_with("identities.new") {
            self.pass(Kind::Identities);
        }
        System.open(path, how)
    }

    fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
        if how == Open::New {
            self.pass(Kind::MakeFile);
        }
        System.open_below(root, below, how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::SyncAll { .. } => self.pass(Kind::SyncAll),
            Step::RemoveAll { .. } => self.pass(Kind::RemoveAll),
            _ => {}
        }
        System.perform(step)
    }
}

/// A driver on a disk that holds what it is told to.
fn rig() -> (Rig, Arc<Holding>) {
    let (disk, folder) = (Arc::new(Holding::default()), Arc::new(tempfile::tempdir().unwrap()));
    let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
    (Rig::with(folder, home), disk)
}

/// Waits until the disk holds something. Then the driver must answer, and the saver must have nothing left to do.
async fn must_answer(rig: &mut Rig, disk: &Holding) {
    let held = async {
        while !disk.is_holding() {
            tokio::select! {
                input = rig.inputs.recv() => rig.driver.handle(input.unwrap()),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
    };
    tokio::time::timeout(CAP, held).await.expect("something is held");
    rig.ask(|reply| Command::Status { what: None, reply }).await.unwrap();
    let idle = rig.driver.saver.idle();
    tokio::time::timeout(CAP, idle).await.expect("the saver does not wait for it");
    assert!(disk.is_holding());
}

/// The tar of a directory.
fn tar() -> Vec<u8> {
    let entry = |path: &'static str, mode, kind| Entry {
        path: TreePath::new(path).unwrap(),
        mode,
        time: Some(7),
        kind,
    };
    let entries = [
        entry("", 0o755, EntryKind::Directory),
        entry("one", 0o644, EntryKind::File { bytes: 3 }),
        entry("two", 0o644, EntryKind::File { bytes: 3 }),
    ];
    let layout = TreeLayout::new(Listing::new("app".parse().unwrap(), entries).unwrap()).unwrap();
    let (mut tar, mut sums) = (vec![0; layout.bytes() as usize], Sums::unknown(&layout));
    layout.fill_synthetic(0, &mut tar);
    for index in layout.listing().indices().skip(1) {
        let range = layout.content_range(index);
        tar[range.start as usize..range.end as usize].copy_from_slice(b"app");
        sums.set(index, ResourceId::of(b"app"));
    }
    let range = layout.sums_range();
    tar[range.start as usize..range.end as usize].copy_from_slice(&sums.to_bytes(&layout));
    tar
}

#[tokio::test]
async fn a_directory_that_is_laid_out_published_or_removed_holds_nobody_up() {
    let ((mut rig, disk), tar) = (rig(), tar());
    let manifest = manifest_of("app.tar", &tar);
    rig.get(&manifest, false).await.unwrap();
    disk.hold(Kind::MakeFile);
    rig.receive(&manifest, &tar);
    must_answer(&mut rig, &disk).await;
    disk.let_go();
    disk.hold(Kind::Identities);
    must_answer(&mut rig, &disk).await;
    disk.let_go();
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;

    disk.hold(Kind::RemoveAll);
    let remove = |reply| Command::Remove { what: "app".to_owned(), delete: true, by: user(1000), reply };
    rig.ask(remove).await.unwrap();
    must_answer(&mut rig, &disk).await;
    assert!(!rig.file("app").exists(), "its name is gone at once");
    assert!(fs::read_dir(rig.file(".tinytorrent/resources")).unwrap().next().is_none());
    // The same name can have something else already.
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &tar);
    rig.until("it is here again", |driver| is_seeding(driver, &manifest)).await;
    let trash = || fs::read_dir(rig.file(".tinytorrent/trash")).unwrap().count();
    assert_eq!(trash(), 1);
    disk.let_go();
    comes_true("that it is deleted", || trash() == 0).await;
    assert_eq!(fs::read(rig.file("app/one")).unwrap(), b"app");
}

#[tokio::test]
async fn a_directory_that_is_laid_out_holds_up_no_other_download() {
    let ((mut rig, disk), tar, plain) = (rig(), tar(), bytes(2));
    let (directory, file) = (manifest_of("app.tar", &tar), manifest_of("plain.tar", &plain));
    rig.get(&directory, false).await.unwrap();
    disk.hold(Kind::MakeFile);
    rig.receive(&directory, &tar);
    must_answer(&mut rig, &disk).await;
    rig.get(&file, false).await.unwrap();
    rig.receive(&file, &plain);
    rig.until("the file is published", |driver| is_seeding(driver, &file)).await;
    let status = rig.driver.status(Some("app.tar")).unwrap();
    let reason = status[0].reason.clone().unwrap_or_default();
    assert!(reason.starts_with("laying out its directory"), "{reason}");
    disk.let_go();
    rig.until("the directory is published", |driver| is_seeding(driver, &directory)).await;
}

#[tokio::test]
async fn a_directory_that_is_shared_holds_nobody_up() {
    let (mut rig, disk) = rig();
    fs::create_dir(rig.file("app")).unwrap();
    fs::write(rig.file("app/one"), "app").unwrap();
    disk.hold(Kind::Identities);
    let options = TreeOptions { symlinks: Symlinks::Inside, skip_special: false, has_times: true };
    let request = ToShare {
        trackers: vec!["tt://127.0.0.1:1".parse().unwrap()],
        ..ToShare::in_place("app.tar".parse().unwrap(), Some(options), user(1000))
    };
    let again = request.clone();
    rig.ask(|reply| Command::Share { request, reply }).await.unwrap();
    must_answer(&mut rig, &disk).await;
    let twice = rig.ask(|reply| Command::Share { request: again.clone(), reply }).await.unwrap_err();
    assert!(twice.message.contains("is being shared already"), "{twice:?}");
    disk.let_go();
    let is_shared = |driver: &crate::driver::Driver| {
        driver.status(Some("app")).is_ok_and(|status| status[0].state == State::Seeding)
    };
    rig.until("it is shared", is_shared).await;
    rig.ask(|reply| Command::Share { request: again, reply }).await.unwrap();
}

#[tokio::test]
async fn what_an_earlier_run_had_not_deleted_yet_is_deleted_after_the_start() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    for place in ["imports/3.part/tree/sub", "trash/0/sub"] {
        fs::create_dir_all(folder.path().join(".tinytorrent").join(place)).unwrap();
    }
    let disk = Arc::new(Holding::default());
    disk.hold(Kind::RemoveAll);
    let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
    let mut rig = Rig::with(folder, home);
    must_answer(&mut rig, &disk).await;
    disk.let_go();
    let left = || {
        let count = |place: &str| fs::read_dir(rig.file(".tinytorrent").join(place)).unwrap().count();
        count("imports") + count("trash")
    };
    comes_true("that it is deleted", || left() == 0).await;
}
