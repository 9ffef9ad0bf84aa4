//! A disk for tests. It counts its steps, stops at one of them, tears the last write, forgets what was not synced,
//! and refuses as a disk does that is full, broken or read-only.
//!
//! What it forgets at a power cut: of the bytes that were written since a file's last sync any part, in any order; of
//! the names that were given, changed or taken since a folder's last sync the last ones, since journals keep their
//! order. A sync that fails loses the bytes at once, as if they had been dropped from memory right after.

use super::disk::{Medium, Open, Step, System};
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A disk as it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing more fits; what is there can be removed.
    Full,
    /// Nothing can be changed or synced.
    Broken,
    /// Nothing can be changed.
    ReadOnly,
}

/// A disk with faults, around the real one.
#[derive(Debug)]
pub struct Faulty {
    /// A folder beside the shared one: what was removed or replaced is kept there.
    grave: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    steps: u64,
    stop_at: Option<u64>,
    torn: bool,
    refuse: Option<(u64, Refusal)>,
    refused: u64,
    /// What can be taken back since it is not durable yet, in order.
    undo: Vec<Undo>,
    buried: u64,
}

#[derive(Debug)]
enum Undo {
    /// These bytes were there before.
    Bytes {
        file: File,
        inode: u64,
        offset: u64,
        old: Vec<u8>,
        written: u64,
        bytes: u64,
        modified: SystemTime,
    },
    /// A name in this folder was changed.
    Name { folder: PathBuf, change: Change },
}

#[derive(Debug)]
enum Change {
    Made(PathBuf),
    MadeFolder(PathBuf),
    Removed { path: PathBuf, grave: PathBuf },
    RemovedFolder(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<PathBuf> },
}

impl Faulty {
    /// A disk without faults yet.
    pub fn new(grave: &Path) -> Faulty {
        fs::create_dir_all(grave).unwrap();
        Faulty { grave: grave.to_owned(), state: Mutex::default() }
    }

    /// How many steps were asked for so far.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Stops before this step, counted from 1: neither it nor anything after it happens. If it is a write, half of
    /// it may happen.
    pub fn stop_at(&self, step: u64, torn: bool) {
        let mut state = self.state();
        (state.stop_at, state.torn) = (Some(step), torn);
    }

    /// Whether it has stopped.
    pub fn has_stopped(&self) -> bool {
        let state = self.state();
        state.stop_at.is_some_and(|stop| state.steps >= stop)
    }

    /// Refuses from this step on.
    pub fn refuse_from(&self, step: u64, refusal: Refusal) {
        self.state().refuse = Some((step, refusal));
    }

    /// How many steps it has refused.
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Refuses nothing any more.
    pub fn heal(&self) {
        self.state().refuse = None;
    }

    /// The power fails: what is not durable goes, as far as `goes` says so. It is asked about each write, and once
    /// about all names that came after a certain one.
    pub fn cut_power(&self, mut goes: impl FnMut() -> bool) {
        let mut state = self.state();
        let mut names_go = true;
        while let Some(undo) = state.undo.pop() {
            if let Undo::Name { .. } = undo {
                names_go &= goes();
                if names_go {
                    undo.perform();
                }
            } else if goes() {
                undo.perform();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step; an error if it must not happen.
    fn begin(&self, state: &mut State, step: Option<&Step<'_>>) -> io::Result<()> {
        state.steps += 1;
        if let Some(stop) = state.stop_at.filter(|&stop| state.steps >= stop) {
            if let Some(Step::Write { file, offset, bytes }) = step
                && state.steps == stop
                && state.torn
            {
                state.note_bytes(file, *offset, bytes.len() as u64 / 2)?;
                file.write_all_at(&bytes[..bytes.len() / 2], *offset)?;
            }
            return Err(io::Error::other("the machine has stopped"));
        }
        let Some((_, refusal)) = state.refuse.filter(|(from, _)| state.steps >= *from) else { return Ok(()) };
        let errno = match (refusal, step) {
            (
                Refusal::Full,
                Some(Step::Remove { .. } | Step::RemoveFolder { .. } | Step::SyncFolder { .. }),
            )
            | (Refusal::Full, Some(Step::Replace { .. } | Step::Rename { .. } | Step::SetMode { .. }))
            | (Refusal::Full, Some(Step::Cut { .. }))
            | (Refusal::ReadOnly, Some(Step::SyncFile { .. } | Step::SyncFolder { .. })) => return Ok(()),
            (Refusal::Full, _) => rustix::io::Errno::NOSPC,
            (Refusal::ReadOnly, _) => rustix::io::Errno::ROFS,
            (Refusal::Broken, _) => rustix::io::Errno::IO,
        };
        state.refused += 1;
        if let Some(Step::SyncFile { file }) = step {
            state.lose_bytes(file.metadata()?.ino());
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
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut state = self.state();
        self.begin(&mut state, None)?;
        let is_new = !path.exists();
        if !is_new && how == Open::Empty {
            let file = File::options().read(true).write(true).open(path)?;
            let bytes = file.metadata()?.len();
            state.note_bytes(&file, 0, bytes)?;
        }
        let file = System.open(path, how)?;
        if is_new {
            state.note_name(path, Change::Made(path.to_owned()));
        }
        Ok(file)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        let mut state = self.state();
        self.begin(&mut state, Some(&step))?;
        match step {
            Step::Write { file, offset, bytes } => {
                state.note_bytes(file, offset, bytes.len() as u64)?;
                System.perform(step)
            }
            Step::Cut { file, bytes } => {
                state.note_bytes(file, bytes, file.metadata()?.len().saturating_sub(bytes))?;
                System.perform(step)
            }
            Step::Copy { from, to } => {
                state.note_bytes(to, 0, from.metadata()?.len())?;
                System.perform(step)
            }
            Step::SyncFile { file } => {
                let synced = file.metadata()?.ino();
                state.undo.retain(|undo| !matches!(undo, Undo::Bytes { inode, .. } if *inode == synced));
                Ok(())
            }
            Step::SyncFolder { path } => {
                state.undo.retain(|undo| !matches!(undo, Undo::Name { folder, .. } if folder == path));
                Ok(())
            }
            Step::MakeFolder { path } => {
                System.perform(step)?;
                state.note_name(path, Change::MadeFolder(path.to_owned()));
                Ok(())
            }
            Step::Replace { from, to } | Step::Rename { from, to } => {
                let is_replaced = to.is_file() && matches!(step, Step::Replace { .. });
                let replaced = if is_replaced { Some(self.bury(&mut state, to)?) } else { None };
                System.perform(step)?;
                let (from, path) = (from.to_owned(), to.to_owned());
                state.note_name(to, Change::Renamed { from, to: path, replaced });
                Ok(())
            }
            Step::Remove { path } => {
                let grave = self.bury(&mut state, path)?;
                System.perform(step)?;
                state.note_name(path, Change::Removed { path: path.to_owned(), grave });
                Ok(())
            }
            Step::RemoveFolder { path } => {
                System.perform(step)?;
                state.note_name(path, Change::RemovedFolder(path.to_owned()));
                Ok(())
            }
            Step::SetMode { .. } | Step::SetGroup { .. } => System.perform(step),
        }
    }
}

impl State {
    fn note_bytes(&mut self, file: &File, offset: u64, written: u64) -> io::Result<()> {
        let metadata = file.metadata()?;
        let there = metadata.len().saturating_sub(offset).min(written);
        let mut old = vec![0; there as usize];
        file.read_exact_at(&mut old, offset)?;
        let (inode, bytes, modified) = (metadata.ino(), metadata.len(), metadata.modified()?);
        self.undo.push(Undo::Bytes { file: file.try_clone()?, inode, offset, old, written, bytes, modified });
        Ok(())
    }

    fn note_name(&mut self, path: &Path, change: Change) {
        let folder = path.parent().unwrap_or(path).to_owned();
        self.undo.push(Undo::Name { folder, change });
    }

    fn lose_bytes(&mut self, lost: u64) {
        let mut kept = Vec::new();
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Bytes { inode, .. } if inode == lost => undo.perform(),
                undo => kept.push(undo),
            }
        }
        kept.reverse();
        self.undo = kept;
    }
}

impl Undo {
    /// What cannot be taken back any more, since something durable has followed it, stays.
    fn perform(self) {
        let change = match self {
            Undo::Bytes { file, offset, mut old, written, bytes, modified, .. } => {
                old.resize(written as usize, 0);
                let end = offset + written;
                let now = file.metadata().map_or(0, |metadata| metadata.len());
                file.write_all_at(&old, offset).unwrap();
                if now <= end {
                    file.set_len(bytes).unwrap();
                }
                return file.set_times(FileTimes::new().set_modified(modified)).unwrap();
            }
            Undo::Name { change, .. } => change,
        };
        let _ = match change {
            Change::Made(path) => fs::remove_file(path),
            Change::MadeFolder(path) => fs::remove_dir_all(path),
            Change::Removed { path, grave } => fs::rename(grave, path),
            Change::RemovedFolder(path) => fs::create_dir(path),
            Change::Renamed { from, to, replaced } => fs::rename(&to, from).and_then(|()| match replaced {
                Some(grave) => fs::rename(grave, to),
                None => Ok(()),
            }),
        };
    }
}
