//! Tests of files under names that a download may replace, and of what the last run left beside them.

use super::*;
use crate::inbox::FolderAnswer;
use crate::library::Opening;
use crate::store::{At, FileIdentity, NameRecord, Record};
use std::fs;

fn is_waiting(driver: &Driver, manifest: &Manifest) -> bool {
    driver.library.get(manifest.key()).is_some_and(|it| matches!(it.phase, Phase::Accepted(_)))
}

fn has(driver: &Driver, manifest: &Manifest, chunks: u32) -> bool {
    driver.library.get(manifest.key()).is_some_and(
        |it| matches!(&it.phase, Phase::Fetching(it) if it.have.len() == chunks && it.blocked.is_none()),
    )
}

/// A file whose first chunk differs.
fn old(bytes: &[u8]) -> Vec<u8> {
    let mut old = bytes.to_vec();
    old[5] ^= 1;
    old
}

#[tokio::test]
async fn an_old_file_is_not_hashed_again_while_there_is_no_room_for_the_new_one() {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    fs::write(rig.file("x"), old(&bytes)).unwrap();
    rig.driver.settings.min_free_bytes = u64::MAX / 2;
    rig.get(&manifest, true).await.unwrap();
    rig.until("it waits for room", |driver| is_waiting(driver, &manifest)).await;
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
    assert!(is_waiting(&rig.driver, &manifest), "it is looked at again although there is no room");
    rig.driver.settings.min_free_bytes = 0;
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(7200));
    let status = rig.driver.status(None).unwrap().remove(0);
    assert_eq!(status.state, State::Checking);
    assert_eq!(status.reason.as_deref(), Some("creating its files"));
    let another = FileIdentity::at(&rig.file("gone")).at("open", &rig.file("gone")).unwrap_err();
    rig.driver.made(manifest.key(), &Opening::default(), Err(another));
    assert_eq!(
        rig.driver.status(None).unwrap()[0].state,
        State::Checking,
        "another one's place was not made"
    );
    rig.until("what fits is taken", |driver| has(driver, &manifest, 2)).await;
}

#[tokio::test]
async fn an_old_have_map_does_not_outlive_its_part() {
    for lies_there in [false, true] {
        let (mut rig, bytes) = (Rig::new(), bytes(3));
        let manifest = manifest_of("x", &bytes);
        rig.get(&manifest, true).await.unwrap();
        let part = rig.download(manifest.key()).file.path().to_owned();
        rig.driver.saver.idle().await;
        let folder = rig.folder.clone();
        drop(rig);
        fs::remove_file(&part).unwrap();
        let home = Home::open(folder.path()).unwrap();
        home.slot(manifest.key()).write_have(&HaveMap::full(manifest.count())).unwrap();
        drop(home);
        if lies_there {
            fs::write(folder.path().join("x"), old(&bytes)).unwrap();
        }
        let mut rig = Rig::on(folder);
        let chunks = if lies_there { 2 } else { 0 };
        rig.until("it goes on", |driver| has(driver, &manifest, chunks)).await;
        rig.driver.saver.idle().await;
        assert!(!part.with_file_name("have").exists(), "the have map is ahead of the data");
    }
}

#[tokio::test]
async fn what_a_crash_left_beside_a_finished_file_is_taken_away() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    let home = Home::open(folder.path()).unwrap();
    let slot = home.slot(manifest.key());
    slot.write_have(&HaveMap::full(manifest.count())).unwrap();
    fs::write(slot.part(), "left").unwrap();
    drop(home);
    let rig = Rig::on(folder);
    assert!(is_seeding(&rig.driver, &manifest));
    rig.driver.saver.idle().await;
    assert!(!slot.part().exists() && !slot.part().with_file_name("have").exists());
}

#[tokio::test]
async fn a_get_that_may_replace_is_remembered_for_a_download_that_waits_already() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.get(&manifest, true).await.unwrap();
    rig.driver.saver.idle().await;
    let loaded = rig.driver.home.slot(manifest.key()).load(&rig.driver.home).unwrap();
    assert!(loaded.record.names[0].replace);
}

#[tokio::test]
async fn a_record_made_anew_takes_no_name_from_one_that_was_saved() {
    let contents = [bytes(1), bytes(2)];
    for (saved, torn) in [(0, 1), (1, 0)] {
        let root = Arc::new(tempfile::tempdir().unwrap());
        let home = Home::open(root.path()).unwrap();
        let [saved_manifest, torn_manifest] = [saved, torn].map(|at| manifest_of("x", &contents[at]));
        fs::write(home.file(saved_manifest.name()), &contents[saved]).unwrap();
        for manifest in [&saved_manifest, &torn_manifest] {
            let published = Some(FileIdentity::at(&home.file(manifest.name())).unwrap());
            let name = NameRecord::new(manifest.name().clone(), published, Default::default());
            let key = manifest.key();
            let record = Record::wanted(key, None, 1, name);
            home.slot(key).create(&record, manifest).unwrap();
        }
        let torn_slot = home.slot(torn_manifest.key());
        fs::write(torn_slot.part().with_file_name("state.toml"), "torn").unwrap();
        drop(home);
        let rig = Rig::on(root);
        assert!(is_seeding(&rig.driver, &saved_manifest), "{:?}", rig.driver.status(None));
        assert_eq!(rig.driver.library.key_of(saved_manifest.name()), Some(saved_manifest.key()));
    }
}

#[tokio::test]
async fn a_file_that_nobody_remembers_is_found_although_the_folder_was_away() {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let (shared, away) = (root.path().join("shared"), root.path().join("away"));
    let home = Home::open(&shared).unwrap();
    let (bytes, manifest) = (bytes(1), manifest_of("x", &bytes(1)));
    fs::write(home.file(manifest.name()), &bytes).unwrap();
    fs::write(home.manifest_file(manifest.name()), manifest.to_text()).unwrap();
    let mut rig = Rig::with(root, home);
    fs::rename(&shared, &away).unwrap();
    rig.driver.shown(Ok(vec![manifest.name().clone()]));
    rig.until("the directory is missed", |driver| driver.folder.is_away()).await;
    fs::rename(&away, &shared).unwrap();
    rig.driver.answered(1, FolderAnswer::with_free(1 << 30));
    rig.until("it is served", |driver| is_seeding(driver, &manifest)).await;
}
