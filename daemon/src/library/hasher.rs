//! The whole-file hash of a download, computed along the way: it follows the first missing chunk, while what
//! was written is still in the page cache, so that a huge file ends without a second read.

use super::Download;
use sha2::{Digest, Sha256};
use shared::chunk::ChunkIndex;
use shared::id::ResourceId;
use shared::rpc::wire::buffers;
use std::sync::Arc;
use tokio::sync::watch;

/// How many chunks are hashed before the task looks up.
const BATCH_CHUNKS: u32 = 16;

/// The hash of a whole file, or why it could not be had.
pub type HashedWhole = Result<ResourceId, String>;

/// Tells the hashing task how far the file is contiguous. Dropping it ends the task.
#[derive(Debug)]
pub struct Frontier {
    chunks: watch::Sender<u32>,
}

impl Frontier {
    /// Begins to hash a file; `done` is called with the result once all of it was there.
    pub fn follow(download: Arc<Download>, done: impl FnOnce(HashedWhole) + Send + 'static) -> Frontier {
        let (chunks, watched) = watch::channel(0);
        tokio::spawn(async move {
            if let Some(whole) = hash(download, watched).await {
                done(whole);
            }
        });
        Frontier { chunks }
    }

    /// So many chunks from the beginning are there.
    pub fn advance(&self, chunks: u32) {
        self.chunks.send_if_modified(|now| {
            let further = *now < chunks;
            *now = chunks.max(*now);
            further
        });
    }
}

/// `None` when nobody wants the hash any more.
async fn hash(download: Arc<Download>, mut chunks: watch::Receiver<u32>) -> Option<HashedWhole> {
    let total = download.manifest.count().get();
    let (mut hasher, mut next) = (Sha256::new(), 0);
    while next < total {
        let there = *chunks.wait_for(|&there| there > next).await.ok()?;
        let (first, end) = (next, there.min(next + BATCH_CHUNKS));
        let download = download.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            for index in (first..end).map(ChunkIndex) {
                if let Some(bytes) = download.recent.pass(index) {
                    hasher.update(&bytes);
                    buffers::give(bytes);
                } else {
                    let bytes = download.file.read(index)?;
                    hasher.update(&bytes);
                    buffers::give(bytes.freeze());
                }
            }
            Ok::<_, crate::store::StoreError>(hasher)
        });
        hasher = match hashed.await.ok()? {
            Ok(hasher) => hasher,
            Err(error) => return Some(Err(error.to_string())),
        };
        next = end;
    }
    Some(Ok(ResourceId(hasher.finalize().into())))
}
