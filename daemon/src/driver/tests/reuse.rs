//! Tests of chunks that are taken from what this machine has.

use super::*;
use crate::inbox::TaskInput;
use crate::library::{ReusedFrom, TakeError};

/// A chunk of a download was found in another file and is written.
fn found(download: &Arc<Download>, index: ChunkIndex, taken: Result<(), TakeError>) -> Input {
    let from = ReusedFrom::File("old".parse().unwrap());
    Input::Task(TaskInput::Reused { download: download.clone(), index, from, taken })
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
    assert_eq!((resource.reused.chunks, resource.reused.bytes), (2, chunk_bytes + last));
    assert_eq!(resource.have(), 2);
    let told = rig.driver.machine.status(manifest.key()).unwrap();
    assert_eq!(told.have, 2, "the core knows them");

    download.store(ChunkIndex(0), chunk(0).into()).unwrap();
    rig.driver.handle(taken(&download, ChunkIndex(0)));
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == bytes);
}
