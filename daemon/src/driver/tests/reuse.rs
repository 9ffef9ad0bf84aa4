//! Tests of chunks that are taken from what this machine has.

use super::*;
use crate::inbox::{Hit, TaskInput};
use crate::library::{ReusedFrom, TakeError};
use std::fs;
use std::os::unix::fs::FileExt;

/// A chunk of a download was found in another file and is written.
fn found(download: &Arc<Download>, index: ChunkIndex, taken: Result<(), TakeError>) -> Input {
    let from = ReusedFrom::File("old".parse().unwrap());
    Input::Task(TaskInput::Reused { download: download.clone(), index, from, taken })
}

/// Bytes of chunks with these contents; the last one is short.
fn of(contents: &[u8]) -> Vec<u8> {
    let chunk = |content: u8| (0..CHUNK_BYTES).map(move |at| content.wrapping_add((at / 7 % 251) as u8));
    let mut bytes: Vec<u8> = contents.iter().copied().flat_map(chunk).collect();
    bytes.truncate(bytes.len() - 7);
    bytes
}

/// Whether a download takes part in its swarm with this number of chunks, all of them from here.
fn reused(driver: &Driver, manifest: &Manifest, chunks: u32) -> bool {
    let resource = driver.library.get(manifest.key()).unwrap();
    let has_joined = driver.machine.status(manifest.key()).is_some();
    has_joined && resource.have() == chunks && resource.sources.reused().chunks == chunks
}

/// The chunks that a download still has to fetch.
fn missing(rig: &Rig, manifest: &Manifest) -> Vec<u32> {
    let Phase::Fetching(fetching) = &rig.driver.library.get(manifest.key()).unwrap().phase else { panic!() };
    fetching.have.missing_from(ChunkIndex(0)).map(|index| index.0).collect()
}

impl Rig {
    /// Lets these chunks of a download arrive, as from a peer.
    fn receive_some(&mut self, manifest: &Manifest, bytes: &[u8], chunks: &[u32]) {
        let download = self.download(manifest.key());
        for at in chunks {
            let chunk = bytes.chunks(CHUNK_BYTES as usize).nth(*at as usize).unwrap().to_vec();
            download.store(ChunkIndex(*at), chunk.into()).unwrap();
            self.driver.handle(taken(&download, ChunkIndex(*at)));
        }
    }

    /// Waits until a download has taken this number of chunks from here, receives the others, and waits until it is
    /// published.
    async fn complete(&mut self, manifest: &Manifest, bytes: &[u8], chunks: u32) {
        self.until("chunks are reused", |driver| reused(driver, manifest, chunks)).await;
        let missing = missing(self, manifest);
        self.receive_some(manifest, bytes, &missing);
        self.until("it is published", |driver| is_seeding(driver, manifest)).await;
        assert!(fs::read(self.file(manifest.name().as_str())).unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_chunk_that_is_found_here_while_a_download_runs_is_had_and_told_to_peers() {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let download = rig.download(manifest.key());
    let chunk = |at: usize| bytes.chunks(CHUNK_BYTES as usize).nth(at).unwrap().to_vec();

    let wrong = download.store(ChunkIndex(1), chunk(0).into());
    assert!(matches!(wrong, Err(TakeError::Corrupt)));
    rig.driver.handle(found(&download, ChunkIndex(1), wrong));
    assert_eq!(rig.driver.status(Some("x")).unwrap()[0].chunks_have, 0);

    for at in [2, 1, 1] {
        let index = ChunkIndex(at as u32);
        let stored = download.store(index, chunk(at).into());
        rig.driver.handle(found(&download, index, stored));
    }
    let resource = rig.driver.library.get(manifest.key()).unwrap();
    let (chunk_bytes, last) = (u64::from(CHUNK_BYTES), u64::from(CHUNK_BYTES) - 7);
    assert_eq!((resource.sources.reused().chunks, resource.sources.reused().bytes), (2, chunk_bytes + last));
    assert_eq!(resource.have(), 2);
    let told = rig.driver.machine.status(manifest.key()).unwrap();
    assert_eq!(told.have, 2, "the core knows them");

    download.store(ChunkIndex(0), chunk(0).into()).unwrap();
    rig.driver.handle(taken(&download, ChunkIndex(0)));
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(fs::read(rig.file("x")).unwrap() == bytes);
}

#[tokio::test]
async fn chunks_of_other_files_are_taken_whatever_their_positions() {
    let mut rig = Rig::new();
    for (name, contents) in [("one", [1, 2, 3]), ("two", [4, 5, 6])] {
        let bytes = of(&contents);
        rig.finished(&manifest_of(name, &bytes), &bytes).await;
    }
    // The last chunks are short, so neither 3 nor 6 is found.
    let bytes = of(&[5, 2, 9, 1, 4, 3, 6]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    // How far it is by now depends on how fast the threads were.
    let begun = &rig.driver.status(Some("new")).unwrap()[0];
    let reasons =
        ["looking for its chunks on this machine", "reusing 5 of 7 chunks from two and another file"];
    let is_reusing = begun.reason.as_deref().is_some_and(|reason| reasons.contains(&reason));
    let has_joined = rig.driver.machine.status(manifest.key()).is_some();
    assert!(is_reusing != has_joined, "it joins its swarm after that: {begun:?}");
    rig.until("chunks are reused", |driver| reused(driver, &manifest, 5)).await;
    assert_eq!(missing(&rig, &manifest), [2, 5]);
    let files = &rig.driver.library.get(manifest.key()).unwrap().sources.reused().files;
    let files: Vec<(&str, u32)> = files.iter().map(|(name, chunks)| (name.as_str(), *chunks)).collect();
    assert_eq!(files, [("one", 2), ("two", 3)]);
    rig.complete(&manifest, &bytes, 5).await;
}

#[tokio::test]
async fn the_status_says_what_is_reused_and_from_where() {
    let mut rig = Rig::new();
    for (name, contents) in [("one", vec![1, 2, 3, 4]), ("two", vec![6, 7, 8])] {
        let bytes = of(&contents);
        rig.finished(&manifest_of(name, &bytes), &bytes).await;
    }
    let manifest = manifest_of("new", &of(&[1, 2, 3, 6, 9]));
    rig.get(&manifest, false).await.unwrap();
    let reason = |driver: &Driver| driver.status(Some("new")).unwrap()[0].reason.clone().unwrap_or_default();
    rig.until("it says so", |driver| reason(driver) == "reusing 4 of 5 chunks from one and another file")
        .await;
}

#[tokio::test]
async fn unfinished_downloads_give_what_they_have() {
    let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 3, 4]));
    let half = manifest_of("half", &bytes);
    rig.get(&half, false).await.unwrap();
    rig.receive_some(&half, &bytes, &[1, 3]);
    let bytes = of(&[2, 3, 1, 4]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.complete(&manifest, &bytes, 2).await;
}

#[tokio::test]
async fn the_configuration_and_the_request_say_from_where_chunks_are_taken() {
    for (scope, asked, expected) in [
        (ReuseScope::All, true, 3),
        (ReuseScope::SameName, true, 1),
        (ReuseScope::None, true, 0),
        (ReuseScope::All, false, 0),
    ] {
        let mut rig = Rig::new();
        rig.driver.settings.reuse = scope;
        for (name, contents) in [("other", [1, 2, 3]), ("x", [4, 5, 6])] {
            let bytes = of(&contents);
            rig.finished(&manifest_of(name, &bytes), &bytes).await;
        }
        let bytes = of(&[7, 1, 4, 2, 8]);
        let manifest = manifest_of("x", &bytes);
        let wanted = Wanted { reuse: asked, ..Wanted::known(manifest.clone(), true, user(1000)) };
        rig.ask(|reply| Command::Get { wanted, reply }).await.unwrap();
        rig.complete(&manifest, &bytes, expected).await;
    }
}

#[tokio::test]
async fn the_old_file_of_the_name_gives_its_chunks_and_is_served_no_more() {
    for is_known in [true, false] {
        let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4, 5]));
        let old_manifest = manifest_of("x", &old);
        match is_known {
            true => rig.finished(&old_manifest, &old).await,
            false => fs::write(rig.file("x"), &old).unwrap(),
        }
        // A chunk was inserted at the front and one removed.
        let bytes = of(&[9, 1, 2, 4, 8]);
        let manifest = manifest_of("x", &bytes);
        rig.get(&manifest, true).await.unwrap();
        rig.until("chunks are reused", |driver| reused(driver, &manifest, 3)).await;
        assert!(rig.driver.library.get(old_manifest.key()).is_none(), "nobody serves the old one");
        assert!(fs::read(rig.file("x")).unwrap() == old, "it stays until the new one is complete");
        rig.complete(&manifest, &bytes, 3).await;
    }
}

#[tokio::test]
async fn a_file_that_was_changed_costs_a_fetch_and_never_a_wrong_byte() {
    for keeps_date in [false, true] {
        let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
        rig.finished(&manifest_of("old", &old), &old).await;
        let file = fs::File::options().write(true).open(rig.file("old")).unwrap();
        let date = file.metadata().unwrap().modified().unwrap();
        file.write_all_at(b"changed", 1 << 20).unwrap();
        if keeps_date {
            file.set_modified(date).unwrap();
        }
        let bytes = of(&[1, 2, 3, 9, 8]);
        let manifest = manifest_of("new", &bytes);
        rig.get(&manifest, false).await.unwrap();
        // With its date the change shows only in the bytes.
        let reused = if keeps_date { 2 } else { 0 };
        rig.complete(&manifest, &bytes, reused).await;
    }
}

#[tokio::test]
async fn two_downloads_take_from_one_file_that_is_replaced_meanwhile() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("x", &old), &old).await;
    let (first, second) = (of(&[4, 3, 2, 1, 7]), of(&[2, 3, 8]));
    let (beside, replaced) = (manifest_of("beside", &first), manifest_of("x", &second));
    rig.get(&beside, false).await.unwrap();
    rig.get(&replaced, true).await.unwrap();
    rig.complete(&replaced, &second, 2).await;
    rig.complete(&beside, &first, 3).await;
}

#[tokio::test]
async fn a_chunk_that_occurs_several_times_is_fetched_once() {
    let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 1, 1, 2, 3]));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive_some(&manifest, &bytes, &[2]);
    let has = |driver: &Driver, chunks| driver.library.get(manifest.key()).unwrap().have() == chunks;
    rig.until("the others are written", |driver| has(driver, 3)).await;
    rig.receive_some(&manifest, &bytes, &[4, 5]);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(fs::read(rig.file("x")).unwrap() == bytes);
    let status = rig.driver.status(Some("x")).unwrap().remove(0);
    assert_eq!((status.chunks_reused, status.reused_from.len()), (3, 0));
    assert_eq!(status.bytes_fetched + status.bytes_reused, bytes.len() as u64);
}

#[tokio::test]
async fn a_paused_download_takes_nothing_and_goes_on_when_it_is_resumed() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("old", &old), &old).await;
    let bytes = of(&[3, 2, 1, 9]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.ask(|reply| Command::Pause { what: "new".to_owned(), reply }).await.unwrap();
    // Whatever the search has found, it is not for this download any more.
    while let Ok(Some(input)) = tokio::time::timeout(Duration::from_millis(200), rig.inputs.recv()).await {
        rig.driver.handle(input);
    }
    assert!(rig.driver.machine.status(manifest.key()).is_none());
    assert_eq!(rig.driver.status(Some("new")).unwrap()[0].state, State::Paused);
    rig.ask(|reply| Command::Resume { what: "new".to_owned(), reply }).await.unwrap();
    rig.complete(&manifest, &bytes, 3).await;
}

#[tokio::test]
async fn a_download_of_the_last_run_looks_for_its_chunks_when_all_files_are_known() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    let bytes = of(&[3, 2, 1, 9]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.finished(&manifest_of("old", &old), &old).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    let mut rig = Rig::on(folder);
    rig.complete(&manifest, &bytes, 3).await;
}

#[tokio::test]
async fn without_room_nothing_is_copied() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("old", &old), &old).await;
    rig.driver.settings.min_free_bytes = u64::MAX / 2;
    let bytes = of(&[3, 2, 1, 9]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let status = rig.driver.status(Some("new")).unwrap().remove(0);
    assert_eq!((status.state, status.chunks_have), (State::Waiting, 0));
    rig.driver.settings.min_free_bytes = 0;
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
    rig.complete(&manifest, &bytes, 3).await;
}

/// Asks for a resource whose chunks may not be taken from other files.
async fn get_without_reuse(rig: &mut Rig, manifest: &Manifest) {
    let wanted = Wanted { reuse: false, ..Wanted::known(manifest.clone(), false, user(1000)) };
    rig.ask(|reply| Command::Get { wanted, reply }).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_that_was_not_fetched_gives_its_other_chunks_too() {
    let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 3, 4]));
    let manifest = manifest_of("x", &bytes);
    fs::write(rig.file("x"), &bytes).unwrap();
    rig.get(&manifest, false).await.unwrap();
    rig.until("the file is adopted", |driver| is_seeding(driver, &manifest)).await;
    let file = fs::File::options().write(true).open(rig.file("x")).unwrap();
    file.write_all_at(b"damaged", 1 << 20).unwrap();
    rig.driver.check(manifest.key());
    let is_failed = |driver: &Driver| driver.status(Some("x")).unwrap()[0].state == State::Error;
    rig.until("the damage is found", is_failed).await;
    rig.get(&manifest, true).await.unwrap();
    rig.complete(&manifest, &bytes, 3).await;
}

#[tokio::test]
async fn what_is_fetched_anew_obeys_the_request_that_begins_it() {
    for reuse in [false, true] {
        let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 3, 4]));
        let (manifest, other) = (manifest_of("x", &bytes), manifest_of("other", &of(&[4, 3, 2, 1, 5])));
        get_without_reuse(&mut rig, &manifest).await;
        rig.receive(&manifest, &bytes);
        rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
        rig.finished(&other, &of(&[4, 3, 2, 1, 5])).await;
        fs::remove_file(rig.file("x")).unwrap();
        let wanted = Wanted { reuse, ..Wanted::known(manifest.clone(), false, user(1000)) };
        rig.ask(|reply| Command::Get { wanted, reply }).await.unwrap();
        rig.complete(&manifest, &bytes, if reuse { 3 } else { 0 }).await;
    }
}

#[tokio::test]
async fn another_list_obeys_the_request_for_the_first_one() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("old", &old), &old).await;
    let bytes = of(&[3, 2, 1, 9]);
    let right = manifest_of("new", &bytes);
    let mut hashes = right.hashes().to_vec();
    hashes[3] = ChunkHash([7; 32]);
    let trackers = right.trackers().to_vec();
    let wrong = Manifest::new(right.name().clone(), right.resource(), trackers, hashes).unwrap();
    get_without_reuse(&mut rig, &wrong).await;
    rig.until("the first list is used", |driver| reused(driver, &wrong, 0)).await;
    let tracker = "tt://127.0.0.1:1".parse().unwrap();
    let hit = Hit { manifest: right.clone(), shared_at_ms: 0, tracker, signature: None };
    rig.driver.another(wrong.key(), Some(Box::new(hit)));
    rig.until("the other list is used", |driver| driver.library.get(right.key()).is_some()).await;
    rig.complete(&right, &bytes, 0).await;
}

#[tokio::test]
async fn a_later_request_ends_what_an_earlier_one_allowed() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("old", &old), &old).await;
    let bytes = of(&[3, 2, 1, 9]);
    let manifest = manifest_of("new", &bytes);
    let searches = rig.driver.reusers.searches.clone();
    let none_is_free = searches.acquire_many(searches.available_permits() as u32).await.unwrap();
    rig.get(&manifest, false).await.unwrap();
    assert!(rig.driver.machine.status(manifest.key()).is_none(), "its chunks are to be looked for");
    get_without_reuse(&mut rig, &manifest).await;
    rig.until("it joins its swarm at once", |driver| reused(driver, &manifest, 0)).await;
    rig.get(&manifest, false).await.unwrap();
    drop(none_is_free);
    rig.ask(|reply| Command::Pause { what: "new".to_owned(), reply }).await.unwrap();
    rig.ask(|reply| Command::Resume { what: "new".to_owned(), reply }).await.unwrap();
    rig.complete(&manifest, &bytes, 0).await;
}

#[tokio::test]
async fn no_repeated_chunk_is_written_while_a_stopped_copy_may_still_write_it() {
    let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 1, 2, 3]));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let repeating = rig.driver.reusers.repeating.clone();
    let none_is_free = repeating.acquire_many(repeating.available_permits() as u32).await.unwrap();
    rig.receive_some(&manifest, &bytes, &[0]);
    let is_repeating = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.repeating.is_some(),
        phase => panic!("no download: {phase:?}"),
    };
    assert!(is_repeating(&rig.driver));
    rig.ask(|reply| Command::Pause { what: "x".to_owned(), reply }).await.unwrap();
    // A thread that was just stopped had written one more chunk.
    let download = rig.download(manifest.key());
    let stored = download.store(ChunkIndex(1), bytes[1 << 20..2 << 20].to_vec().into());
    rig.driver.handle(found(&download, ChunkIndex(1), stored));
    assert!(!is_repeating(&rig.driver), "nothing is written for a download that is paused");
    drop(none_is_free);
    rig.ask(|reply| Command::Resume { what: "x".to_owned(), reply }).await.unwrap();
    let has = |driver: &Driver| driver.library.get(manifest.key()).unwrap().have();
    rig.until("the repeated ones are written", |driver| has(driver) == 4).await;
    rig.receive_some(&manifest, &bytes, &[4]);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(fs::read(rig.file("x")).unwrap() == bytes);
}

#[tokio::test]
async fn a_chunk_that_is_there_and_could_not_be_written_once_more_is_checked() {
    let (mut rig, bytes) = (Rig::new(), of(&[1, 2, 3]));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive_some(&manifest, &bytes, &[0, 1]);
    let download = rig.download(manifest.key());
    // A second writer of the chunk left something else there.
    let file = fs::File::options().write(true).open(download.file.path()).unwrap();
    file.write_all_at(b"wrong", 1 << 20).unwrap();
    let error = std::io::Error::from_raw_os_error(5);
    let error = crate::store::StoreError { doing: "write", path: rig.file("x"), source: error };
    rig.driver.handle(found(&download, ChunkIndex(1), Err(TakeError::Store(error))));
    let is_joined_with = |driver: &Driver, chunks| {
        let has_joined = driver.machine.status(manifest.key()).is_some();
        has_joined && driver.library.get(manifest.key()).unwrap().have() == chunks
    };
    rig.until("only the other chunk counts", |driver| is_joined_with(driver, 1)).await;
    let missing = missing(&rig, &manifest);
    assert_eq!(missing, [1, 2]);
    rig.receive_some(&manifest, &bytes, &missing);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(fs::read(rig.file("x")).unwrap() == bytes);
}

#[tokio::test]
async fn a_download_does_not_wait_for_the_copies_of_others_for_long() {
    let (mut rig, old) = (Rig::new(), of(&[1, 2, 3, 4]));
    rig.finished(&manifest_of("old", &old), &old).await;
    let places = rig.driver.reusers.copies.places_for(1);
    let none_is_free = places.acquire_many(places.available_permits() as u32).await.unwrap();
    let bytes = of(&[3, 2, 1, 9]);
    let manifest = manifest_of("new", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let reason = |driver: &Driver| driver.status(Some("new")).unwrap()[0].reason.clone().unwrap_or_default();
    rig.until("it waits", |driver| reason(driver) == "waiting to reuse 3 of 4 chunks from old").await;
    drop(none_is_free);
    rig.complete(&manifest, &bytes, 3).await;

    let none_is_free = places.acquire_many(places.available_permits() as u32).await.unwrap();
    rig.driver.reusers.copy_within = Duration::from_millis(20);
    let bytes = of(&[2, 1, 3, 8]);
    let manifest = manifest_of("other", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.complete(&manifest, &bytes, 0).await;
    drop(none_is_free);
}
