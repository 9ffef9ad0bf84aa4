use super::*;
use crate::url::TrackerUrl;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MIB: usize = CHUNK_BYTES as usize;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Bytes in which no two chunks are equal.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / MIB * 31 + at % 251) as u8).collect()
}

fn manifest_of(bytes: &[u8]) -> Manifest {
    let trackers = vec!["tt://h".parse::<TrackerUrl>().unwrap()];
    let hashes = bytes.chunks(MIB).map(ChunkHash::of).collect();
    Manifest::new("n".parse().unwrap(), ResourceId::of(bytes), trackers, hashes).unwrap()
}

/// One worker is delayed at chunk 0 while the other goes once around the ring.
#[test]
fn the_lane_does_not_take_an_old_chunk_for_a_new_one() {
    let content = bytes((WINDOW + 2) * MIB);
    let (file, count) = (file_of(&content), ChunkCount::of_bytes(content.len() as u64).unwrap());
    let file = RegularFile::new(&file).unwrap();
    let pipeline = Pipeline::new(&file, count, 0, &silent);
    let job = || pipeline.board().take_job(count);
    let held_up = ChunkIndex(0);
    assert!(matches!(job(), Some(HashJob::Chunk(chunk)) if chunk == held_up));
    pipeline.read(held_up).unwrap();
    pipeline.board().hold(held_up);
    while let Some(job) = job() {
        match job {
            HashJob::Lane(turn) => pipeline.move_lane(turn).unwrap(),
            HashJob::Chunk(chunk) => pipeline.hash_chunk(chunk).unwrap(),
            HashJob::Follow(_) => unreachable!("a file is not followed"),
        }
    }
    assert_eq!(pipeline.board().lane.passed() as usize, WINDOW, "the next chunk's buffer is in use");
    pipeline.board().hashes[0] = ChunkHash::of(&content[..MIB]);
    pipeline.board().used(held_up);
    pipeline.work();
    assert_eq!(pipeline.finish().unwrap().0.resource, ResourceId::of(&content));
}

#[test]
fn it_computes_what_a_plain_loop_computes() {
    for len in [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7, (WINDOW + 3) * MIB, 2 * WINDOW * MIB + 1] {
        let bytes = bytes(len);
        let hashed = hash_file(&file_of(&bytes), &silent).unwrap();
        assert_eq!(hashed.resource, ResourceId::of(&bytes), "{len} bytes");
        assert_eq!(hashed.hashes, bytes.chunks(MIB).map(ChunkHash::of).collect::<Vec<_>>(), "{len} bytes");
        assert_eq!(hashed.bytes, len as u64);
    }
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]
fn a_sparse_file_has_the_hashes_of_its_bytes() {
    let len = 20 * MIB + 77;
    for data in [vec![], vec![3 * MIB..4 * MIB], vec![0..10, 7 * MIB - 1..9 * MIB + 1, len - 1..len]] {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; len];
        for range in data {
            bytes[range.clone()].fill(7);
            file.write_all_at(&bytes[range.clone()], range.start as u64).unwrap();
        }
        file.set_len(len as u64).unwrap();
        let hashed = hash_file(&file, &silent).unwrap();
        assert_eq!(hashed.resource, ResourceId::of(&bytes));
        assert!(hashed.hashes.iter().copied().eq(bytes.chunks(MIB).map(ChunkHash::of)));
        assert!(check_file(&file, &manifest_of(&bytes), &silent).unwrap().whole_matches);
    }
}

#[test]
fn progress_only_grows_and_ends_at_the_size() {
    for len in [0, 5, 40 * MIB + 5] {
        let last = AtomicU64::new(0);
        let progress = |done| {
            assert!(last.swap(done, Relaxed) <= done);
            ControlFlow::Continue(())
        };
        hash_file(&file_of(&bytes(len)), &progress).unwrap();
        assert_eq!(last.into_inner(), len as u64);
    }
}

#[test]
fn it_can_be_stopped() {
    let stop = |done| if done > 3 * MIB as u64 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let error = hash_file(&file_of(&bytes(40 * MIB)), &stop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
}

#[test]
fn a_file_that_changes_meanwhile_is_an_error() {
    type Change = fn(&File);
    let cases: [(&str, Change); 3] = [
        ("it had 41943040 bytes and now has 41943041", |file| {
            file.write_all_at(b"x", 40 * MIB as u64).unwrap()
        }),
        ("it was written to", |file| {
            std::thread::sleep(std::time::Duration::from_millis(20)); // beyond the clock's tick
            file.write_all_at(b"x", 0).unwrap();
        }),
        ("it became shorter", |file| file.set_len(30 * MIB as u64).unwrap()),
    ];
    for (how, change) in cases {
        let file = file_of(&bytes(40 * MIB));
        let progress = |done| {
            if done == 2 * MIB as u64 {
                change(&file);
            }
            ControlFlow::Continue(())
        };
        let error = hash_file(&file, &progress).unwrap_err();
        assert_eq!(error.to_string(), format!("the file changed while it was being hashed: {how}"));
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let error = hash_file(&File::open("/dev/zero").unwrap(), &silent).unwrap_err();
    assert_eq!(error.to_string(), "not a regular file");
}

#[test]
fn a_panic_in_progress_does_not_hang() {
    let file = file_of(&bytes(40 * MIB));
    let hashing = || hash_file(&file, &|_| panic!("on purpose"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(hashing)).is_err());
}

#[test]
fn bad_chunks_are_found() {
    let good = bytes(5 * MIB + 9);
    let manifest = manifest_of(&good);
    let check = |bytes: &[u8]| {
        let checked = check_file(&file_of(bytes), &manifest, &silent).unwrap();
        assert_eq!(checked.good.len() as usize + checked.bad.len(), 6);
        assert_eq!(checked.bytes, bytes.len() as u64);
        (checked.whole_matches, checked.bad.iter().map(|index| index.0).collect::<Vec<_>>())
    };
    assert_eq!(check(&good), (true, vec![]));
    let mut corrupt = good.clone();
    corrupt[2 * MIB] ^= 1;
    assert_eq!(check(&corrupt), (false, vec![2]));
    assert_eq!(check(&good[..4 * MIB + 1]), (false, vec![4, 5]));
    assert_eq!(check(&[]), (false, vec![0, 1, 2, 3, 4, 5]));
    let mut longer = good.clone();
    longer.resize(9 * MIB, 0);
    assert_eq!(check(&longer), (false, vec![5]));
}

#[test]
fn a_false_list_under_a_true_id_is_found_and_so_is_the_reverse() {
    let bytes = bytes(2 * MIB);
    let right = manifest_of(&bytes);
    let trackers = right.trackers().to_vec();
    let wrong_id =
        Manifest::new("n".parse().unwrap(), ResourceId([1; 32]), trackers, right.hashes().to_vec()).unwrap();
    let checked = check_file(&file_of(&bytes), &wrong_id, &silent).unwrap();
    assert!(checked.bad.is_empty() && !checked.whole_matches);
}

/// Bytes on a disk that fails to read some chunks.
struct BadSectors<'a> {
    content: &'a [u8],
    bad: &'a [u32],
    error: io::ErrorKind,
}

impl Body for BadSectors<'_> {
    fn bytes(&self) -> u64 {
        self.content.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let at = offset as usize;
        if self.bad.contains(&((at / MIB) as u32)) {
            return Err(self.error.into());
        }
        buffer.copy_from_slice(&self.content[at..at + buffer.len()]);
        Ok(())
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_cannot_be_read_is_passed_over_when_it_is_little() {
    let content = bytes(5 * MIB + 9);
    let error = io::ErrorKind::ResourceBusy;
    let read = |bad: &[u32], unreadable_max| {
        let hashed = hash_bytes(&BadSectors { content: &content, bad, error }, unreadable_max, &silent);
        hashed.map(|(hashed, mut skipped)| {
            skipped.unreadable.sort();
            (hashed, skipped.unreadable.iter().map(|index| index.0).collect::<Vec<_>>())
        })
    };
    let (whole, _) = read(&[], 0).unwrap();
    let (hashed, unreadable) = read(&[1, 5], 2).unwrap();
    assert_eq!(unreadable, [1, 5]);
    for good in [0, 2, 3, 4] {
        assert_eq!(hashed.hashes[good], whole.hashes[good]);
    }
    for (bad, unreadable_max) in [(&[1][..], 0), (&[1, 3, 5], 2), (&[0, 1, 2, 3, 4, 5], 64)] {
        assert_eq!(read(bad, unreadable_max).unwrap_err().kind(), error, "{bad:?}");
    }
}

#[test]
fn bytes_that_are_not_there_make_a_wrong_chunk_and_no_error() {
    for (len, bad) in [(5 * MIB + 9, &[1, 5][..]), (4 * MIB, &[0, 1, 2, 3]), (7, &[0])] {
        let content = bytes(len);
        let body = BadSectors { content: &content, bad, error: io::ErrorKind::NotFound };
        let checked = check_body(&body, &manifest_of(&content), &silent).unwrap();
        assert_eq!(checked.bad.iter().map(|index| index.0).collect::<Vec<_>>(), bad);
        assert!(checked.unreadable.is_empty() && !checked.whole_matches);
    }
}
