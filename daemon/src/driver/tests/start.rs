//! Tests of a start, and of a folder that comes back, on a slow disk: the driver answers meanwhile.

use super::*;
use crate::inbox::{Command, FolderAnswer, Input, ToShare, Wanted};
use crate::store::{Disk, FileIdentity, Medium, NameRecord, NotHere, Open, Record, Step, System};
use shared::host::hashing::Hashed;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// A disk that reads small files only as often as a test allows.
#[derive(Debug, Default)]
struct Slow {
    state: Mutex<Reads>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Reads {
    done: u32,
    allowed: u32,
}

impl Slow {
    fn allow(&self, reads: u32) {
        self.state.lock().unwrap().allowed += reads;
        self.changed.notify_all();
    }

    fn forbid(&self) {
        let mut state = self.state.lock().unwrap();
        state.allowed = state.done;
    }

    fn done(&self) -> u32 {
        self.state.lock().unwrap().done
    }
}

impl Medium for Slow {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        System.open(path, how)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        System.perform(step)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let mut state = self.changed.wait_while(state, |reads| reads.done >= reads.allowed).unwrap();
        state.done += 1;
        drop(state);
        System.read(path, bytes_max)
    }
}

/// Finished resources of the last run with names in order, and a driver that has just started on them. Its disk does
/// not read yet.
fn started(count: usize) -> (Rig, Arc<Slow>, Vec<Manifest>) {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let home = Home::open(root.path()).unwrap();
    let manifests = (0..count).map(|at| {
        let bytes = at.to_string().repeat(20).into_bytes();
        let manifest = manifest_of(&format!("file-{at:03}"), &bytes);
        fs::write(home.file(manifest.name()), &bytes).unwrap();
        let published = Some(FileIdentity::at(&home.file(manifest.name())).unwrap());
        let name = NameRecord::new(manifest.name().clone(), published, Default::default());
        let key = manifest.key();
        let record = Record::wanted(key, None, 1, name);
        home.slot(key).create(&record, &manifest).unwrap();
        fs::write(home.manifest_file(manifest.name()), manifest.to_text()).unwrap();
        manifest
    });
    let manifests = manifests.collect();
    drop(home);
    let disk = Arc::new(Slow::default());
    let home = Home::open_on(Disk::on(disk.clone()), root.path()).unwrap();
    let mut rig = Rig::not_restored(root, home);
    drop(rig.driver.restore());
    (rig, disk, manifests)
}

/// Lets the disk read until a condition holds.
async fn read_until(rig: &mut Rig, disk: &Slow, holds: impl Fn(&Driver) -> bool) {
    let begin = Instant::now();
    while !holds(&rig.driver) {
        assert!(begin.elapsed() < CAP, "{:?}", rig.driver.status(None));
        disk.allow(1);
        if let Ok(Some(input)) = tokio::time::timeout(Duration::from_millis(5), rig.inputs.recv()).await {
            rig.driver.handle(input);
        }
    }
}

#[tokio::test]
async fn the_driver_answers_before_it_has_looked_at_anything() {
    let (mut rig, disk, manifests) = started(3);
    rig.until("the places are listed", |driver| driver.status(None).unwrap().len() == 3).await;
    for status in rig.driver.status(None).unwrap() {
        assert_eq!(status.state, State::Checking);
        assert!(status.reason.unwrap().contains("not examined yet"));
    }
    // Any answer about one that is not loaded yet would be wrong.
    let (reply, mut accepted) = oneshot::channel();
    let wanted = Wanted::known(manifests[0].clone(), false, user(1000));
    rig.driver.handle(Input::Command(Command::Get { wanted, reply }));
    let (reply, mut paused) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Pause { what: "file-001".to_owned(), reply }));
    let (reply, mut unknown) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Pause { what: "file-007".to_owned(), reply }));
    assert!(accepted.try_recv().is_err() && paused.try_recv().is_err() && unknown.try_recv().is_err());
    let no_id = ResourceId([5; 32]).to_string();
    let refused = rig.ask(|reply| Command::Pause { what: no_id, reply }).await.unwrap_err();
    assert!(refused.message.contains("no such file here"), "no place is of it: {refused}");

    read_until(&mut rig, &disk, |driver| driver.status(None).unwrap().iter().all(|it| it.chunks_have == 1))
        .await;
    assert!(is_seeding(&rig.driver, &manifests[2]));
    rig.driver.saver.idle().await;
    assert!(rig.answered(accepted).await.unwrap().complete);
    assert_eq!(rig.answered(paused).await.unwrap(), [manifests[1].name().clone()]);
    assert!(rig.answered(unknown).await.unwrap_err().message.contains("no such file here"));
    disk.allow(1000); // strays are looked for
}

#[tokio::test]
async fn what_is_asked_for_is_looked_at_first() {
    let (mut rig, disk, mut manifests) = started(200);
    manifests.sort_by_key(Manifest::key); // the order in which they are looked at
    let last = [&manifests[198], &manifests[199]];
    let (name, id) = (last[0].name().to_string(), last[1].resource().to_string());
    let answers = [name, id].map(|what| {
        let (reply, answer) = oneshot::channel();
        rig.driver.handle(Input::Command(Command::Peers { what: Some(what), reply }));
        answer
    });
    let are_known = |driver: &Driver| last.iter().all(|it| driver.library.get(it.key()).is_some());
    read_until(&mut rig, &disk, are_known).await;
    let reads = disk.done();
    assert!(reads < 300, "{reads} of 400 small files were read before theirs");
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    disk.allow(1000);
}

#[tokio::test]
async fn a_command_that_has_waited_for_long_is_refused() {
    let (mut rig, disk, _) = started(1);
    let (reply, answer) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Verify { what: "file-009".to_owned(), by: user(1000), reply }));
    rig.driver.refuse_parked(Instant::now() + Duration::from_secs(25));
    let refused = answer.await.unwrap().unwrap_err();
    assert!(refused.message.contains("has just started"), "{refused}");
    disk.allow(1000);
}

#[tokio::test]
async fn the_driver_answers_while_it_looks_at_a_folder_that_is_back() {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let disk = Arc::new(Slow::default());
    disk.allow(u32::MAX / 2);
    let home = Home::open_on(Disk::on(disk.clone()), root.path()).unwrap();
    let mut rig = Rig::with(root, home);
    let bytes = bytes(3);
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes[..2 << 20]);
    rig.driver.sync_all();
    rig.driver.saver.idle().await;

    rig.driver.folder_lost(NotHere::Missing(rig.folder.path().to_owned()));
    disk.forbid();
    rig.driver.answered(1, FolderAnswer::with_free(1 << 30));
    let status = rig.driver.status(None).unwrap().remove(0);
    assert_eq!(status.state, State::Checking);
    assert!(status.reason.unwrap().contains("examining its files"));
    read_until(&mut rig, &disk, |driver| driver.status(None).unwrap()[0].chunks_have == 2).await;
    rig.driver.saver.idle().await;
}

#[tokio::test]
async fn what_is_shared_is_added_to_a_resource_that_was_not_looked_at_yet() {
    let (mut rig, disk, manifests) = started(3);
    rig.until("the places are listed", |driver| driver.status(None).unwrap().len() == 3).await;
    let (manifest, path) = (&manifests[2], rig.file("copy"));
    let (name, trackers) = ("copy".parse().unwrap(), manifest.trackers().to_vec());
    fs::copy(rig.file("file-002"), &path).unwrap();
    let identity = FileIdentity::at(&path).unwrap();
    let hashed =
        Hashed { resource: manifest.resource(), hashes: manifest.hashes().to_vec(), bytes: identity.bytes };
    let request = ToShare {
        name,
        trackers,
        bytes: identity.bytes,
        data_bytes: 0,
        replace: true,
        tree: None,
        lost: Vec::new(),
        by: user(1000),
        to_be_signed: false,
    };
    let (task, _handle) = rig.driver.begin_task().unwrap();
    rig.driver.cleared(task, &request, (hashed, identity), None);
    read_until(&mut rig, &disk, |driver| driver.status(None).unwrap().iter().all(|it| it.chunks_have == 1))
        .await;
    let record = &rig.driver.library.get(manifest.key()).unwrap().record;
    let mut names: Vec<_> = record.names.iter().map(|record| record.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["copy", "file-002"]);
    disk.allow(1000);
}
