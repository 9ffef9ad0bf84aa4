//! Tests of part files that other programs have written to: the published file is exactly the resource.

use super::*;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Two chunks; the last one is short or full.
fn resources() -> [Vec<u8>; 2] {
    [bytes(2), (0..2 * CHUNK_BYTES as usize).map(|at| (at / 5 % 251) as u8).collect()]
}

/// Bytes after the end of the resource, some of them after the end of its last chunk.
const TAILS: [usize; 2] = [3, 1012];

fn write_behind(part: &Path, bytes: &[u8], tail: usize) {
    let file = File::options().write(true).open(part).unwrap();
    file.write_all_at(&vec![b'!'; tail], bytes.len() as u64).unwrap();
}

async fn is_published_right(rig: &mut Rig, manifest: &Manifest, bytes: &[u8]) {
    rig.until("it is published", |driver| is_seeding(driver, manifest)).await;
    let found = fs::read(rig.file("x")).unwrap();
    assert!(found == bytes, "{} bytes are published, of a resource of {}", found.len(), bytes.len());
}

/// Like [`Rig::until`], but chunks that become missing arrive again.
async fn fetch_until_published(rig: &mut Rig, manifest: &Manifest, bytes: &[u8]) {
    let is_missing = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
        Phase::Fetching(fetching) => fetching.blocked.is_none() && !fetching.have.is_full(),
        _ => false,
    };
    while !is_seeding(&rig.driver, manifest) {
        rig.until("it is published, or misses chunks", |driver| {
            is_seeding(driver, manifest) || is_missing(driver)
        })
        .await;
        if is_missing(&rig.driver) {
            rig.receive(manifest, bytes);
        }
    }
    is_published_right(rig, manifest, bytes).await;
}

#[tokio::test]
async fn bytes_behind_the_end_of_a_download_are_not_published() {
    for bytes in resources() {
        for tail in TAILS {
            for is_before_the_last_chunk in [false, true] {
                let mut rig = Rig::new();
                let manifest = manifest_of("x", &bytes);
                rig.get(&manifest, false).await.unwrap();
                let part = rig.download(manifest.key()).file.path().to_owned();
                if is_before_the_last_chunk {
                    write_behind(&part, &bytes, tail);
                }
                rig.receive(&manifest, &bytes);
                if !is_before_the_last_chunk {
                    write_behind(&part, &bytes, tail);
                }
                is_published_right(&mut rig, &manifest, &bytes).await;
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_came_behind_the_end_while_ttd_was_down_condemn_no_manifest() {
    for bytes in resources() {
        for tail in TAILS {
            let mut rig = Rig::new();
            let manifest = manifest_of("x", &bytes);
            rig.get(&manifest, false).await.unwrap();
            let part = rig.download(manifest.key()).file.path().to_owned();
            let folder = rig.folder.clone();
            drop(rig);
            fs::write(&part, &bytes).unwrap();
            write_behind(&part, &bytes, tail);
            let home = Home::open(folder.path()).unwrap();
            home.slot(manifest.key()).write_have(&HaveMap::full(manifest.count())).unwrap();
            drop(home);
            let mut rig = Rig::on(folder);
            fetch_until_published(&mut rig, &manifest, &bytes).await;
        }
    }
}

#[tokio::test]
async fn a_part_that_became_shorter_is_not_published() {
    for bytes in resources() {
        let mut rig = Rig::new();
        let manifest = manifest_of("x", &bytes);
        rig.get(&manifest, false).await.unwrap();
        rig.receive(&manifest, &bytes);
        let part = rig.download(manifest.key()).file.path().to_owned();
        File::options().write(true).open(part).unwrap().set_len(bytes.len() as u64 - 5).unwrap();
        let status = rig.driver.status(Some("x")).unwrap().remove(0);
        assert!(status.bytes_have <= bytes.len() as u64, "{status:?}");
        fetch_until_published(&mut rig, &manifest, &bytes).await;
    }
}

#[tokio::test]
async fn what_was_written_to_a_finished_part_that_waits_for_its_name_is_found() {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let part = rig.download(manifest.key()).file.path().to_owned();
    fs::write(rig.file("x"), "mine").unwrap();
    rig.receive(&manifest, &bytes);
    let is_taken = |driver: &Driver| driver.status(Some("x")).unwrap()[0].state == State::Error;
    rig.until("the name is found to be taken", is_taken).await;

    File::options().write(true).open(part).unwrap().write_all_at(b"wrong", 99).unwrap();
    fs::remove_file(rig.file("x")).unwrap();
    rig.driver.unblock(manifest.key());
    fetch_until_published(&mut rig, &manifest, &bytes).await;
}
