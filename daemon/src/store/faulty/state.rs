//! What the faulty disk remembers: the changes that are not durable yet, and which failures were told to which open file.

use super::super::undo::{Change, Undo};
use super::refusals::DiskFault;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct State {
    /// The failed write-backs of each inode, and whether the last one was reported to any file.
    pub(super) failures: BTreeMap<u64, (u64, bool)>,
    /// How many of them were reported to each open file.
    pub(super) told: BTreeMap<RawFd, u64>,
    pub(super) steps: u64,
    pub(super) stop_at: Option<u64>,
    pub(super) torn: bool,
    /// Who is told when it stops.
    pub(super) tell: Tell,
    pub(super) refuse: Option<(u64, DiskFault)>,
    pub(super) refused: u64,
    /// Changes that are not durable yet and can be undone, in order.
    pub(super) undo: Vec<Undo>,
    pub(super) buried: u64,
    /// When a sync that failed last dropped bytes of each inode.
    pub(super) dropped: BTreeMap<u64, Instant>,
}

/// Who is told when the disk stops.
#[derive(Default)]
pub(super) struct Tell(pub(super) Option<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tell").field(&self.0.is_some()).finish()
    }
}

impl State {
    /// Remembers a range whose data is about to be written.
    pub(super) fn note_data(&mut self, file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        self.note_bytes(file, offset, bytes, true)
    }

    /// Remembers a range that is about to become a hole, or to be cut off.
    pub(super) fn note_hole(&mut self, file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        self.note_bytes(file, offset, bytes, false)
    }

    fn note_bytes(&mut self, file: &File, offset: u64, written: u64, is_data: bool) -> io::Result<()> {
        let metadata = file.metadata()?;
        let there = metadata.len().saturating_sub(offset).min(written);
        let mut old = vec![0; there as usize];
        file.read_exact_at(&mut old, offset)?;
        let (inode, bytes, modified) = (metadata.ino(), metadata.len(), metadata.modified()?);
        // Lost bytes are written again: the disk still has what was there before them.
        let is_again = |undo: &mut Undo| match undo {
            Undo::Bytes { lost: true, inode: of, offset: from, written: len, .. } => {
                *of == inode && *from >= offset && *from + *len <= offset + written
            }
            _ => false,
        };
        let again: Vec<Undo> = self.undo.extract_if(.., is_again).collect();
        for undo in again.into_iter().rev() {
            if let Undo::Bytes { offset: from, written: len, old: mut before, .. } = undo {
                before.resize(len as usize, 0);
                old.resize(written as usize, 0);
                old[(from - offset) as usize..][..len as usize].copy_from_slice(&before);
            }
        }
        let (file, lost) = (file.try_clone()?, false);
        self.undo.push(Undo::Bytes { file, inode, offset, old, written, bytes, modified, is_data, lost });
        Ok(())
    }

    /// A newly opened file gets a report of a failed write-back only if no other file got it.
    pub(super) fn opened(&mut self, file: &File) -> io::Result<()> {
        let (failures, is_told) = self.failures.get(&file.metadata()?.ino()).copied().unwrap_or((0, true));
        self.told.insert(file.as_raw_fd(), failures - u64::from(!is_told));
        Ok(())
    }

    /// Whether the write-back of this file fails now.
    fn loses(&self, inode: u64) -> bool {
        self.refuse.is_some_and(|(from, fault)| self.steps >= from && fault.is_of_write_back(inode))
    }

    /// Makes the writes to a file durable, or fails.
    pub(super) fn sync(&mut self, file: &File) -> io::Result<()> {
        let synced = file.metadata()?.ino();
        let is_of =
            |undo: &Undo| matches!(undo, Undo::Bytes { inode, lost, .. } if *inode == synced && !*lost);
        let is_data = |undo: &Undo| is_of(undo) && matches!(undo, Undo::Bytes { is_data: true, .. });
        if self.loses(synced) && self.undo.iter().any(is_data) {
            self.refuse = None;
            self.failures.entry(synced).or_default().0 += 1;
            self.failures.entry(synced).and_modify(|(_, is_told)| *is_told = false);
            for undo in &mut self.undo {
                if let Undo::Bytes { inode, is_data: true, lost, .. } = undo
                    && *inode == synced
                {
                    *lost = true;
                }
            }
        }
        self.undo.retain(|undo| !is_of(undo));
        let Some((failures, is_told)) = self.failures.get_mut(&synced) else { return Ok(()) };
        let told = self.told.entry(file.as_raw_fd()).or_default();
        if *told == *failures {
            return Ok(());
        }
        (*told, *is_told) = (*failures, true);
        self.refused += 1;
        Err(rustix::io::Errno::IO.into())
    }

    /// Shows of a file what the disk has, where a write-back has failed.
    pub(super) fn drop_cached(&mut self, file: &File) -> io::Result<()> {
        let dropped = file.metadata()?.ino();
        let is_lost =
            |undo: &mut Undo| matches!(undo, Undo::Bytes { inode, lost: true, .. } if *inode == dropped);
        let lost: Vec<Undo> = self.undo.extract_if(.., is_lost).collect();
        lost.into_iter().rev().for_each(Undo::perform);
        Ok(())
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_names(&mut self, path: &Path) -> io::Result<()> {
        self.undo.retain(|undo| !matches!(undo, Undo::Name { folder, .. } if folder == path));
        Ok(())
    }

    /// Makes everything durable, or fails.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        let fault = self.refuse.filter(|(from, _)| self.steps >= *from).map(|(_, fault)| fault);
        let mut is_any_lost = false;
        for undo in &mut self.undo {
            if let Undo::Bytes { inode, is_data: true, lost, .. } = undo
                && fault.is_some_and(|fault| fault.is_of_write_back(*inode))
                && !*lost
            {
                (*lost, is_any_lost) = (true, true);
                let (failures, is_told) = self.failures.entry(*inode).or_default();
                (*failures, *is_told) = (*failures + 1, false); // a sync of the file reports it, too
            }
        }
        self.undo.retain(|undo| matches!(undo, Undo::Bytes { lost: true, .. }));
        if !is_any_lost {
            return Ok(());
        }
        self.refuse = None;
        self.refused += 1;
        Err(rustix::io::Errno::IO.into())
    }

    /// The files with bytes that are not durable yet.
    pub(super) fn inodes(&self) -> Vec<u64> {
        let inode = |undo: &Undo| match undo {
            Undo::Bytes { inode, .. } => Some(*inode),
            Undo::Name { .. } => None,
        };
        self.undo.iter().filter_map(inode).collect()
    }

    pub(super) fn note_name(&mut self, path: &Path, change: Change) {
        let folder = path.parent().unwrap_or(path).to_owned();
        self.undo.push(Undo::Name { folder, change });
    }

    pub(super) fn lose_bytes(&mut self, lost: u64) {
        let mut kept = Vec::new();
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Bytes { inode, .. } if inode == lost => {
                    undo.perform();
                    self.dropped.insert(inode, Instant::now());
                }
                undo => kept.push(undo),
            }
        }
        kept.reverse();
        self.undo = kept;
    }
}
