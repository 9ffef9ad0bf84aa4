//! The lock under which one process at a time replaces a socket file.

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Limits the attempts to take the lock, with [`TRY_AGAIN`] between them: 5 seconds in all. Then the call fails. A
/// process holds the lock only for a few calls for metadata.
const TRIES_MAX: u32 = 500;
/// The pause between two attempts.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Held by the process that removes a dead socket and listens in its place. Dropping it removes the lock file.
#[derive(Debug)]
pub(super) struct Lock {
    folder: OwnedFd,
    name: OsString,
    _file: OwnedFd,
}

impl Lock {
    /// Locks a file of this name in the directory. No other program has a reason to lock it.
    pub(super) async fn take(folder: &OwnedFd, name: OsString) -> io::Result<Lock> {
        let folder = folder.try_clone()?;
        for _ in 0..TRIES_MAX {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // The former holder may have removed the file before we locked it. Then another file with this name
                // counts.
                Ok(()) if is_there(&folder, &name, &file)? => return Ok(Lock { folder, name, _file: file }),
                Ok(()) => continue,
                Err(Errno::WOULDBLOCK) => tokio::time::sleep(TRY_AGAIN).await,
                Err(error) => return Err(error.into()),
            }
        }
        let held = format!("another process has held {} for too long", name.display());
        Err(io::Error::new(io::ErrorKind::TimedOut, held))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

/// Whether the file still has this name.
fn is_there(folder: &OwnedFd, name: &OsString, file: &OwnedFd) -> io::Result<bool> {
    let ours = rustix::fs::fstat(file)?;
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) => Ok((there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn one_at_a_time_has_it_and_nothing_is_left() {
        let place = tempfile::tempdir().unwrap();
        let folder: OwnedFd = std::fs::File::open(place.path()).unwrap().into();
        let inside = Arc::new(AtomicU32::new(0));
        let enter = |inside: Arc<AtomicU32>, folder: OwnedFd| async move {
            let lock = Lock::take(&folder, "x.lock".into()).await.unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
            tokio::time::sleep(Duration::from_millis(1)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(lock);
        };
        let all = (0..20).map(|_| tokio::spawn(enter(inside.clone(), folder.try_clone().unwrap())));
        for task in all.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_goes_away_without_it() {
        let place = tempfile::tempdir().unwrap();
        let folder: OwnedFd = std::fs::File::open(place.path()).unwrap().into();
        let _held = Lock::take(&folder, "x.lock".into()).await.unwrap();
        let error = Lock::take(&folder, "x.lock".into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
