//! Tests that a complete download gets its name or says why not, whatever happens at the wrong moment.

use super::contents::tree;
use super::*;
use crate::inbox::TaskInput;
use crate::library::Shaping;
use shared::chance::splitmix;
use std::fs;
use std::io;

/// How many sequences of events are tried, unless `TT_SEQUENCES` says another number.
const SEQUENCES: u64 = 12;

/// The longest wait for the end of a sequence. On a busy machine it takes seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How many events a sequence has.
const EVENTS: usize = 24;

/// Checks that every complete download is being published, waits for its turn, or says why not: nothing else would
/// wake it again.
pub(in crate::driver) fn nobody_is_forgotten(driver: &Driver) {
    for (key, resource) in driver.library.iter() {
        let Phase::Fetching(fetching) = &resource.phase else { continue };
        let is_waiting = resource.record.names.iter().any(|record| record.published.is_none());
        if !fetching.verified || fetching.blocked.is_some() || !is_waiting {
            continue;
        }
        let is_coming = driver.publishing.contains_key(&key)
            || driver.to_publish.contains(&key)
            || fetching.shaping == Shaping::Working;
        assert!(is_coming, "nobody publishes this download: {resource:?}");
    }
}

fn is_blocked(driver: &Driver, manifest: &Manifest) -> bool {
    let phase = &driver.library.get(manifest.key()).unwrap().phase;
    matches!(phase, Phase::Fetching(it) if it.verified && it.blocked.is_some())
}

#[tokio::test]
async fn a_look_at_its_name_that_ends_late_does_not_keep_a_directory_from_it() {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.get(&manifest, false).await.unwrap();
    fs::create_dir(rig.file("x")).unwrap();
    rig.receive(&manifest, &bytes);
    rig.until("its name is taken", |driver| is_blocked(driver, &manifest) && driver.publishing.is_empty())
        .await;
    // It found the name free before it was taken.
    let download = rig.download(manifest.key());
    rig.driver.handle(Input::Task(TaskInput::NamesLookedAt { download, taken: Vec::new() }));
    fs::remove_dir(rig.file("x")).unwrap();
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
}

#[tokio::test]
async fn a_name_that_is_taken_while_a_check_begins_is_tried_again() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    fs::write(rig.file("x"), "mine").unwrap();
    rig.receive(&manifest, &bytes);
    rig.until("it is being published", |driver| driver.publishing.contains_key(&manifest.key())).await;
    rig.driver.check(manifest.key());
    rig.until("it is complete again", |driver| is_blocked(driver, &manifest)).await;
    fs::remove_file(rig.file("x")).unwrap();
    rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
}

#[tokio::test]
async fn in_whatever_order_things_happen_a_download_gets_its_name_in_the_end() {
    let sequences = std::env::var("TT_SEQUENCES").ok().and_then(|number| number.parse().ok());
    for seed in 0..sequences.unwrap_or(SEQUENCES) {
        for (name, path, bytes) in [("x.tar", "x", tree()), ("x", "x", bytes(2))] {
            let (mut rig, manifest) = (Rig::new(), manifest_of(name, &bytes));
            rig.get(&manifest, false).await.unwrap();
            let mut state = seed;
            for _ in 0..EVENTS {
                happen(&mut rig, &manifest, &bytes, path, splitmix(&mut state)).await;
            }
            take_away(&rig.file(path));
            end(&mut rig, &manifest, &bytes, &format!("sequence {seed} of {name}")).await;
        }
    }
}

/// One of the things that may happen.
async fn happen(rig: &mut Rig, manifest: &Manifest, bytes: &[u8], path: &str, chance: u64) {
    let (what, path) = (manifest.name().to_string(), rig.file(path));
    match chance % 14 {
        0 => take_away(&path),
        1 => drop(fs::create_dir(&path)),
        2 => drop(fs::File::create_new(&path).and_then(|mut file| io::Write::write_all(&mut file, b"mine"))),
        3 | 4 => receive_rest(rig, manifest, bytes),
        5 => drop(rig.get(manifest, false).await),
        6 => drop(rig.get(manifest, true).await),
        7 => drop(rig.ask(|reply| Command::Verify { what, by: user(1000), reply }).await),
        8 => drop(rig.ask(|reply| Command::Pause { what, reply }).await),
        9 => drop(rig.ask(|reply| Command::Resume { what, reply }).await),
        10 => drop(
            rig.ask(|reply| Command::Remove { what, delete: chance & 256 == 0, by: user(1000), reply }).await,
        ),
        11 => rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600)),
        _ => {
            // Some of what runs in the background ends.
            for _ in 0..(chance >> 8) % 8 {
                let Ok(Some(input)) = tokio::time::timeout(Duration::from_millis(2), rig.inputs.recv()).await
                else {
                    break;
                };
                rig.driver.handle(input);
                nobody_is_forgotten(&rig.driver);
            }
        }
    }
}

/// Has everything continue, with peers that have all chunks and a user who asks again for what is gone, until the
/// download is finished.
async fn end(rig: &mut Rig, manifest: &Manifest, bytes: &[u8], which: &str) {
    let what = manifest.name().to_string();
    drop(rig.get(manifest, true).await);
    drop(rig.ask(|reply| Command::Resume { what, reply }).await);
    let ending = async {
        while !is_seeding(&rig.driver, manifest) {
            let phase = rig.driver.library.get(manifest.key()).map(|resource| &resource.phase);
            if matches!(phase, None | Some(Phase::Failed(_))) {
                drop(rig.get(manifest, true).await); // it was removed, or its file is gone, and says so
            }
            receive_rest(rig, manifest, bytes);
            rig.driver.retry_blocked(Instant::now() + Duration::from_secs(3600));
            if let Ok(input) = tokio::time::timeout(Duration::from_millis(50), rig.inputs.recv()).await {
                rig.driver.handle(input.unwrap());
            }
            nobody_is_forgotten(&rig.driver);
        }
    };
    let in_time = tokio::time::timeout(ENDS_WITHIN, ending).await;
    assert!(in_time.is_ok(), "{which} does not end: {:?}", rig.driver.library.get(manifest.key()));
}

fn receive_rest(rig: &mut Rig, manifest: &Manifest, bytes: &[u8]) {
    let Some(Phase::Fetching(fetching)) = rig.driver.library.get(manifest.key()).map(|it| &it.phase) else {
        return;
    };
    let (download, missing) = (fetching.download.clone(), fetching.have.missing_from(ChunkIndex(0)));
    for index in missing.collect::<Vec<_>>() {
        let at = index.0 as usize * CHUNK_BYTES as usize;
        let chunk = &bytes[at..bytes.len().min(at + CHUNK_BYTES as usize)];
        if download.store(index, chunk.to_vec().into()).is_ok() {
            rig.driver.handle(taken(&download, index));
        }
    }
}

/// Deletes what is at a path.
fn take_away(path: &std::path::Path) {
    if path.is_dir() { drop(fs::remove_dir_all(path)) } else { drop(fs::remove_file(path)) }
}

/// Chunks that still arrive must not wait for room, and nobody may wait for a hash that is not wanted.
#[tokio::test]
async fn a_download_that_is_removed_ends_all_who_work_for_it() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let Phase::Fetching(fetching) = &rig.driver.library.get(manifest.key()).unwrap().phase else {
        panic!("no download")
    };
    let (download, zeros) = (fetching.download.clone(), fetching.zeros_work.clone());
    assert!(!download.unnoted.has_ended() && zeros.is_wanted());
    rig.driver.remove("x", false, &user(1000)).unwrap();
    rig.until("its work ends", |_| download.unnoted.has_ended() && !zeros.is_wanted()).await;
    let hashed = tokio::time::timeout(CAP, download.whole.clone().finished()).await;
    assert_eq!(hashed.expect("it does not wait"), None);
}
