//! Hashes files to be shared, and compares files with wanted resources: a few at a time, because each takes a processor
//! and 8 MiB of memory. It is separate from the checks, so that nobody who shares a file waits for them.

use crate::jobs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{AcquireError, Semaphore};

/// A file of more bytes than this counts as large. Hashing one takes a second or more.
const SMALL_BYTES_MAX: u64 = 64 << 20;

/// Limits the small files that are hashed at once; further ones wait. Each takes a processor and 8 MiB of memory for a
/// moment.
const SMALL_MAX: usize = 4;

/// Limits the large files that are hashed at once; further ones wait. Small files have places of their own, so they do
/// not wait for large ones.
const LARGE_MAX: usize = 2;

/// The places for files that are being hashed.
#[derive(Debug)]
pub(super) struct Hashing {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing { small: Arc::new(Semaphore::new(SMALL_MAX)), large: Arc::new(Semaphore::new(LARGE_MAX)) }
    }
}

impl Hashing {
    /// Runs `work` on a file outside the async workers, when a place for a file of its size is free. Places are given
    /// in the order of requests.
    ///
    /// # Errors
    /// When the work panicked.
    pub(super) fn of<T, W>(&self, path: PathBuf, work: W) -> impl Future<Output = io::Result<T>> + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let (small, large) = (self.small.clone(), self.large.clone());
        async move {
            let place = small.acquire_owned().await.map_err(closed)?;
            let size = move || std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
            let bytes = jobs::run(size).await.map_err(io::Error::other)?;
            let place = match bytes > SMALL_BYTES_MAX {
                true => {
                    drop(place);
                    large.acquire_owned().await.map_err(closed)?
                }
                false => place,
            };
            let done = jobs::run(work).await.map_err(io::Error::other);
            drop(place);
            done
        }
    }

    /// The same for a directory. Nobody knows its size before it was walked, so it takes the place of a large file.
    ///
    /// # Errors
    /// When the work panicked.
    pub(super) fn of_directory<T, W>(&self, work: W) -> impl Future<Output = io::Result<T>> + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let large = self.large.clone();
        async move {
            let place = large.acquire_owned().await.map_err(closed)?;
            let done = jobs::run(work).await.map_err(io::Error::other);
            drop(place);
            done
        }
    }

    /// The places for work on this many bytes. Whoever takes one keeps it until the work is done.
    pub(super) fn places_for(&self, bytes: u64) -> Arc<Semaphore> {
        if bytes > SMALL_BYTES_MAX { self.large.clone() } else { self.small.clone() }
    }
}

fn closed(_: AcquireError) -> io::Error {
    io::Error::other("nothing is hashed any more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_directory_takes_the_place_of_a_large_file() {
        let hashing = Hashing::default();
        let _small = hashing.places_for(1).try_acquire_many_owned(SMALL_MAX as u32).unwrap();
        assert_eq!(hashing.of_directory(|| 7).await.unwrap(), 7, "only the small places are taken");
        let _large = hashing.places_for(u64::MAX).try_acquire_many_owned(LARGE_MAX as u32).unwrap();
        assert!(timeout(Duration::from_millis(5), hashing.of_directory(|| 7)).await.is_err(), "it waits");
    }
}
