//! Tests of which bytes a download takes, and of what it has.

use super::*;
use crate::library::Memory;
use crate::store::Disk;
use shared::chunk::ChunkCount;
use shared::id::{ChunkHash, ResourceId};
use std::sync::atomic::{AtomicU32, Ordering};

const CHUNK: usize = CHUNK_BYTES as usize;

/// A download of these chunks. `failed_syncs` is not 0 if a sync of its file has failed since.
fn download(chunks: Vec<ChunkHash>, failed_syncs: u64) -> (tempfile::TempDir, Download) {
    let folder = tempfile::tempdir().unwrap();
    let trackers = vec!["tt://one".parse().unwrap()];
    let manifest = Manifest::new("x".parse().unwrap(), ResourceId([1; 32]), trackers, chunks).unwrap();
    let path = folder.path().join("x.part");
    let file = Arc::new(PartFile::open(&Disk::system(), &path, manifest.count()).unwrap());
    let whole = Arc::new(WholeHash::new(file.clone(), manifest.clone(), Memory::default()));
    let (unnoted, namesakes) = (Unnoted::default(), Namesakes::default());
    (folder, Download { manifest, file, whole, unnoted, failed_syncs, namesakes })
}

fn have(count: ChunkCount, chunks: &[u32]) -> HaveMap {
    let mut have = HaveMap::empty(count);
    chunks.iter().for_each(|&index| _ = have.insert(ChunkIndex(index)));
    have
}

#[test]
fn only_chunks_of_the_right_length_and_content_are_taken() {
    // Which of two chunks, its length, and whether it is taken. A manifest may have the hash of a chunk that is too long.
    let cases = [
        (0, CHUNK, true),
        (0, CHUNK - 1, false),
        (0, CHUNK + 1, false),
        (1, CHUNK, true),
        (1, CHUNK - 1, true),
        (1, 1, true),
        (1, CHUNK + 1, false),
    ];
    for (at, length, is_taken) in cases {
        let bytes = vec![7; length];
        let mut hashes = vec![ChunkHash([0; 32]); 2];
        hashes[at] = ChunkHash::of(&bytes);
        let (_folder, download) = download(hashes, 0);
        let index = ChunkIndex(at as u32);
        let taken = download.store(index, bytes.clone().into());
        assert_eq!(taken.is_ok(), is_taken, "chunk {at} of {length} bytes: {taken:?}");
        assert_eq!(download.unnoted.chunks(), u32::from(is_taken), "others are not counted");
        if is_taken {
            assert_eq!(download.file.read(index).unwrap(), bytes);
            let other = download.store(index, vec![8; length].into());
            assert!(matches!(other, Err(TakeError::Corrupt)), "{other:?}");
        }
    }
}

#[test]
fn there_is_no_chunk_after_the_last_one_and_none_after_the_end() {
    let (_folder, download) = download(vec![ChunkHash::of(&[7; CHUNK]); 2], 0);
    let take = |index| download.store(ChunkIndex(index), vec![7; CHUNK].into());
    assert!(matches!(take(2), Err(TakeError::Corrupt)));
    download.unnoted.end();
    assert!(matches!(take(0), Err(TakeError::Ended)));
}

#[test]
fn a_chunk_is_taken_from_wherever_another_file_has_it_if_it_is_right() {
    let (_folder, other) = download(vec![ChunkHash::of(&[7; CHUNK]), ChunkHash::of(&[8; CHUNK])], 0);
    for (index, byte) in [(0, 7), (1, 8)] {
        other.store(ChunkIndex(index), vec![byte; CHUNK].into()).unwrap();
    }
    let donor = Source::Download(Arc::new(other)).donor().unwrap();
    let (_folder, download) = download(vec![ChunkHash::of(&[8; CHUNK]), ChunkHash::of(&[9; 5])], 0);
    let from = |at| download.store_from(ChunkIndex(0), &donor, ChunkIndex(at));
    assert!(matches!(from(0), Err(TakeError::Corrupt)));
    assert!(matches!(from(2), Err(TakeError::Unread(_))), "it has no such chunk");
    from(1).unwrap();
    assert_eq!(download.file.read(ChunkIndex(0)).unwrap(), vec![8; CHUNK]);
}

#[test]
fn only_missing_chunks_of_zeros_are_made() {
    let mut hashes = vec![ChunkHash::ZEROS; 8];
    hashes[3] = ChunkHash::of(&[7; CHUNK]);
    let (_folder, download) = download(hashes, 0);
    let count = download.manifest.count();
    let present = have(count, &[6]);
    assert_eq!(download.make_zeros(&present, || false).unwrap(), HaveMap::empty(count), "nobody wants them");
    let made = download.make_zeros(&present, || true).unwrap();
    assert_eq!(made, have(count, &[0, 1, 2, 4, 5, 7]));
    assert_eq!(download.file.read(ChunkIndex(7)).unwrap(), vec![0; CHUNK]);
}

/// Before each call it is asked whether the rest is still wanted.
#[test]
fn a_bounded_number_of_zeros_is_made_by_one_call() {
    let zeros = ZEROS_AT_ONCE_MAX;
    for (first, last, calls) in [(0, zeros, 1), (0, zeros + 1, 2), (5, 2 * zeros, 2), (5, 2 * zeros + 6, 3)] {
        let mut hashes = vec![ChunkHash::ZEROS; last as usize];
        hashes[..first as usize].fill(ChunkHash::of(&[7; CHUNK]));
        let (_folder, download) = download(hashes, 0);
        let asked = AtomicU32::new(0);
        let is_wanted = || {
            asked.fetch_add(1, Ordering::Relaxed);
            true
        };
        let made = download.make_zeros(&HaveMap::empty(download.manifest.count()), is_wanted).unwrap();
        assert_eq!((made.len(), asked.into_inner()), (last - first, calls), "{first}..{last}");
    }
}

#[test]
fn what_was_not_synced_is_certain_only_if_no_sync_fails() {
    for (failed_syncs, certain) in [(0, vec![0, 1]), (1, vec![0])] {
        let (_folder, download) = download(vec![ChunkHash::of(&[7; CHUNK]); 3], failed_syncs);
        let count = download.manifest.count();
        let (have_before, safe) = (have(count, &[0, 1]), have(count, &[0]));
        let former = Former { download: Arc::new(download), have: have_before, safe };
        let good = HaveMap::full(count); // the system shows a third chunk, which the download did not have
        assert_eq!(former.reliable(good), have(count, &certain), "{failed_syncs} failed syncs");
    }
}
