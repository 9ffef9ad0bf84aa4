//! Directories that lie in the shared directory after a crash, without some of what was noted of them, or edited.

use super::contents::tree;
use super::*;
use crate::store::{NameRecord, Slot};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// A driver with a finished directory.
async fn finished() -> (Rig, Manifest, Vec<u8>) {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.finished(&manifest, &bytes).await;
    rig.driver.saver.idle().await;
    (rig, manifest, bytes)
}

fn slot(rig: &Rig, manifest: &Manifest) -> Slot {
    rig.driver.home.slot(manifest.key())
}

fn part_of_slot(slot: &Slot, name: &str) -> PathBuf {
    slot.part().with_file_name(name)
}

/// The chunks that it serves.
fn served(rig: &Rig, manifest: &Manifest) -> u32 {
    let status = rig.driver.status(Some(manifest.name().as_str())).unwrap();
    assert_eq!(status[0].state, State::Seeding);
    status[0].chunks_have
}

/// Reads all chunks of what it serves.
#[track_caller]
fn check_chunks(rig: &Rig, manifest: &Manifest, bytes: &[u8]) {
    let source = rig.driver.library.get(manifest.key()).unwrap().source().unwrap();
    for (index, chunk) in manifest.count().indices().zip(bytes.chunks(CHUNK_BYTES as usize)) {
        assert!(source.read(index).unwrap() == chunk, "chunk {index}");
    }
}

/// Has the driver look at the files of directories until a condition holds.
async fn scan_until(rig: &mut Rig, what: &str, holds: impl Fn(&Driver) -> bool) {
    let (mut now, hour) = (Instant::now(), Duration::from_secs(3600));
    for _ in 0..100 {
        if holds(&rig.driver) {
            return;
        }
        now += hour;
        rig.driver.scan_trees(now);
        let input = tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("a look ends").unwrap();
        rig.driver.handle(input);
        // The pauses after a look are those of the real clock.
        rig.driver.scans = Default::default();
    }
    panic!("{what} does not come true: {:?}", rig.driver.status(None));
}

#[tokio::test]
async fn after_a_crash_between_its_switch_and_its_record_a_directory_is_found() {
    let (rig, manifest, bytes) = finished().await;
    let inode = fs::metadata(rig.file("x")).unwrap().ino();
    let mut record = rig.driver.library.get(manifest.key()).unwrap().record.clone();
    record.names = vec![NameRecord { published: None, ..record.names[0].clone() }];
    slot(&rig, &manifest).save(&record).unwrap();
    let folder = rig.folder.clone();
    drop(rig);

    let rig = Rig::on(folder);
    assert_eq!(served(&rig, &manifest), manifest.count().get(), "at once, without a check");
    check_chunks(&rig, &manifest, &bytes);
    rig.driver.saver.idle().await;
    assert!(!part_of_slot(&slot(&rig, &manifest), "tree").exists(), "nothing is laid out again");
    assert_eq!(fs::metadata(rig.file("x")).unwrap().ino(), inode, "nothing is moved");
}

#[tokio::test]
async fn a_directory_of_which_something_noted_is_lost_is_checked_and_served() {
    for (lost, state_too) in
        [("identities", false), ("identities", true), ("listing", false), ("listing", true)]
    {
        let (rig, manifest, bytes) = finished().await;
        fs::remove_file(part_of_slot(&slot(&rig, &manifest), lost)).unwrap();
        if state_too {
            fs::write(part_of_slot(&slot(&rig, &manifest), "state.toml"), "torn").unwrap();
        }
        let folder = rig.folder.clone();
        drop(rig);
        let mut rig = Rig::on(folder);
        // Without its record and its listing it is found by the search for strays.
        rig.driver.doubt(manifest.key(), ChunkIndex(1), "127.0.0.1:2".parse().unwrap());
        rig.until("it is served", |driver| {
            is_seeding(driver, &manifest) && driver.home.slot(manifest.key()).tree().has_identities()
        })
        .await;
        check_chunks(&rig, &manifest, &bytes);
        assert!(!part_of_slot(&slot(&rig, &manifest), "tree").exists(), "{lost}: nothing is laid out again");
    }
}

#[tokio::test]
async fn a_look_finds_edited_files_and_those_that_are_as_they_were_again() {
    let (mut rig, manifest, bytes) = finished().await;
    let (total, path, aside) = (manifest.count().get(), rig.file("x/a"), rig.file("aside"));
    scan_until(&mut rig, "a round is over", |driver| driver.scan.is_none() && driver.ticks == 0).await;
    assert_eq!(served(&rig, &manifest), total);

    fs::rename(&path, &aside).unwrap();
    fs::write(&path, "edited").unwrap();
    let is_edited = |driver: &Driver| {
        driver.library.get(manifest.key()).is_some_and(|resource| resource.edited.is_some())
    };
    scan_until(&mut rig, "the edit is found", is_edited).await;
    assert!(served(&rig, &manifest) < total);
    let reason = rig.driver.status(Some("x.tar")).unwrap()[0].reason.clone().unwrap();
    assert!(reason.contains("a was edited") && reason.contains("get --replace x.tar"), "{reason}");

    // A restart finds it again, and goes on serving the rest.
    let folder = rig.folder.clone();
    drop(rig);
    let mut rig = Rig::on(folder);
    scan_until(&mut rig, "the edit is found again", is_edited).await;
    let rest = served(&rig, &manifest);
    assert!((1..total).contains(&rest), "{rest} of {total}");

    fs::rename(&aside, &path).unwrap();
    scan_until(&mut rig, "the edit is undone", |driver| !is_edited(driver)).await;
    assert_eq!(served(&rig, &manifest), total);
    check_chunks(&rig, &manifest, &bytes);
}

#[tokio::test]
async fn a_check_names_edited_files_and_brings_restored_ones_back() {
    let (mut rig, manifest, bytes) = finished().await;
    let total = manifest.count().get();
    let original = fs::read(rig.file("x/a")).unwrap();
    let edit = |path: PathBuf, content: &[u8]| {
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(path, content).unwrap();
    };
    let verify = || |reply| Command::Verify { what: "x.tar".to_owned(), by: user(1000), reply };
    edit(rig.file("x/a"), b"edited");
    edit(rig.file("x/deep/empty"), b"not empty");
    let task = rig.ask(verify()).await.unwrap();
    rig.until("it is checked", |driver| served_is_less(driver, &manifest)).await;
    let state = rig.driver.find_task(task).unwrap().borrow().clone();
    let shared::rpc::control::TaskState::Verified { chunks_good, chunks_total, edited } = state else {
        panic!("{state:?}")
    };
    assert!(chunks_good < chunks_total);
    assert_eq!(edited.unwrap().first, ["a", "deep/empty"]);

    edit(rig.file("x/a"), &original);
    rig.ask(verify()).await.unwrap();
    let only_empty = |driver: &Driver| {
        let edited = driver.library.get(manifest.key()).and_then(|resource| resource.edited.clone());
        edited.is_some_and(|edited| edited.first == ["deep/empty"])
    };
    rig.until("one is right again", only_empty).await;
    assert_eq!(served(&rig, &manifest), total);
    check_chunks(&rig, &manifest, &bytes);
    edit(rig.file("x/deep/empty"), b"");
    rig.ask(verify()).await.unwrap();
    rig.until("all is right", |driver| {
        is_seeding(driver, &manifest) && driver.library.get(manifest.key()).unwrap().edited.is_none()
    })
    .await;
    check_chunks(&rig, &manifest, &bytes);
}

/// The request waits for room when ttd ends. What the disk damaged is not taken for complete after that.
#[tokio::test]
async fn a_damaged_directory_that_is_to_be_made_anew_is_not_complete_after_a_restart() {
    let (mut rig, manifest, bytes) = finished().await;
    let file = fs::File::options().write(true).open(rig.file("x/a")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"?", 0).unwrap();
    file.set_modified(modified).unwrap();
    rig.ask(|reply| Command::Verify { what: "x.tar".to_owned(), by: user(1000), reply }).await.unwrap();
    let phase = |driver: &Driver, is: fn(&Phase) -> bool| {
        driver.library.get(manifest.key()).is_some_and(|resource| is(&resource.phase))
    };
    rig.until("it is damaged", |driver| phase(driver, |it| matches!(it, Phase::Failed(_)))).await;
    rig.driver.settings.min_free_bytes = u64::MAX / 2;
    rig.get(&manifest, true).await.unwrap();
    rig.until("it waits for room", |driver| phase(driver, |it| matches!(it, Phase::Accepted(_)))).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);

    let mut rig = Rig::on(folder);
    let is_fetching = |driver: &Driver| {
        let resource = driver.library.get(manifest.key()).unwrap();
        assert!(!matches!(resource.phase, Phase::Seeding(_)), "nobody has looked at it");
        matches!(resource.phase, Phase::Fetching(_))
    };
    rig.until("it is fetched", is_fetching).await;
    rig.receive(&manifest, &bytes);
    rig.until("it is complete", |driver| is_seeding(driver, &manifest)).await;
    check_chunks(&rig, &manifest, &bytes);
}

#[tokio::test]
async fn a_link_or_a_directory_that_is_missing_is_named_and_every_chunk_is_served() {
    let (mut rig, manifest, bytes) = finished().await;
    let deep = rig.file("x/deep");
    fs::set_permissions(&deep, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::remove_file(deep.join("link")).unwrap();
    let verify = || |reply| Command::Verify { what: "x.tar".to_owned(), by: user(1000), reply };
    rig.ask(verify()).await.unwrap();
    let edited = |driver: &Driver| driver.library.get(manifest.key()).and_then(|it| it.edited.clone());
    rig.until("it is named", |driver| edited(driver).is_some_and(|edited| edited.first == ["deep/link"]))
        .await;
    assert_eq!(served(&rig, &manifest), manifest.count().get());
    check_chunks(&rig, &manifest, &bytes);
    std::os::unix::fs::symlink("../a", deep.join("link")).unwrap();
    rig.ask(verify()).await.unwrap();
    rig.until("it is whole", |driver| is_seeding(driver, &manifest) && edited(driver).is_none()).await;
}

#[tokio::test]
async fn a_directory_that_appears_while_a_replacement_is_fetched_is_kept_until_somebody_names_it() {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.get(&manifest, true).await.unwrap();
    let mine = rig.file("x/mine");
    let lay = || {
        fs::create_dir(rig.file("x")).unwrap();
        fs::write(rig.file("x/mine"), "mine").unwrap();
    };
    lay();
    rig.receive(&manifest, &bytes);
    let is_refused = |driver: &Driver| is_refused(driver, &manifest);
    rig.until("its place is found to be taken", is_refused).await;
    let reason = rig.driver.status(Some("x.tar")).unwrap()[0].reason.clone().unwrap();
    assert!(reason.contains("move it away") && reason.contains("get --replace x.tar"), "{reason}");
    assert_eq!(fs::read(&mine).unwrap(), b"mine");

    // A restart does not forget which directory was meant.
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    let mut rig = Rig::on(folder);
    rig.until("its place is found to be taken again", is_refused).await;
    assert_eq!(fs::read(&mine).unwrap(), b"mine");

    // It is replaced when somebody asks for that who can know of it.
    rig.get(&manifest, true).await.unwrap();
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(rig.file("x/deep/b").exists() && !mine.exists());
}

#[tokio::test]
async fn another_directory_in_the_place_of_the_one_to_be_replaced_is_kept() {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    fs::create_dir(rig.file("x")).unwrap();
    fs::write(rig.file("x/old"), "old").unwrap();
    rig.get(&manifest, true).await.unwrap();
    let is_fetched = |driver: &Driver| {
        driver.library.get(manifest.key()).is_some_and(|it| matches!(it.phase, Phase::Fetching(_)))
    };
    rig.until("it is fetched", is_fetched).await;
    fs::rename(rig.file("x"), rig.file("aside")).unwrap();
    fs::create_dir(rig.file("x")).unwrap();
    fs::write(rig.file("x/mine"), "mine").unwrap();
    rig.receive(&manifest, &bytes);
    let is_refused = |driver: &Driver| is_refused(driver, &manifest);
    rig.until("its place is found to be taken", is_refused).await;
    assert_eq!(fs::read(rig.file("x/mine")).unwrap(), b"mine");

    // The one that was meant is back, whatever has happened in it.
    fs::rename(rig.file("x"), rig.file("other")).unwrap();
    fs::rename(rig.file("aside"), rig.file("x")).unwrap();
    let resume = |reply| Command::Resume { what: "x.tar".to_owned(), reply };
    rig.ask(resume).await.unwrap();
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert_eq!(fs::read(rig.file("other/mine")).unwrap(), b"mine");
}

/// Whether its place is taken, and its publication, which may have begun before, has found that too.
fn is_refused(driver: &Driver, manifest: &Manifest) -> bool {
    let phase = driver.library.get(manifest.key()).map(|it| &it.phase);
    let is_complete = matches!(phase, Some(Phase::Fetching(fetching)) if fetching.verified);
    let state = driver.status(Some(manifest.name().as_str())).unwrap()[0].state;
    is_complete && driver.publishing.is_empty() && state == State::Error
}

fn served_is_less(driver: &Driver, manifest: &Manifest) -> bool {
    let status = &driver.status(Some(manifest.name().as_str())).unwrap()[0];
    status.state == State::Seeding && status.chunks_have < manifest.count().get()
}
