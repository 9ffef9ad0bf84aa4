//! A faulty disk for tests. It counts its steps, stops at one of them, tears the last write, loses data that was not
//! synced, and fails like a disk that is full, broken or read-only.
//!
//! A power cut loses any part, in any order, of the bytes that were written since a file's last sync; and the latest
//! changes of names since a directory's last sync, in order, since journals keep their order. A sync that fails loses
//! the bytes at once, as if they were dropped from the page cache. A write-back that fails is reported once to each
//! open file, as on Linux, and its bytes can be read until the power is cut. Holes and lengths are not lost by it: they
//! are in the journal.

mod refusals;
mod state;
mod tests;

pub use refusals::DiskFault;

use super::disk::{Medium, Open, Step, System};
use super::root::Root;
use super::undo::{Change, Undo};
use refusals::Refusal;
use state::{State, Tell};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A faulty disk on top of the real one.
#[derive(Debug)]
pub struct Faulty {
    /// A directory next to the shared one, where removed and replaced files are kept.
    grave: PathBuf,
    /// Whether it can exchange two directories in one step.
    exchanges: bool,
    state: Mutex<State>,
    /// Whether the result of the next sync of a large file is delayed.
    holds: Mutex<Hold>,
    let_go: Condvar,
}

/// Whether the result of a sync is delayed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Hold {
    #[default]
    Nothing,
    Next,
    One,
}

impl Faulty {
    /// A disk without faults so far.
    pub fn new(grave: &Path) -> Faulty {
        fs::create_dir_all(grave).unwrap();
        let (grave, exchanges) = (grave.to_owned(), true);
        Faulty { grave, exchanges, state: Mutex::default(), holds: Mutex::default(), let_go: Condvar::new() }
    }

    /// The same disk with a file system that cannot exchange two directories.
    pub fn without_exchange(self) -> Faulty {
        Faulty { exchanges: false, ..self }
    }

    /// The number of steps so far.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Stops before this step, counted from 1: neither it nor any later step happens. If `torn` is set and the step
    /// writes, punches or removes a directory with its content, half of it happens.
    pub fn stop_at(&self, step: u64, torn: bool) {
        let mut state = self.state();
        (state.stop_at, state.torn) = (Some(step), torn);
    }

    /// The same; whoever must know at once is told at that step.
    pub fn stop_at_and_tell(&self, step: u64, torn: bool, tell: impl FnOnce() + Send + 'static) {
        self.stop_at(step, torn);
        self.state().tell = Tell(Some(Box::new(tell)));
    }

    /// Whether it has stopped.
    pub fn has_stopped(&self) -> bool {
        let state = self.state();
        state.stop_at.is_some_and(|stop| state.steps >= stop)
    }

    /// Fails from this step on.
    pub fn refuse_from(&self, step: u64, refusal: DiskFault) {
        self.state().refuse = Some((step, refusal));
    }

    /// The number of steps that have failed.
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Stops failing.
    pub fn heal(&self) {
        self.state().refuse = None;
    }

    /// Delays the result of the next sync of a file of more than 1 MiB until [`let_go`](Faulty::let_go) is called.
    pub fn hold_next_sync(&self) {
        *self.holds() = Hold::Next;
    }

    /// Whether a result is being delayed.
    pub fn is_holding(&self) -> bool {
        *self.holds() == Hold::One
    }

    /// Delivers the delayed result.
    pub fn let_go(&self) {
        *self.holds() = Hold::Nothing;
        self.let_go.notify_all();
    }

    fn holds(&self) -> MutexGuard<'_, Hold> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_if_held(&self, file: &File) {
        let mut holds = self.holds();
        if *holds == Hold::Next && file.metadata().is_ok_and(|metadata| metadata.len() > 1 << 20) {
            *holds = Hold::One;
            drop(self.let_go.wait_while(holds, |holds| *holds == Hold::One));
        }
    }

    /// Cuts the power: changes that are not durable are undone where `goes` says so. It is asked about each write, and
    /// once about all changes of names after a certain one.
    pub fn cut_power(&self, mut goes: impl FnMut() -> bool) {
        let mut state = self.state();
        let mut names_go = true;
        state.failures.clear(); // whoever opens a file then finds it as it is on the disk
        while let Some(undo) = state.undo.pop() {
            if let Undo::Name { .. } = undo {
                names_go &= goes();
                if names_go {
                    undo.perform();
                }
            } else if matches!(undo, Undo::Bytes { lost: true, .. }) || goes() {
                undo.perform();
            }
        }
    }

    /// Works again after [`stop_at`](Faulty::stop_at), for another process: files that were open are closed. What was
    /// not synced can still be lost by a power cut.
    pub fn revive(&self) {
        self.let_go();
        let mut state = self.state();
        (state.stop_at, state.tell) = (None, Tell::default());
        state.told.clear();
    }

    /// The inodes of files with bytes that were lost although they can still be read, in order.
    pub fn lost(&self) -> BTreeSet<u64> {
        let state = self.state();
        let inode = |undo: &Undo| match undo {
            Undo::Bytes { inode, lost: true, .. } => Some(*inode),
            _ => None,
        };
        state.undo.iter().filter_map(inode).collect()
    }

    /// When a sync that failed last dropped bytes of the file with this inode. They can be read no more.
    pub fn dropped_at(&self, inode: u64) -> Option<Instant> {
        self.state().dropped.get(&inode).copied()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step. Returns an error if it must not happen.
    fn begin(&self, state: &mut State, step: Option<&Step<'_>>) -> io::Result<()> {
        state.steps += 1;
        if let Some(stop) = state.stop_at.filter(|&stop| state.steps >= stop) {
            if let Some(tell) = state.tell.0.take() {
                tell();
            }
            match step.filter(|_| state.steps == stop && state.torn) {
                Some(Step::Write { file, offset, bytes }) => {
                    state.note_data(file, *offset, bytes.len() as u64 / 2)?;
                    file.write_all_at(&bytes[..bytes.len() / 2], *offset)?;
                }
                Some(&Step::Punch { file, offset, bytes }) if bytes > 1 => {
                    state.note_hole(file, offset, bytes / 2)?;
                    System.perform(Step::Punch { file, offset, bytes: bytes / 2 })?;
                }
                Some(&Step::RemoveAll { path }) if path.is_dir() => {
                    let content = fs::read_dir(path)?.step_by(2).map(|entry| Ok(entry?.path()));
                    let content: Vec<PathBuf> = content.collect::<io::Result<_>>()?;
                    content.iter().try_for_each(|path| System.perform(Step::RemoveAll { path }))?;
                }
                _ => {}
            }
            return Err(io::Error::other("the machine has stopped"));
        }
        let Some((_, refusal)) = state.refuse.filter(|(from, _)| state.steps >= *from) else { return Ok(()) };
        let errno = match refusal.refusal(step) {
            Refusal::None => return Ok(()),
            Refusal::Error(errno) => errno,
            Refusal::Panic => {
                state.refuse = None;
                state.refused += 1;
                panic!("a mistake of ttd's");
            }
        };
        state.refused += 1;
        if let Some(Step::SyncFile { file }) = step {
            state.lose_bytes(file.metadata()?.ino());
        }
        if let Some(Step::SyncAll { .. }) = step {
            state.inodes().into_iter().for_each(|inode| state.lose_bytes(inode));
        }
        Err(errno.into())
    }

    fn bury(&self, state: &mut State, path: &Path) -> io::Result<PathBuf> {
        state.buried += 1;
        let grave = self.grave.join(format!("{}-{}", std::process::id(), state.buried));
        let _ = fs::remove_file(&grave);
        fs::hard_link(path, &grave)?;
        Ok(grave)
    }
}

impl Medium for Faulty {
    fn removes_later(&self) -> bool {
        false // every step has its number
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut state = self.state();
        self.begin(&mut state, None)?;
        let is_new = !path.exists();
        if !is_new && how == Open::Empty {
            let file = File::options().read(true).write(true).open(path)?;
            let bytes = file.metadata()?.len();
            state.note_hole(&file, 0, bytes)?;
        }
        let file = System.open(path, how)?;
        if is_new {
            state.note_name(path, Change::Made(path.to_owned()));
        }
        state.opened(&file)?;
        Ok(file)
    }

    fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
        let mut state = self.state();
        self.begin(&mut state, None)?;
        let path = root.join(below);
        let is_new = path.symlink_metadata().is_err();
        let file = System.open_below(root, below, how)?;
        if is_new {
            state.note_name(&path, Change::Made(path.clone()));
        }
        state.opened(&file)?;
        Ok(file)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        let mut state = self.state();
        self.begin(&mut state, Some(&step))?;
        match step {
            Step::Write { file, offset, bytes } => {
                state.note_data(file, offset, bytes.len() as u64)?;
                System.perform(step)
            }
            Step::Punch { file, offset, bytes } => {
                state.note_hole(file, offset, bytes)?;
                System.perform(step)
            }
            Step::Cut { file, bytes } => {
                state.note_hole(file, bytes, file.metadata()?.len().saturating_sub(bytes))?;
                System.perform(step)
            }
            Step::Copy { from, to } => {
                state.note_data(to, 0, from.metadata()?.len())?;
                System.perform(step)
            }
            Step::CopyRange { to, offset, bytes, .. } => {
                state.note_data(to, offset, bytes)?;
                System.perform(step)
            }
            Step::SyncFile { file } if file.metadata()?.is_dir() => {
                state.sync_names(&fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?)
            }
            Step::SyncFile { file } => {
                let synced = state.sync(file);
                drop(state);
                self.wait_if_held(file);
                synced
            }
            Step::DropCached { file } => state.drop_cached(file),
            names => self.perform_on_names(&mut state, names),
        }
    }
}

impl Faulty {
    /// Performs a step that changes names, or what is known of a name.
    fn perform_on_names(&self, state: &mut State, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::SyncFolder { path } => state.sync_names(path),
            Step::MakeFolder { path } => {
                System.perform(step)?;
                state.note_name(path, Change::MadeFolder(path.to_owned()));
                Ok(())
            }
            Step::Replace { from, to } | Step::Rename { from, to } => {
                let is_replaced = to.is_file() && matches!(step, Step::Replace { .. });
                let replaced = if is_replaced { Some(self.bury(state, to)?) } else { None };
                System.perform(step)?;
                let (from, path) = (from.to_owned(), to.to_owned());
                state.note_name(to, Change::Renamed { from, to: path, replaced });
                Ok(())
            }
            Step::Link { to, .. } => {
                System.perform(step)?;
                state.note_name(to, Change::Made(to.to_owned()));
                Ok(())
            }
            Step::Remove { path } => self.perform_removal(state, step, path),
            Step::RemoveFolder { path } => self.remove_folder(state, path),
            Step::MakeFolderBelow { root, below } => {
                System.perform(step)?;
                state.note_name(&root.join(below), Change::MadeFolder(root.join(below)));
                Ok(())
            }
            Step::RemoveBelow { root, below } => self.perform_removal(state, step, &root.join(below)),
            Step::RemoveFolderBelow { root, below } => self.remove_folder(state, &root.join(below)),
            Step::MakeLink { root, below, .. } => {
                System.perform(step)?;
                state.note_name(&root.join(below), Change::Made(root.join(below)));
                Ok(())
            }
            Step::SyncAll { .. } => state.sync_all(),
            Step::Exchange { .. } if !self.exchanges => Err(io::ErrorKind::Unsupported.into()),
            Step::Exchange { one, other } => {
                System.perform(step)?;
                state.note_name(other, Change::Exchanged { one: one.to_owned(), other: other.to_owned() });
                Ok(())
            }
            Step::RemoveAll { path } if path.symlink_metadata().is_err() => Ok(()),
            Step::RemoveAll { path } => self.remove_all(state, path),
            others => System.perform(others),
        }
    }

    /// Removes an empty directory. It is kept elsewhere: when it is back, it is the same one.
    fn remove_folder(&self, state: &mut State, path: &Path) -> io::Result<()> {
        match path.symlink_metadata()?.is_dir() {
            true if fs::read_dir(path)?.next().is_some() => Err(rustix::io::Errno::NOTEMPTY.into()),
            true => self.remove_all(state, path),
            false => Err(rustix::io::Errno::NOTDIR.into()),
        }
    }

    /// Removes a directory with everything in it. It is kept elsewhere.
    fn remove_all(&self, state: &mut State, path: &Path) -> io::Result<()> {
        state.buried += 1;
        let grave = self.grave.join(format!("{}-{}-all", std::process::id(), state.buried));
        System.perform(Step::RemoveAll { path: &grave })?;
        fs::rename(path, &grave)?;
        state.note_name(path, Change::Removed { path: path.to_owned(), grave });
        Ok(())
    }

    /// Removes a file, which the power cut may bring back.
    fn perform_removal(&self, state: &mut State, step: Step<'_>, path: &Path) -> io::Result<()> {
        let grave = self.bury(state, path)?;
        System.perform(step)?;
        state.note_name(path, Change::Removed { path: path.to_owned(), grave });
        Ok(())
    }
}
