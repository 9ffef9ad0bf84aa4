//! Tests of the promises about downloads, each where it could be broken.

use super::contents::tree;
use super::*;
use crate::driver::reasons::no_room_words;
use crate::inbox::{CheckedFile, FolderAnswer};
use crate::library::TakeError;
use crate::store::FileIdentity;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// A manifest with the right chunks of other content under a wrong id, and the true manifest of the same name.
fn false_and_true(name: &str, bytes: &[u8]) -> (Manifest, Manifest) {
    let right = manifest_of(name, bytes);
    let (trackers, hashes) = (right.trackers().to_vec(), right.hashes().to_vec());
    let id = ResourceId([7; 32]);
    (Manifest::new(right.name().clone(), id, trackers, hashes).unwrap(), right)
}

#[tokio::test]
async fn a_whole_that_is_not_the_manifests_is_not_published_and_makes_way_for_the_true_manifest() {
    let mut rig = Rig::new();
    let bytes = bytes(3);
    let (lie, truth) = false_and_true("image.iso", &bytes);
    rig.get(&lie, false).await.unwrap();
    rig.receive(&lie, &bytes);
    let failed = |driver: &Driver| driver.status(None).is_ok_and(|all| all[0].state == State::Error);
    rig.until("it is found out", failed).await;
    let status = rig.driver.status(None).unwrap().remove(0);
    assert_eq!(status.kind, Some(ErrorKind::BadData), "{status:?}");
    assert!(status.reason.unwrap().contains("the manifest is wrong"));
    assert!(!rig.file("image.iso").exists());

    rig.finished(&truth, &bytes).await;
    assert_eq!(fs::read(rig.file("image.iso")).unwrap(), bytes);
    assert_eq!(rig.driver.status(None).unwrap().len(), 1, "the false one is gone");
}

/// Stores the chunks of a download in order on a thread of its own, and reports how many.
fn take_all(download: Arc<Download>, bytes: Vec<u8>) -> Receiver<usize> {
    let (taken, count) = channel();
    std::thread::spawn(move || {
        for (at, chunk) in bytes.chunks(CHUNK_BYTES as usize).enumerate() {
            match download.store(ChunkIndex(at as u32), chunk.to_vec().into()) {
                Ok(()) => _ = taken.send(at + 1),
                Err(TakeError::Ended) => return,
                Err(error) => panic!("{error}"),
            }
        }
    });
    count
}

#[tokio::test]
async fn no_more_than_64_chunks_are_written_before_the_map_on_disk_claims_them() {
    let mut rig = Rig::new();
    let bytes = bytes(66);
    let manifest = manifest_of("image.iso", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let download = rig.download(manifest.key());
    let count = take_all(download.clone(), bytes);
    while count.recv_timeout(CAP).unwrap() < 64 {}
    let further = count.recv_timeout(Duration::from_millis(200));
    assert_eq!(further, Err(RecvTimeoutError::Timeout), "nothing was noted yet");
    // The driver is told of them, syncs them and writes the have map.
    for index in 0..64 {
        rig.driver.handle(taken(&download, ChunkIndex(index)));
    }
    let noted = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.noted >= 64,
        _ => false,
    };
    rig.until("the map is written", noted).await;
    assert_eq!(count.recv_timeout(CAP), Ok(65));
    download.unnoted.end();
}

#[tokio::test]
async fn a_have_map_that_is_torn_or_gone_is_made_anew_from_the_data() {
    let damages: [fn(&std::path::Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, b"").unwrap(),
        |path| fs::write(path, b"whatever").unwrap(),
    ];
    for damage in damages {
        let mut rig = Rig::new();
        let bytes = bytes(4);
        let manifest = manifest_of("image.iso", &bytes);
        rig.get(&manifest, false).await.unwrap();
        rig.receive(&manifest, &bytes[..3 << 20]);
        let folder = rig.folder.clone();
        rig.driver.end().await;
        let have = folder.path().join(".tinytorrent/resources");
        let slot = fs::read_dir(have).unwrap().next().unwrap().unwrap().path();
        damage(&slot.join("have"));
        let mut rig = Rig::on(folder);
        let is_fetching =
            |driver: &Driver| matches!(driver.library.get(manifest.key()).unwrap().phase, Phase::Fetching(_));
        rig.until("the data is looked at", is_fetching).await;
        assert_eq!(rig.driver.status(None).unwrap()[0].chunks_have, 3);
    }
}

#[tokio::test]
async fn what_one_download_needs_is_not_promised_to_another_nor_is_the_floor() {
    let mut rig = Rig::new();
    rig.driver.settings.min_free_bytes = 1 << 20;
    let (first, second) = (manifest_of("first", &bytes(4)), manifest_of("second", &vec![9; 3 << 20]));
    rig.get(&first, false).await.unwrap();
    rig.get(&second, false).await.unwrap();
    rig.driver.answered(1, FolderAnswer::with_free(8 << 20));
    assert!(rig.driver.lacking_space(second.key()).is_none(), "4 + 3 + 1 MiB");
    rig.driver.answered(2, FolderAnswer::with_free((8 << 20) - 1));
    assert_eq!(
        no_room_words(&rig.driver.lacking_space(second.key()).unwrap()),
        "no space: 3 MiB needed, 2.9 MiB free (1 MiB are reserved by min_free_space, 4 MiB by other files)"
    );
    assert!(rig.driver.no_room(1 << 20, None).is_some(), "an import takes nobody's room either");

    rig.driver.answered(3, FolderAnswer::with_free((1 << 20) - 1));
    let waits = rig.driver.status(None).unwrap().iter().all(|status| status.state == State::Waiting);
    assert!(waits, "the floor is kept while they run: {:?}", rig.driver.status(None));

    rig.driver.answered(4, FolderAnswer::with_free(6 << 20));
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
    let waits = |driver: &Driver, name| driver.status(Some(name)).unwrap()[0].state == State::Waiting;
    let is_running = |driver: &Driver| {
        let blocked = |key| match &driver.library.get(key).unwrap().phase {
            Phase::Fetching(fetching) => fetching.blocked.is_some(),
            _ => true,
        };
        (blocked(first.key()), blocked(second.key())) != (true, true)
    };
    rig.until("one of them continues", is_running).await;
    assert!(waits(&rig.driver, "first") || waits(&rig.driver, "second"), "6 MiB are not enough for both");
    let words = ["first", "second"].map(|name| rig.driver.status(Some(name)).unwrap()[0].reason.clone());
    let needs = |words: &Option<String>| words.as_ref().is_some_and(|words| words.contains("no space: "));
    assert_eq!(words.iter().filter(|words| needs(words)).count(), 1, "{words:?}");
}

#[tokio::test]
async fn a_directory_that_is_to_be_laid_out_has_room_for_what_is_on_the_disk_twice() {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let turn = rig.driver.laying_out.clone().try_acquire_owned().unwrap();
    rig.receive(&manifest, &bytes);
    let twice = u64::from(manifest.count().get() * CHUNK_BYTES);
    rig.driver.answered(1, FolderAnswer::with_free(twice));
    assert!(rig.driver.no_room(1, None).is_some(), "all chunks are still to be moved");
    rig.driver.answered(2, FolderAnswer::with_free(twice + 1));
    assert!(rig.driver.no_room(1, None).is_none());
    drop(turn);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(rig.driver.no_room(twice + 1, None).is_none());
}

#[tokio::test]
async fn what_the_disk_does_not_read_is_written_anew_once() {
    let mut rig = Rig::new();
    let bytes = bytes(4);
    let manifest = manifest_of("image.iso", &bytes);
    let key = manifest.key();
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes[..2 << 20]);
    let reason = |rig: &mut Rig| {
        let mut good = HaveMap::empty(manifest.count());
        good.insert(ChunkIndex(0));
        let identity = FileIdentity::at(rig.folder.path()).unwrap();
        let unreadable = vec![ChunkIndex(1)];
        let checked = CheckedFile {
            good,
            whole: false,
            bytes: 2 << 20,
            unreadable,
            identity,
            content: None,
            tree: None,
            edited: None,
        };
        rig.driver.keep_what_is_good(key, checked);
        rig.driver.status(None).unwrap().remove(0)
    };
    for _ in 0..2 {
        assert_eq!(reason(&mut rig).state, State::Waiting, "for somebody who has it");
    }
    rig.receive(&manifest, &bytes[..2 << 20]);
    let status = reason(&mut rig);
    assert_eq!(status.state, State::Error);
    assert!(status.reason.unwrap().contains("chunk 1, even after it was written again; check the disk"));
}
