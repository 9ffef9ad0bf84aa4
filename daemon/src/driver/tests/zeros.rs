//! Tests of downloads that contain chunks of zeros.

use super::*;
use crate::driver::room::data_bytes_max;
use crate::inbox::FolderAnswer;
use std::os::unix::fs::{FileExt, MetadataExt};

/// A resource of these chunks: `true` is a chunk of zeros.
fn resource(zeros: &[bool]) -> (Manifest, Vec<u8>) {
    let mut bytes = bytes(zeros.len());
    for (chunk, _) in bytes.chunks_mut(CHUNK_BYTES as usize).zip(zeros).filter(|(_, zeros)| **zeros) {
        chunk.fill(0);
    }
    (manifest_of("disk.img", &bytes), bytes)
}

/// Lets those chunks arrive that are missing.
fn receive_missing(rig: &mut Rig, manifest: &Manifest, bytes: &[u8]) -> Vec<u32> {
    let download = rig.download(manifest.key());
    let missing: Vec<ChunkIndex> = match &rig.driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.have.missing_from(ChunkIndex(0)).collect(),
        phase => panic!("no download: {phase:?}"),
    };
    for &index in &missing {
        let chunk = bytes.chunks(CHUNK_BYTES as usize).nth(index.slot()).unwrap();
        download.store(index, chunk.to_vec().into()).unwrap();
        rig.driver.handle(taken(&download, index));
    }
    missing.iter().map(|index| index.0).collect()
}

fn has_joined(driver: &Driver, manifest: &Manifest) -> bool {
    driver.machine.status(manifest.key()).is_some()
}

#[tokio::test]
async fn chunks_of_zeros_are_here_before_the_swarm_is_joined_and_take_no_room() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[true, false, true, true, false, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    assert_eq!(rig.driver.status(Some("disk.img")).unwrap()[0].chunks_have, 4);
    assert_eq!(receive_missing(&mut rig, &manifest, &bytes), [1, 4, 6]);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("disk.img")).unwrap() == bytes);
    let allocated = std::fs::metadata(rig.file("disk.img")).unwrap().blocks() * 512;
    assert!(allocated <= (3 << 20) + (64 << 10), "{allocated} bytes are allocated");
}

#[tokio::test]
async fn a_file_of_zeros_is_complete_at_once() {
    let mut rig = Rig::new();
    let bytes = vec![0; 5 << 20];
    let manifest = manifest_of("disk.img", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("disk.img")).unwrap() == bytes);
    assert_eq!(std::fs::metadata(rig.file("disk.img")).unwrap().blocks(), 0);
}

#[tokio::test]
async fn other_bytes_where_zeros_belong_are_not_fetched_but_cleared() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[false, true, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let part = rig.download(manifest.key()).file.path().to_owned();
    let file = std::fs::File::options().write(true).open(part).unwrap();
    file.write_all_at(b"wrong", (2 << 20) + 99).unwrap();
    rig.driver.doubt(manifest.key(), ChunkIndex(2), "127.0.0.1:2".parse().unwrap());
    rig.until("it is checked", |driver| !has_joined(driver, &manifest)).await;
    rig.until("it joins again", |driver| has_joined(driver, &manifest)).await;
    assert_eq!(receive_missing(&mut rig, &manifest, &bytes), [0, 3]);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("disk.img")).unwrap() == bytes);
}

#[tokio::test]
async fn after_a_restart_and_a_failed_sync_zeros_are_still_not_fetched() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[false, true, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let folder = rig.folder.clone();
    drop(rig);
    let mut rig = Rig::on(folder);
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let download = rig.download(manifest.key());
    let error = std::io::Error::other("the disk failed");
    let error = crate::store::StoreError { doing: "sync", path: rig.file("disk.img"), source: error };
    rig.driver.not_synced(&download, error);
    assert!(!has_joined(&rig.driver, &manifest));
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(7200));
    rig.until("it joins again", |driver| has_joined(driver, &manifest)).await;
    assert_eq!(receive_missing(&mut rig, &manifest, &bytes), [0, 3]);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("disk.img")).unwrap() == bytes);
}

#[tokio::test]
async fn room_is_reserved_for_data_and_not_for_zeros() {
    let mut rig = Rig::new();
    let (manifest, _) = resource(&[false, true, true, true, true, true, true, false]);
    assert_eq!(data_bytes_max(&manifest), 2 << 20);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    rig.driver.answered(1, FolderAnswer::with_free(3 << 20));
    assert!(rig.driver.no_room(1 << 20, None).is_none(), "2 MiB of 3 MiB are promised");
    assert!(rig.driver.no_room((1 << 20) + 1, None).is_some());
}

#[tokio::test]
async fn a_download_whose_zeros_are_being_made_is_not_announced() {
    let mut rig = Rig::new();
    let (manifest, _) = resource(&[true, false, true]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let tracker = &manifest.trackers()[0];
    assert!(rig.driver.trackers.announces(tracker, manifest.key()));
    rig.driver.leave(manifest.key());
    let resource = rig.driver.library.get_mut(manifest.key()).unwrap();
    let Phase::Fetching(fetching) = &mut resource.phase else { panic!("no download") };
    fetching.have.remove(ChunkIndex(0));
    fetching.zeros_left = 1;
    rig.driver.join(manifest.key());
    rig.driver.announce(manifest.key());
    assert!(!rig.driver.trackers.announces(tracker, manifest.key()));
    let status = rig.driver.status(Some("disk.img")).unwrap().remove(0);
    assert_eq!(
        (status.state, status.reason.as_deref()),
        (State::Checking, Some("making its chunks of zeros"))
    );
    rig.until("it joins again", |driver| has_joined(driver, &manifest)).await;
    assert!(rig.driver.trackers.announces(tracker, manifest.key()));
}

#[tokio::test]
async fn other_bytes_that_a_restart_finds_where_zeros_belong_are_not_published() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[false, true, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let part = rig.download(manifest.key()).file.path().to_owned();
    let folder = rig.folder.clone();
    rig.driver.sync(manifest.key());
    let are_zeros_noted = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.safe.len() == 2 && !fetching.syncing,
        _ => false,
    };
    rig.until("the have map has the zeros", are_zeros_noted).await;
    drop(rig);
    let file = std::fs::File::options().write(true).open(part).unwrap();
    file.write_all_at(b"wrong", (2 << 20) + 99).unwrap();
    let mut rig = Rig::on(folder);
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    receive_missing(&mut rig, &manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("disk.img")).unwrap() == bytes);
}

#[tokio::test]
async fn what_a_failed_sync_loses_counts_as_reused_once() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[false, true, true, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let download = rig.download(manifest.key());
    let error = std::io::Error::other("the disk failed");
    let error = crate::store::StoreError { doing: "sync", path: rig.file("disk.img"), source: error };
    rig.driver.not_synced(&download, error);
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(7200));
    rig.until("it joins again", |driver| has_joined(driver, &manifest)).await;
    let reused = rig.driver.library.get(manifest.key()).unwrap().sources.reused();
    assert_eq!((reused.chunks, reused.bytes), (3, 3 << 20));
    receive_missing(&mut rig, &manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
}

#[tokio::test]
async fn making_zeros_ends_when_it_is_not_wanted_any_more() {
    let mut rig = Rig::new();
    let (manifest, _) = resource(&[true, false, true, true, false, true, false]);
    rig.get(&manifest, false).await.unwrap();
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    let (download, nothing) = (rig.download(manifest.key()), HaveMap::empty(manifest.count()));
    let asked = std::cell::Cell::new(0);
    let made = download.make_zeros(&nothing, || asked.replace(asked.get() + 1) < 2).unwrap();
    assert_eq!(made.iter().collect::<Vec<_>>(), [0, 2, 3].map(ChunkIndex));
}

#[tokio::test]
async fn a_paused_download_stops_making_zeros_and_goes_on_when_it_is_resumed() {
    let mut rig = Rig::new();
    let (manifest, _) = resource(&[true, false, true, true, false, true, false]);
    let places = rig.driver.reusers.zeros.clone();
    let held = places.acquire_many_owned(crate::driver::reusers::ZEROS_MAX as u32).await.unwrap();
    rig.get(&manifest, false).await.unwrap();
    let work = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) if fetching.makes_zeros => Some(fetching.zeros_work.clone()),
        _ => None,
    };
    rig.until("it waits for a place", |driver| work(driver).is_some()).await;
    let first = work(&rig.driver).unwrap();
    rig.driver.pause("disk.img").unwrap();
    assert!(!first.is_wanted());
    rig.driver.resume("disk.img").unwrap();
    assert!(!has_joined(&rig.driver, &manifest));
    drop(held);
    rig.until("it joins", |driver| has_joined(driver, &manifest)).await;
    assert_eq!(rig.driver.status(Some("disk.img")).unwrap()[0].chunks_have, 4);
}

#[tokio::test]
async fn zeros_that_are_made_during_a_sync_are_not_counted_as_noted_by_it() {
    let mut rig = Rig::new();
    let (manifest, bytes) = resource(&[true, false, true, false, false]);
    let places = rig.driver.reusers.zeros.clone();
    let _held = places.acquire_many_owned(crate::driver::reusers::ZEROS_MAX as u32).await.unwrap();
    rig.get(&manifest, false).await.unwrap();
    let have_before = |driver: &Driver| match &driver.library.get(manifest.key())?.phase {
        Phase::Fetching(fetching) if fetching.makes_zeros => Some(fetching.have.clone()),
        _ => None,
    };
    rig.until("it waits for a place", |driver| have_before(driver).is_some()).await;
    let download = rig.download(manifest.key());
    let take = |driver: &mut Driver, index: u32| {
        let chunk = bytes.chunks(CHUNK_BYTES as usize).nth(index as usize).unwrap();
        download.store(ChunkIndex(index), chunk.to_vec().into()).unwrap();
        driver.handle(taken(&download, ChunkIndex(index)));
    };
    take(&mut rig.driver, 1);
    let synced = have_before(&rig.driver).unwrap();
    let zeros = download.make_zeros(&synced, || true).unwrap();
    rig.driver.zeros_made(&download, Ok(zeros));
    rig.driver.noted(&download, &synced, false, Ok(()));
    let counts = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(it) => (it.noted, it.zeros_unnoted, it.download.unnoted.chunks(), it.have.clone()),
        phase => panic!("no download: {phase:?}"),
    };
    assert!(matches!(counts(&rig.driver), (1, 2, 0, _)), "{:?}", counts(&rig.driver));
    take(&mut rig.driver, 3);
    let (.., unnoted, have) = counts(&rig.driver);
    assert_eq!(unnoted, 1);
    rig.driver.noted(&download, &have, false, Ok(()));
    assert!(matches!(counts(&rig.driver), (4, 0, 0, _)), "{:?}", counts(&rig.driver));
}
