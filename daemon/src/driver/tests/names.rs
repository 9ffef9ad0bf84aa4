//! Tests of names that are taken, replaced and removed at bad moments, and of damage that must be remembered.

use super::contents::tree;
use super::*;
use crate::inbox::{Command, TaskInput};
use crate::store::Disk;
use crate::store::faulty::{DiskFault, Faulty};
use std::fs;

#[tokio::test]
async fn a_name_that_is_taken_does_not_keep_the_others_from_being_published() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let (one, two) = (manifest_of("one", &bytes), manifest_of("two", &bytes));
    rig.get(&one, false).await.unwrap();
    rig.get(&two, false).await.unwrap();
    fs::write(rig.file("one"), "mine").unwrap();
    rig.receive(&one, &bytes);
    rig.until("the other name is published", |driver| is_seeding(driver, &two)).await;
    assert!(fs::read(rig.file("two")).unwrap() == bytes);
    assert_eq!(fs::read(rig.file("one")).unwrap(), b"mine");
    assert_eq!(rig.driver.status(Some("one")).unwrap()[0].state, State::Error);
}

#[tokio::test]
async fn what_was_changed_or_is_not_ours_is_not_removed() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let (one, two) = (manifest_of("one", &bytes), manifest_of("two", &bytes));
    for manifest in [&one, &two] {
        rig.get(manifest, false).await.unwrap();
    }
    rig.receive(&one, &bytes);
    rig.until("both are published", |driver| is_seeding(driver, &one) && is_seeding(driver, &two)).await;
    fs::write(rig.file("one"), "edited since").unwrap();
    fs::write(rig.file("one.tinytorrent"), "somebody's own").unwrap();
    for what in ["one", "two"] {
        rig.ask(|reply| Command::Remove { what: what.to_owned(), delete: true, by: user(1000), reply })
            .await
            .unwrap();
    }
    assert_eq!(fs::read(rig.file("one")).unwrap(), b"edited since");
    assert_eq!(fs::read(rig.file("one.tinytorrent")).unwrap(), b"somebody's own");
    assert!(!rig.file("two").exists() && !rig.file("two.tinytorrent").exists());
}

#[tokio::test]
async fn damage_that_a_peer_complained_of_outlasts_a_restart() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let file = fs::File::options().write(true).open(rig.file("x")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"wrong", 99).unwrap();
    file.set_modified(modified).unwrap();
    rig.driver.doubt(manifest.key(), ChunkIndex(0), "127.0.0.1:2".parse().unwrap());
    let is_failed = |driver: &Driver| driver.status(Some("x")).unwrap()[0].state == State::Error;
    rig.until("the damage is found", is_failed).await;
    rig.driver.saver.idle().await;

    let folder = rig.folder.clone();
    drop(rig);
    let mut rig = Rig::on(folder);
    assert!(!is_seeding(&rig.driver, &manifest), "it is served again, unseen");
    rig.until("the damage is found again", is_failed).await;
}

#[tokio::test]
async fn a_replacement_that_finds_no_room_leaves_what_is_there() {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let disk = Arc::new(Faulty::new(&root.path().join("grave")));
    let home = Home::open_on(Disk::on(disk.clone()), &root.path().join("shared")).unwrap();
    let (mut rig, old, new) = (Rig::with(root, home), bytes(1), bytes(2));
    let (was, wanted) = (manifest_of("x", &old), manifest_of("x", &new));
    rig.finished(&was, &old).await;
    disk.refuse_from(0, DiskFault::Full);
    let refused = rig.get(&wanted, true).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    assert!(is_seeding(&rig.driver, &was));
    disk.heal();
    rig.get(&wanted, true).await.unwrap();
    rig.receive(&wanted, &new);
    let is_replaced =
        |driver: &Driver| driver.library.get(was.key()).is_none() && is_seeding(driver, &wanted);
    rig.until("it is replaced", is_replaced).await;
}

/// A driver in which a download was laid out as a directory and then lost its name `x.tar`. It has the name `data`.
async fn laid_out_as_data(bytes: &[u8]) -> (Rig, Manifest) {
    let mut rig = Rig::new();
    let (tar, data) = (manifest_of("x.tar", bytes), manifest_of("data", bytes));
    rig.get(&tar, false).await.unwrap();
    rig.get(&data, false).await.unwrap();
    let download = rig.download(tar.key());
    download.store(ChunkIndex(0), bytes[..CHUNK_BYTES as usize].to_vec().into()).unwrap();
    rig.driver.handle(taken(&download, ChunkIndex(0)));
    rig.until("it is laid out", |driver| driver.library.get(tar.key()).unwrap().is_tree).await;
    let remove = |reply| Command::Remove { what: "x.tar".to_owned(), delete: false, by: user(1000), reply };
    rig.ask(remove).await.unwrap();
    let reason = |driver: &Driver| driver.status(Some("data")).unwrap()[0].reason.clone().unwrap_or_default();
    rig.until("it says why it waits", |driver| {
        reason(driver).starts_with("data was laid out as a directory")
    })
    .await;
    assert_eq!(rig.driver.status(Some("data")).unwrap()[0].state, State::Error);
    (rig, tar)
}

#[tokio::test]
async fn a_directory_that_lost_its_name_is_published_when_it_has_it_again() {
    let bytes = tree();
    let (mut rig, tar) = laid_out_as_data(&bytes).await;
    rig.get(&tar, false).await.unwrap();
    assert_ne!(rig.driver.status(Some("x.tar")).unwrap()[0].state, State::Error);
    rig.receive(&tar, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &tar)).await;
    assert!(rig.file("x/deep").is_dir() && !rig.file("data").exists());
    let status = rig.driver.status(Some("data")).unwrap().remove(0);
    assert!(status.reason.unwrap().contains("the same directory is here as x.tar"));
}

#[tokio::test]
async fn a_directory_whose_name_is_of_a_file_is_fetched_as_one_after_it_was_removed() {
    let bytes = tree();
    let (mut rig, _) = laid_out_as_data(&bytes).await;
    let remove = |reply| Command::Remove { what: "data".to_owned(), delete: false, by: user(1000), reply };
    rig.ask(remove).await.unwrap();
    let data = manifest_of("data", &bytes);
    rig.finished(&data, &bytes).await;
    assert!(fs::read(rig.file("data")).unwrap() == bytes);
}

#[tokio::test]
async fn a_look_at_a_name_from_before_the_file_got_it_does_not_count() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let (reply, answer) = oneshot::channel();
    let wanted = Wanted::known(manifest.clone(), false, user(1000));
    rig.driver.handle(Input::Command(Command::Get { wanted, reply }));
    let looked = async {
        loop {
            match rig.inputs.recv().await.unwrap() {
                looked @ Input::Task(TaskInput::Asked { .. }) => return looked,
                other => rig.driver.handle(other),
            }
        }
    };
    let looked = tokio::time::timeout(CAP, looked).await.expect("it is looked at");
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.handle(looked); // it saw nothing
    assert!(rig.answered(answer).await.unwrap().complete);
    assert!(is_seeding(&rig.driver, &manifest) && rig.file("x").exists());
}

/// A machine whose daemon is killed at each step in turn after a download is complete, and which loses power after the
/// next daemon has found the file.
#[tokio::test]
async fn a_name_from_before_a_kill_is_durable_once_the_next_daemon_serves_the_file() {
    let (bytes, mut is_stopped) = (bytes(2), true);
    let manifest = manifest_of("x", &bytes);
    for step in 1.. {
        let root = Arc::new(tempfile::tempdir().unwrap());
        let disk = Arc::new(Faulty::new(&root.path().join("grave")));
        let start = || Rig::with(root.clone(), Home::open_on(Disk::on(disk.clone()), root.path()).unwrap());
        let mut rig = start();
        rig.get(&manifest, false).await.unwrap();
        rig.driver.saver.idle().await;
        rig.receive(&manifest, &bytes);
        disk.stop_at(disk.steps() + step, false);
        rig.until("it stops, or it is published", |driver| {
            disk.has_stopped() || is_seeding(driver, &manifest)
        })
        .await;
        rig.driver.saver.idle().await;
        is_stopped &= disk.has_stopped();
        for is_lost in [false, true] {
            disk.stop_at(0, false);
            rig.driver.home.abandon();
            drop(rig);
            if is_lost {
                disk.cut_power(|| true);
            }
            disk.revive();
            rig = start();
            let is_gone = |driver: &Driver| driver.status(Some("x")).unwrap()[0].state == State::Error;
            let misses = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
                Phase::Fetching(fetching) => fetching.blocked.is_none() && !fetching.have.is_full(),
                _ => false,
            };
            rig.until("it is known what is here", |driver| {
                is_seeding(driver, &manifest) || is_gone(driver) || misses(driver)
            })
            .await;
            assert!(!is_gone(&rig.driver), "killed before step {step}: it counts as deleted");
            if misses(&rig.driver) {
                rig.receive(&manifest, &bytes);
                rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
            }
            rig.driver.saver.idle().await;
        }
        if !is_stopped {
            return;
        }
    }
}

/// A user puts it there, or a power cut brings back the part file of a download that was published.
#[tokio::test]
async fn a_file_that_has_the_name_and_the_content_when_a_download_ends_is_the_published_one() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let path = rig.driver.home.file(manifest.name());
    std::fs::write(&path, &bytes).unwrap();
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.saver.idle().await;
    let slot = rig.driver.library.get(manifest.key()).unwrap().slot.clone();
    assert!(!slot.part().exists(), "the bytes are there twice");
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert!(rig.driver.home.manifest_file(manifest.name()).exists());
}
