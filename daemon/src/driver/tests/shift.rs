//! Tests of content that lies shifted in the older file of a name.

use super::*;
use crate::driver::followers::FOLLOWERS_MAX;
use crate::inbox::TaskInput;
use crate::library::ReusedFrom;
use shared::chance::splitmix;
use shared::swarm::Waiting;

pub(super) fn random(chunks: usize) -> Vec<u8> {
    let mut state = 1;
    let mut bytes = vec![0; chunks * CHUNK_BYTES as usize - 8];
    for eight in bytes.chunks_exact_mut(8) {
        eight.copy_from_slice(&splitmix(&mut state).to_le_bytes());
    }
    bytes
}

/// The old content with 13 bytes inserted in a chunk.
pub(super) fn with_insertion(old: &[u8], chunk: usize) -> Vec<u8> {
    let at = chunk * CHUNK_BYTES as usize + 70_000;
    [&old[..at], b"thirteen more", &old[at..]].concat()
}

fn shifted(old: &[u8]) -> Vec<u8> {
    with_insertion(old, 3)
}

/// A rig in which the old content has the name `x` and the download of the new one has just joined its swarm: what its
/// follower says waits to be handled.
async fn replacing(old: &[u8], new: &Manifest) -> Rig {
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x", old), old).await;
    let (wanted, (reply, _)) = (Wanted::known(new.clone(), true, user(1000)), oneshot::channel());
    rig.driver.handle(Input::Command(Command::Get { wanted, reply }));
    rig.until("it has joined its swarm", |driver| driver.machine.status(new.key()).is_some()).await;
    rig
}

/// A peer brings a chunk.
fn bring(rig: &mut Rig, new: &Manifest, content: &[u8], index: u32) {
    let download = rig.download(new.key());
    let index = ChunkIndex(index);
    let bytes = content.chunks(CHUNK_BYTES as usize).nth(index.slot()).unwrap();
    download.store(index, bytes.to_vec().into()).unwrap();
    rig.driver.handle(taken(&download, index));
}

fn is_followed(driver: &Driver, key: SwarmKey) -> bool {
    let phase = &driver.library.get(key).unwrap().phase;
    matches!(phase, Phase::Fetching(fetching) if fetching.following.is_some())
}

fn have(driver: &Driver, key: SwarmKey) -> u32 {
    driver.library.get(key).unwrap().have()
}

fn reused(driver: &Driver) -> u32 {
    driver.status(Some("x")).unwrap()[0].chunks_reused
}

#[tokio::test]
async fn one_chunk_is_enough_to_find_all_that_an_insertion_has_shifted() {
    let old = random(12);
    let content = shifted(&old);
    let new = manifest_of("x", &content);
    let mut rig = replacing(&old, &new).await;
    assert_eq!(have(&rig.driver, new.key()), 3, "those before the insertion");
    assert!(is_followed(&rig.driver, new.key()));
    bring(&mut rig, &new, &content, 3);
    rig.until("it is published", |driver| is_seeding(driver, &new)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == content);
    assert_eq!(reused(&rig.driver), 12);
}

#[tokio::test]
async fn what_may_be_found_is_held_and_fetched_if_it_is_not_found() {
    let old = random(12);
    let content = shifted(&old);
    let new = manifest_of("x", &content);
    let mut rig = replacing(&old, &new).await;
    let waiting = |driver: &Driver| driver.machine.status(new.key()).unwrap().waiting;
    rig.until("the follower waits for a chunk", |driver| {
        !matches!(waiting(driver), Some(Waiting::Withheld { .. }))
    })
    .await;
    // The old file changes: nothing of it fits any more.
    std::fs::write(rig.file("x"), vec![1; old.len()]).unwrap();
    for index in [3, 7, 5, 9, 4, 6, 8, 10, 11, 12] {
        bring(&mut rig, &new, &content, index);
    }
    rig.until("it is published", |driver| is_seeding(driver, &new)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == content);
    assert!(reused(&rig.driver) <= 3, "nothing of the changed file");
}

/// The number of chunks that a download withholds from its swarm while it waits for nothing else.
fn held(driver: &Driver, key: SwarmKey) -> u32 {
    match driver.machine.status(key).unwrap().waiting {
        Some(Waiting::Withheld { chunks }) => chunks,
        _ => 0,
    }
}

#[tokio::test]
async fn nothing_is_held_for_long_while_nothing_is_found() {
    let old = random(12);
    let content = shifted(&old);
    let new = manifest_of("x", &content);
    let mut rig = replacing(&old, &new).await;
    assert_eq!(held(&rig.driver, new.key()), 10, "the follower has said nothing yet");
    (0..4).for_each(|_| rig.driver.look_at_followers());
    assert_eq!(held(&rig.driver, new.key()), 0);
    bring(&mut rig, &new, &content, 3);
    rig.until("it is published all the same", |driver| is_seeding(driver, &new)).await;
}

#[tokio::test]
async fn a_chunk_that_repeats_another_holds_nothing_again() {
    let old = random(40);
    let content = shifted(&old);
    let new = manifest_of("x", &content);
    let mut rig = replacing(&old, &new).await;
    (0..4).for_each(|_| rig.driver.look_at_followers());
    let found = |rig: &mut Rig, index, from| {
        let (download, index) = (rig.download(new.key()), ChunkIndex(index));
        let bytes = content.chunks(CHUNK_BYTES as usize).nth(index.slot()).unwrap();
        let taken = download.store(index, bytes.to_vec().into());
        rig.driver.handle(Input::Task(TaskInput::Reused { download, index, from, taken }));
    };
    (5..18).for_each(|index| found(&mut rig, index, ReusedFrom::Itself));
    assert_eq!((have(&rig.driver, new.key()), held(&rig.driver, new.key())), (16, 0));
    (18..31).for_each(|index| found(&mut rig, index, ReusedFrom::File(new.name().clone())));
    assert_eq!(
        (have(&rig.driver, new.key()), held(&rig.driver, new.key())),
        (29, 12),
        "the older file gave enough"
    );
}

#[tokio::test]
async fn a_removed_download_whose_search_waits_for_its_turn_keeps_no_file_open() {
    let old = random(12);
    let new = manifest_of("x", &shifted(&old));
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x", &old), &old).await;
    let others: Vec<_> = (0..FOLLOWERS_MAX).map(|_| rig.driver.followers.free_place().unwrap()).collect();
    rig.get(&new, true).await.unwrap();
    rig.until("it has joined its swarm", |driver| driver.machine.status(new.key()).is_some()).await;
    assert!(is_followed(&rig.driver, new.key()));
    let download = Arc::downgrade(&rig.download(new.key()));
    let by = user(1000);
    rig.ask(|reply| Command::Remove { what: "x".to_owned(), delete: false, by, reply }).await.unwrap();
    let released = async {
        while download.strong_count() > 0 {
            let input = tokio::time::timeout(Duration::from_millis(5), rig.inputs.recv()).await;
            input.ok().flatten().into_iter().for_each(|input| rig.driver.handle(input));
        }
    };
    tokio::time::timeout(CAP, released).await.expect("nobody has the file any more");
    drop(others);
}

#[tokio::test]
async fn a_search_that_has_nothing_to_do_makes_way_and_begins_again_when_a_chunk_arrives() {
    let old = random(12);
    let content = shifted(&old);
    let mut rig = Rig::new();
    rig.driver.followers.rest_after = Duration::from_millis(20);
    let names: Vec<String> = (0..=FOLLOWERS_MAX).map(|number| format!("x{number}")).collect();
    let mut manifests = Vec::new();
    for name in &names {
        // Of the same content under several names only the first would be searched.
        let (was, new) = (mixed(&old, manifests.len()), mixed(&content, manifests.len()));
        rig.finished(&manifest_of(name, &was), &was).await;
        let manifest = manifest_of(name, &new);
        rig.get(&manifest, true).await.unwrap();
        rig.until("it has joined its swarm", |driver| driver.machine.status(manifest.key()).is_some()).await;
        manifests.push((manifest, new));
    }
    // None of them has a peer, so the last one has no place before another one makes way.
    let (last, first) = (manifests.pop().unwrap(), manifests.remove(0));
    for (manifest, content) in [last, first] {
        bring(&mut rig, &manifest, &content, 3);
        rig.until("the rest is found", |driver| is_seeding(driver, &manifest)).await;
        let status = rig.driver.status(Some(manifest.name().as_str())).unwrap().remove(0);
        assert_eq!(status.chunks_reused, 12, "{}", manifest.name());
    }
}

/// Other content of the same length.
fn mixed(content: &[u8], with: usize) -> Vec<u8> {
    content.iter().map(|byte| byte ^ with as u8).collect()
}

#[tokio::test]
async fn a_later_request_without_reuse_ends_the_search() {
    let old = random(12);
    let new = manifest_of("x", &shifted(&old));
    let mut rig = replacing(&old, &new).await;
    assert!(is_followed(&rig.driver, new.key()));
    let wanted = Wanted { reuse: false, ..Wanted::known(new.clone(), true, user(1000)) };
    rig.ask(|reply| Command::Get { wanted, reply }).await.unwrap();
    assert!(!is_followed(&rig.driver, new.key()));
    let waiting = rig.driver.machine.status(new.key()).unwrap().waiting;
    assert!(!matches!(waiting, Some(Waiting::Withheld { .. })), "{waiting:?}");
}

#[tokio::test]
async fn pausing_ends_the_search_and_resuming_begins_it_again() {
    let old = random(12);
    let content = shifted(&old);
    let new = manifest_of("x", &content);
    let mut rig = replacing(&old, &new).await;
    rig.ask(|reply| Command::Pause { what: "x".to_owned(), reply }).await.unwrap();
    assert!(!is_followed(&rig.driver, new.key()));
    bring(&mut rig, &new, &content, 3);
    rig.ask(|reply| Command::Resume { what: "x".to_owned(), reply }).await.unwrap();
    assert!(is_followed(&rig.driver, new.key()));
    bring(&mut rig, &new, &content, 4);
    rig.until("it is published", |driver| is_seeding(driver, &new)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == content);
}

#[tokio::test]
async fn where_no_file_is_replaced_nothing_is_searched() {
    let (mut rig, content) = (Rig::new(), random(4));
    let new = manifest_of("x", &content);
    rig.get(&new, false).await.unwrap();
    assert!(!is_followed(&rig.driver, new.key()));
    let other = manifest_of("y", &random(5));
    rig.get(&other, true).await.unwrap();
    rig.until("there is nothing to search", |driver| {
        driver.library.get(other.key()).is_some() && !is_followed(driver, other.key())
    })
    .await;
}

#[tokio::test]
async fn with_no_reuse_nothing_is_searched() {
    let old = random(5);
    let new = manifest_of("x", &shifted(&old));
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x", &old), &old).await;
    let wanted = Wanted { reuse: false, ..Wanted::known(new.clone(), true, user(1000)) };
    rig.ask(|reply| Command::Get { wanted, reply }).await.unwrap();
    rig.until("it has joined its swarm", |driver| driver.machine.status(new.key()).is_some()).await;
    assert!(!is_followed(&rig.driver, new.key()));
    assert_eq!(have(&rig.driver, new.key()), 0);
}
