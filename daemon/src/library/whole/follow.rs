//! Keeps the hash of the whole file close behind a download, so that a huge file needs no second read. Most chunks are
//! hashed as they arrive ([`WholeHash::verify`]); the others are hashed here.

use super::hash::{Frontier, WholeHash};
use crate::jobs;
use crate::store::StoreError;
use shared::id::ResourceId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinError;

/// The number of chunks hashed in one step. It is small because arriving chunks may hash the next ones meanwhile.
const BATCH_CHUNKS: u32 = 2;

/// The number of chunks by which the hash may lag before this task hashes them. It is lower than the number kept in
/// memory.
const LAG_CHUNKS: u32 = 8;

/// How long the hash may lag while no further chunk arrives. Then it is moved on without waiting for more chunks.
const LAG_MAX: Duration = Duration::from_millis(250);

/// The hash of a whole file, or the error that prevented it.
pub type HashedWhole = Result<ResourceId, String>;

impl WholeHash {
    /// Keeps the hash close behind the chunks in the file, and returns it when all are there. Returns `None` when it is
    /// no longer wanted. Only one task may await this; otherwise the tasks would hash the chunks in turns.
    pub async fn finished(self: Arc<WholeHash>) -> Option<HashedWhole> {
        let (total, mut frontier) = (self.count().get(), self.frontier());
        loop {
            let there = self.wait_for_work(&mut frontier, total).await?;
            if there == total && self.passed() >= total {
                return Some(Ok(self.get()));
            }
            let passing = self.clone();
            let pass = move || passing.pass(there, BATCH_CHUNKS);
            let passed: Result<(), StoreError> = match jobs::run(pass).await {
                Ok(passed) => passed,
                Err(error) => return without_result(&error),
            };
            if let Err(error) = passed {
                return Some(Err(error.to_string()));
            }
        }
    }

    /// Waits until the hash lags or all chunks are there. Returns the number of chunks from the beginning that are
    /// there.
    async fn wait_for_work(&self, frontier: &mut watch::Receiver<Frontier>, total: u32) -> Option<u32> {
        loop {
            let Frontier { chunks: there, is_ended } = *frontier.borrow_and_update();
            if is_ended {
                return None;
            }
            let lag = there.saturating_sub(self.passed());
            if there == total || lag >= LAG_CHUNKS {
                return Some(there);
            }
            if lag == 0 {
                frontier.changed().await.ok()?;
            } else if let Ok(changed) = tokio::time::timeout(LAG_MAX, frontier.changed()).await {
                changed.ok()?;
            } else {
                return Some(there);
            }
        }
    }
}

/// What a step means that has no result: one that panicked is told, and one that was canceled is not, since the daemon is
/// stopping.
fn without_result(error: &JoinError) -> Option<HashedWhole> {
    error.is_panic().then(|| Err(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::hash::tests::manifest_of;
    use super::super::recent::Memory;
    use super::*;
    use crate::store::{Disk, PartFile};
    use bytes::Bytes;
    use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
    use shared::have::HaveMap;
    use shared::id::ChunkHash;
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SOON: Duration = Duration::from_secs(60);

    fn whole(folder: &Path, chunks: &[Bytes]) -> (Arc<PartFile>, Arc<WholeHash>) {
        let manifest = manifest_of(chunks);
        let part = PartFile::open(&Disk::system(), &folder.join("x.part"), manifest.count()).unwrap();
        let file = Arc::new(part);
        let whole = WholeHash::new(file.clone(), manifest, Memory::default());
        (file, Arc::new(whole))
    }

    fn chunks(count: u8, last: usize) -> Vec<Bytes> {
        let bytes = |at| if at + 1 == count { last } else { CHUNK_BYTES as usize };
        (0..count).map(|at| Bytes::from(vec![at.wrapping_mul(91); bytes(at)])).collect()
    }

    async fn soon(whole: Arc<WholeHash>) -> Option<HashedWhole> {
        tokio::time::timeout(SOON, whole.finished()).await.expect("it comes to an end")
    }

    /// Chunks arrive on several threads in a mixed order, some of them corrupt at first, as they do from many
    /// peers; what is written is told in yet another order.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_hash_is_right_whichever_threads_bring_the_chunks() {
        for (threads, step) in [(1, 1), (3, 1), (4, 7), (8, 11)] {
            let folder = tempfile::tempdir().unwrap();
            let chunks = chunks(24, 4321);
            let count = ChunkCount::new(24).unwrap();
            let (file, whole) = whole(folder.path(), &chunks);
            let finished = tokio::spawn(soon(whole.clone()));
            let (next, have) = (AtomicUsize::new(0), Mutex::new(HaveMap::empty(count)));
            let receive = || {
                loop {
                    let turn = next.fetch_add(1, Ordering::AcqRel);
                    if turn >= chunks.len() {
                        break;
                    }
                    let at = turn * step % chunks.len();
                    let (index, bytes) = (ChunkIndex(at as u32), &chunks[at]);
                    let hash = ChunkHash::of(bytes);
                    if turn % 5 == 0 {
                        assert!(!whole.verify(index, &vec![255; bytes.len()], &hash));
                    }
                    assert!(whole.verify(index, bytes, &hash));
                    file.write(index, bytes).unwrap();
                    whole.keep(index, bytes.clone());
                    let mut have = have.lock().unwrap();
                    have.insert(index);
                    whole.advance(&have);
                }
            };
            std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(receive)));
            let right = ResourceId::of(&chunks.concat());
            assert_eq!(finished.await.unwrap(), Some(Ok(right)), "{threads} threads, steps of {step}");
        }
    }

    #[tokio::test]
    async fn what_was_there_before_is_read_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (chunks, count) = (chunks(11, 99), ChunkCount::new(11).unwrap());
        let (file, whole) = whole(folder.path(), &chunks);
        for (index, bytes) in count.indices().zip(&chunks) {
            file.write(index, bytes).unwrap();
        }
        whole.advance(&HaveMap::full(count));
        assert_eq!(soon(whole).await, Some(Ok(ResourceId::of(&chunks.concat()))));
    }

    /// Chunks that arrive are mostly hashed as they are verified, so the task waits for a while.
    #[tokio::test(start_paused = true)]
    async fn the_task_waits_until_the_hash_lags_by_some_chunks_or_for_some_time() {
        let folder = tempfile::tempdir().unwrap();
        let (_file, whole) = whole(folder.path(), &chunks(20, 9));
        let mut frontier = whole.frontier();
        for (there, waits) in
            [(0, None), (1, Some(LAG_MAX)), (LAG_CHUNKS, Some(Duration::ZERO)), (20, Some(Duration::ZERO))]
        {
            let mut have = HaveMap::empty(whole.count());
            (0..there).for_each(|index| _ = have.insert(ChunkIndex(index)));
            whole.advance(&have);
            let begin = tokio::time::Instant::now();
            let found = tokio::time::timeout(SOON, whole.wait_for_work(&mut frontier, 20)).await;
            assert_eq!(found.ok(), waits.map(|_| Some(there)));
            assert_eq!(begin.elapsed(), waits.unwrap_or(SOON), "{there} chunks are there");
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_hash_that_nobody_wants_hears_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (_file, whole) = whole(folder.path(), &chunks(3, 9));
        let waiting = tokio::spawn(soon(whole.clone()));
        tokio::task::yield_now().await; // it waits already, or finds the end when it begins to
        whole.end();
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(soon(whole).await, None);
    }

    /// The download must not wait for the hash forever.
    #[tokio::test]
    async fn a_panic_is_told_and_the_end_of_the_daemon_is_not() {
        let panicked: Result<(), _> = tokio::spawn(async { panic!("a test") }).await;
        assert!(without_result(&panicked.unwrap_err()).unwrap().unwrap_err().contains("panicked"));
        let canceled = tokio::spawn(std::future::pending::<()>());
        canceled.abort();
        assert_eq!(without_result(&canceled.await.unwrap_err()), None);
    }

    #[tokio::test]
    async fn a_chunk_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (_file, whole) = whole(folder.path(), &chunks(3, 9)); // has no byte of what it is said to have
        whole.advance(&HaveMap::full(whole.count()));
        let error = soon(whole).await.unwrap().unwrap_err();
        assert!(error.contains("read"), "{error}");
    }
}
