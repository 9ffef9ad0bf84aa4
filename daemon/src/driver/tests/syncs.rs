//! Tests of failing syncs. Linux reports a failed write-back once per open file, and shows the lost bytes to readers
//! until it drops them from memory.

use super::*;
use crate::library::Fetching;
use crate::store::faulty::{DiskFault, Faulty};
use crate::store::{Disk, StoreError};
use std::fs;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};

fn fetching(driver: &mut Driver, key: SwarmKey) -> &mut Fetching {
    match &mut driver.library.get_mut(key).unwrap().phase {
        Phase::Fetching(fetching) => fetching,
        phase => panic!("no download: {phase:?}"),
    }
}

fn rig_on_faulty() -> (Rig, Arc<Faulty>) {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let disk = Arc::new(Faulty::new(&root.path().join("grave")));
    let home = Home::open_on(Disk::on(disk.clone()), root.path()).unwrap();
    (Rig::with(root, home), disk)
}

fn failure() -> StoreError {
    StoreError { doing: "sync", path: "x.part".into(), source: io::Error::other("the disk failed") }
}

/// Missing chunks arrive until the file is published. Then the power is cut, and the file is still right.
async fn must_end_right(mut rig: Rig, disk: &Faulty, manifest: &Manifest, bytes: &[u8]) {
    let misses = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.blocked.is_none() && !fetching.have.is_full(),
        _ => false,
    };
    let begin = Instant::now();
    while !is_seeding(&rig.driver, manifest) {
        assert!(begin.elapsed() < CAP, "it does not end: {:?}", rig.driver.status(None));
        rig.driver.retry_blocked(Instant::now() + Duration::from_secs(7200));
        if let Ok(input) = tokio::time::timeout(Duration::from_millis(10), rig.inputs.recv()).await {
            rig.driver.handle(input.unwrap());
        }
        if misses(&rig.driver) {
            rig.receive(manifest, bytes);
        }
    }
    rig.driver.saver.idle().await;
    disk.stop_at(0, false);
    let (file, folder) = (rig.file("x"), rig.folder.clone());
    drop(rig);
    disk.cut_power(|| false);
    assert!(fs::read(file).unwrap() == bytes, "a sync that failed was taken for a good one");
    drop(folder);
}

/// With this number of chunks the last one begins a sync, and the hash of the whole file is computed soon after.
const CHUNKS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_is_told_once_is_not_lost_between_two_syncs() {
    let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(CHUNKS));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.saver.idle().await;
    disk.hold_next_sync();
    disk.refuse_from(0, DiskFault::WriteBack);
    rig.receive(&manifest, &bytes);
    assert!(fetching(&mut rig.driver, manifest.key()).syncing, "the last chunk begins a sync");
    rig.until("it is being published", |driver| driver.publishing.contains_key(&manifest.key())).await;
    for _ in 0..30 {
        // the sync of publishing would have ended by now
        if let Ok(input) = tokio::time::timeout(Duration::from_millis(10), rig.inputs.recv()).await {
            rig.driver.handle(input.unwrap());
        }
    }
    disk.let_go();
    must_end_right(rig, &disk, &manifest, &bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_a_sync_that_fails_believes_nothing_that_was_not_synced_before() {
    let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(CHUNKS));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.saver.idle().await;
    disk.hold_next_sync();
    disk.refuse_from(0, DiskFault::WriteBack);
    rig.receive(&manifest, &bytes);
    rig.driver.check(manifest.key());
    for _ in 0..30 {
        if let Ok(input) = tokio::time::timeout(Duration::from_millis(10), rig.inputs.recv()).await {
            rig.driver.handle(input.unwrap());
        }
    }
    disk.let_go();
    must_end_right(rig, &disk, &manifest, &bytes).await;
}

/// The disk told of the failure before the check began. A second check reads the same bytes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_after_a_sync_that_failed_believes_nothing_that_was_not_synced_before() {
    for checks in [1, 2] {
        let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(CHUNKS));
        let manifest = manifest_of("x", &bytes);
        let key = manifest.key();
        rig.get(&manifest, false).await.unwrap();
        rig.driver.saver.idle().await;
        disk.refuse_from(0, DiskFault::WriteBack);
        rig.receive(&manifest, &bytes);
        let is_fetching = |driver: &Driver| match &driver.library.get(key).unwrap().phase {
            Phase::Fetching(fetching) => !fetching.have.is_full(),
            _ => false,
        };
        rig.until("the failed sync is noted", is_fetching).await;
        for _ in 0..checks {
            rig.driver.check(key);
            rig.until("the check has ended", |driver| {
                !matches!(driver.library.get(key).unwrap().phase, Phase::Checking(_) | Phase::Opening(_))
            })
            .await;
        }
        must_end_right(rig, &disk, &manifest, &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_nothing_is_noted_beside_a_sync_that_fails() {
    let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(CHUNKS + 1));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.saver.idle().await;
    disk.hold_next_sync();
    disk.refuse_from(0, DiskFault::WriteBack);
    rig.receive(&manifest, &bytes[..CHUNKS * CHUNK_BYTES as usize]);
    let slot = rig.driver.home.slot(manifest.key());
    comes_true("that the sync of the last chunk is running", || disk.is_holding()).await;
    let letting_go = disk.clone();
    rig.driver.sync_all();
    let saved = rig.driver.saver.idle();
    let in_time = tokio::time::timeout(Duration::from_millis(300), saved).await;
    letting_go.let_go();
    if in_time.is_err() {
        rig.driver.saver.idle().await;
    }
    let noted = slot.read_have(manifest.count()).unwrap().map_or(0, |have| have.len());
    assert_eq!(noted, 0, "chunks are noted that are not on the disk");
}

#[tokio::test]
async fn a_probe_of_the_disk_does_not_end_the_sync_that_is_under_way() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    let key = manifest.key();
    rig.get(&manifest, false).await.unwrap();
    fetching(&mut rig.driver, key).syncing = true;
    rig.driver.block(key, Blocked::new(NoRoom::Unknown(None)));
    rig.driver.unblock(key);
    rig.until("the disk has taken a map", |driver| match &driver.library.get(key).unwrap().phase {
        Phase::Fetching(fetching) => fetching.blocked.is_none(),
        _ => false,
    })
    .await;
    assert!(fetching(&mut rig.driver, key).syncing);
}

#[tokio::test]
async fn after_a_sync_that_failed_no_more_chunks_get_ahead_of_the_map_than_before() {
    let (mut rig, bytes) = (Rig::new(), bytes(80));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes[..10 << 20]);
    let download = rig.download(manifest.key());
    let ten = fetching(&mut rig.driver, manifest.key()).have.clone();
    // Ten chunks are synced, and the driver does not know yet that their have map is written, when the next sync fails.
    rig.driver.synced(&download, ten.clone(), Ok(()));
    rig.driver.synced(&download, ten, Err(failure()));
    let (download, (taken, count)) = (rig.download(manifest.key()), channel());
    let taker = download.clone();
    std::thread::spawn(move || {
        for (at, chunk) in bytes.chunks(CHUNK_BYTES as usize).enumerate().skip(10) {
            if taker.store(ChunkIndex(at as u32), chunk.to_vec().into()).is_err() {
                return;
            }
            taken.send(at).unwrap();
        }
    });
    let mut ahead = 10;
    while ahead < 64 {
        count.recv_timeout(CAP).unwrap();
        ahead += 1;
    }
    assert_eq!(count.recv_timeout(Duration::from_millis(200)), Err(RecvTimeoutError::Timeout));
    download.unnoted.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_sync_has_lost_is_not_found_again_by_the_next_download() {
    let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.saver.idle().await;
    disk.refuse_from(0, DiskFault::WriteBack);
    rig.receive(&manifest, &bytes);
    rig.until("the sync of publishing has failed", |_| disk.refused() > 0).await;
    disk.refuse_from(0, DiskFault::Broken); // so that its files stay
    rig.ask(|reply| Command::Remove { what: "x".to_owned(), delete: false, by: user(1000), reply })
        .await
        .unwrap();
    rig.driver.saver.idle().await;
    disk.heal();
    rig.get(&manifest, false).await.unwrap();
    must_end_right(rig, &disk, &manifest, &bytes).await;
}

/// ttd was told of the failure and killed before the lost chunks came again. The next one has no have map and checks the
/// file; nothing tells it of the failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_after_a_kill_counts_nothing_that_a_failed_sync_has_lost() {
    let ((mut rig, disk), bytes) = (rig_on_faulty(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.saver.idle().await;
    disk.refuse_from(0, DiskFault::WriteBack);
    rig.receive(&manifest, &bytes);
    rig.until("the sync of publishing has failed", |_| disk.refused() > 0).await;
    let folder = rig.folder.clone();
    disk.stop_at(0, false);
    rig.driver.home.abandon();
    drop(rig);
    disk.revive();
    let home = Home::open_on(Disk::on(disk.clone()), folder.path()).unwrap();
    must_end_right(Rig::with(folder, home), &disk, &manifest, &bytes).await;
}
