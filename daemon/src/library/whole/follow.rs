//! Follows a download with its whole-file hash, so that a huge file ends without a second read: most chunks are
//! passed over as they arrive ([`Whole::verify`](super::hash::Whole::verify)); what was missed is made good here.

use crate::library::source::Download;
use crate::store::StoreError;
use shared::id::ResourceId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many chunks are hashed at once: few, while those that arrive could take them along.
const BATCH_CHUNKS: u32 = 2;

/// How far the hash may lag behind before somebody sees to it: fewer than are kept in memory.
const LAG_CHUNKS: u32 = 8;

/// How long it may lag behind while no further chunk comes.
const LAG_MAX: Duration = Duration::from_millis(250);

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
    loop {
        let there = wait_for_work(&download, &mut chunks, total).await?;
        if there == total && download.whole.passed() >= total {
            return Some(Ok(download.whole.get()));
        }
        let passing = download.clone();
        let pass = move || passing.whole.pass(&passing.file, there, BATCH_CHUNKS);
        let passed: Result<(), StoreError> = match tokio::task::spawn_blocking(pass).await {
            Ok(passed) => passed,
            Err(error) if error.is_panic() => return Some(Err(error.to_string())),
            Err(_) => return None, // the daemon ends
        };
        if let Err(error) = passed {
            return Some(Err(error.to_string()));
        }
    }
}

/// Waits until the hash lags behind what is there, or everything is there; gives how much that is.
async fn wait_for_work(download: &Download, chunks: &mut watch::Receiver<u32>, total: u32) -> Option<u32> {
    loop {
        let there = *chunks.borrow_and_update();
        download.whole.advance(there);
        let lag = there.saturating_sub(download.whole.passed());
        if there == total || lag >= LAG_CHUNKS {
            return Some(there);
        }
        if lag == 0 {
            chunks.changed().await.ok()?;
        } else if let Ok(changed) = tokio::time::timeout(LAG_MAX, chunks.changed()).await {
            changed.ok()?;
        } else {
            return Some(there);
        }
    }
}
