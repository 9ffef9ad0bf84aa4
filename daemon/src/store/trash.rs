//! What was removed and still takes room, in `.tinytorrent/trash/`. A directory with many files loses its name in one step
//! and comes here; its files are deleted by a thread of its own, so that nobody waits for that. What a crash leaves here
//! is deleted after the next start.
//!
//! Of a directory that was in view, only what is ours is deleted (`former`). It comes with what is known of it.

use super::disk::Disk;
use super::mode::let_move;
use super::root::Root;
use super::{At, StoreError};
use crate::jobs;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The trash of a shared directory. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Trash(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Disk,
    folder: PathBuf,
    /// The shared directory.
    shared: PathBuf,
    clear: Clear,
    /// The name of the next directory that comes here. Those of earlier runs have smaller ones.
    next: AtomicU64,
    emptying: Mutex<Emptying>,
}

/// Deletes what is ours in a directory that [`take_former`](Trash::take_former) took, and moves out what is not.
pub(super) type Clear = fn(&Trash, &Path) -> Result<(), StoreError>;

/// The name of a directory of which only what is ours is deleted ends with this.
const FORMER: &str = "former";

/// Whether it is being emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptying {
    No,
    /// A thread does it.
    Yes,
    /// A thread does it, and must look once more: something came meanwhile.
    Again,
}

impl Trash {
    /// The trash in a directory, which is there. What is not ours comes back into `shared`.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub(super) fn open(
        disk: &Disk,
        folder: PathBuf,
        shared: &Path,
        clear: Clear,
    ) -> Result<Trash, StoreError> {
        let mut next = 0;
        for entry in fs::read_dir(&folder).at("read the directory", &folder)? {
            let name = entry.at("read the directory", &folder)?.file_name();
            let number = name.to_str().and_then(|name| name.split('.').next()?.parse().ok()).unwrap_or(0_u64);
            next = next.max(number.saturating_add(1));
        }
        let (next, emptying) = (AtomicU64::new(next), Mutex::new(Emptying::No));
        let (disk, shared) = (disk.clone(), shared.to_owned());
        Ok(Trash(Arc::new(Inner { disk, folder, shared, clear, next, emptying })))
    }

    /// The medium.
    pub(super) fn disk(&self) -> &Disk {
        &self.0.disk
    }

    /// The shared directory.
    pub(super) fn shared(&self) -> &Path {
        &self.0.shared
    }

    /// Takes a directory that lost its name, with what is known of it: only what is ours in it is deleted.
    ///
    /// # Errors
    /// When it cannot be moved. It stays where it is then.
    pub(super) fn take_former(&self, leaving: &Path) -> Result<(), StoreError> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let away = self.0.folder.join(format!("{number}.{FORMER}"));
        self.move_to(leaving, &away)?;
        self.empty();
        Ok(())
    }

    /// Moves a directory to a free path, also if its owner may not write to it.
    ///
    /// # Errors
    /// When it cannot be moved, also because something is at the new path.
    pub(super) fn move_to(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.renamed(from, to).at("move", from)
    }

    fn renamed(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.disk.rename(from, to).or_else(|error| {
            must_be_refused(error)?;
            self.allow_moving(from)?;
            self.0.disk.rename(from, to)
        })
    }

    /// Removes a directory with everything in it, or a file: it has lost its name when this returns. No error if nothing
    /// is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn take(&self, path: &Path) -> Result<(), StoreError> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let away = self.0.folder.join(number.to_string());
        match self.renamed(path, &away) {
            Ok(()) => self.empty(),
            Err(_) if !is_there(path) => {}
            // The trash is missing, or on another file system.
            Err(_) => return self.0.disk.remove_all(path),
        }
        Ok(())
    }

    /// Begins to delete what is in it.
    pub(super) fn empty(&self) {
        let mut emptying = self.emptying();
        if *emptying != Emptying::No {
            *emptying = Emptying::Again;
            return;
        }
        *emptying = Emptying::Yes;
        drop(emptying);
        let trash = self.clone();
        let work = move || trash.delete_all();
        if !self.0.disk.removes_later() {
            return work();
        }
        if let Err(error) = jobs::thread("trash", work) {
            *self.emptying() = Emptying::No;
            tracing::warn!(%error, "cannot delete what was removed; it is deleted later");
        }
    }

    fn delete_all(&self) {
        loop {
            let entries = fs::read_dir(&self.0.folder).into_iter().flatten().flatten();
            for path in entries.map(|entry| entry.path()) {
                let deleted = match path.extension().is_some_and(|end| end == FORMER) {
                    true => (self.0.clear)(self, &path),
                    false => self.0.disk.remove_all(&path),
                };
                if let Err(error) = deleted {
                    tracing::warn!(%error, "cannot delete what was removed"); // tried again when more comes
                }
            }
            let mut emptying = self.emptying();
            if *emptying == Emptying::Yes {
                *emptying = Emptying::No;
                return;
            }
            *emptying = Emptying::Yes;
        }
    }

    /// Lets the owner of a directory move it: its entry `..` is written to.
    fn allow_moving(&self, path: &Path) -> io::Result<()> {
        let_move(&self.0.disk, &Root::open(path)?).map(drop).map_err(|error| error.source)
    }

    fn emptying(&self) -> MutexGuard<'_, Emptying> {
        self.0.emptying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn must_be_refused(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::PermissionDenied { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    fn is_empty(folder: &Path) -> bool {
        fs::read_dir(folder).unwrap().next().is_none()
    }

    fn wait_until_empty(folder: &Path) {
        let until = Instant::now() + Duration::from_secs(20);
        while !is_empty(folder) {
            assert!(Instant::now() < until, "it is not emptied");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_comes_has_lost_its_name_at_once_and_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let (place, app) = (folder.path().join("trash"), folder.path().join("app"));
        fs::create_dir_all(place.join("7/left by a crash")).unwrap();
        let trash = Trash::open(&Disk::system(), place.clone(), folder.path(), |_, _| Ok(())).unwrap();
        for mode in [0o755, 0o555, 0o000] {
            fs::create_dir_all(app.join("sub")).unwrap();
            fs::write(app.join("sub/file"), "x").unwrap();
            fs::set_permissions(&app, fs::Permissions::from_mode(mode)).unwrap();
            trash.take(&app).unwrap();
            assert!(app.symlink_metadata().is_err(), "{mode:o}");
        }
        fs::write(&app, "a file").unwrap();
        trash.take(&app).unwrap();
        assert!(!app.exists());
        trash.take(&app).unwrap();
        wait_until_empty(&place);
        trash.take(&app).unwrap();
        wait_until_empty(&place);
    }

    #[test]
    fn without_a_place_for_it_it_is_deleted_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (place, app) = (folder.path().join("trash"), folder.path().join("app"));
        fs::create_dir(&place).unwrap();
        let trash = Trash::open(&Disk::system(), place.clone(), folder.path(), |_, _| Ok(())).unwrap();
        fs::remove_dir(&place).unwrap();
        fs::create_dir_all(app.join("sub")).unwrap();
        trash.take(&app).unwrap();
        assert!(!app.exists());
    }
}
