//! Finds all entries of a directory.

use super::error::{TreeError, go_on, shown};
use super::notes::Notes;
use super::open::DIRECTORY;
use super::seen::Seen;
use crate::tree::{
    Entry, EntryIndex, EntryKind, Listing, ListingBuilder, MODE_MAX, Refused, Symlinks, TreeLayout, TreeName,
    TreeOptions, TreePath,
};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::str;

/// The entries of a directory.
#[derive(Debug, Clone)]
pub struct Walked {
    /// The layout of its tar.
    pub layout: TreeLayout,
    /// The metadata of each entry, in the order of the listing.
    pub seen: Vec<Seen>,
    /// What was left out.
    pub notes: Notes,
}

/// A callback that is told the number of entries so far. If it returns `Break`, the walk stops.
pub type Progress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// Finds all entries of a directory, without following symbolic links.
///
/// # Errors
/// When the directory cannot be a tree, changes meanwhile, or may not be read.
pub fn walk(
    top: BorrowedFd<'_>,
    name: TreeName,
    options: TreeOptions,
    progress: &Progress<'_>,
) -> Result<Walked, TreeError> {
    let mut walk = Walk {
        options,
        progress,
        builder: ListingBuilder::new(name),
        seen: Vec::new(),
        notes: Notes::default(),
    };
    let stat = fstat(top).map_err(|error| TreeError::io("", error))?;
    walk.push("", &stat, EntryKind::Directory)?;
    walk.directory(top, &mut String::new())?;
    let Walk { builder, seen, mut notes, .. } = walk;
    let (listing, order) = builder.finish_with_order()?;
    let mut seen: Vec<Seen> = order.into_iter().map(|place| seen[place as usize]).collect();
    let listing = without_links_outside(listing, options.symlinks, &mut seen, &mut notes)?;
    Ok(Walked { layout: TreeLayout::new(listing)?, seen, notes })
}

struct Walk<'a> {
    options: TreeOptions,
    progress: &'a Progress<'a>,
    builder: ListingBuilder,
    /// In the order in which the entries were added.
    seen: Vec<Seen>,
    notes: Notes,
}

impl Walk<'_> {
    /// Adds everything in a directory. Its path ends in a slash, or is empty; it is the same again afterwards.
    fn directory(&mut self, directory: BorrowedFd<'_>, path: &mut String) -> Result<(), TreeError> {
        let io = |path: &str, error| TreeError::io(path, error);
        let bytes = path.len();
        let mut directories: Vec<(String, Seen)> = Vec::new();
        for found in Dir::read_from(directory).map_err(|error| io(path, error))? {
            let found = found.map_err(|error| io(path, error))?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            go_on((self.progress)(self.seen.len() as u64))?;
            let text = name_text(path, name)?;
            path.push_str(text);
            match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if self.entry(directory, name, path, &stat)? => {
                    directories.push((text.to_owned(), Seen::of(&stat)));
                }
                // What is gone again was not here.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(io(path, error)),
            }
            path.truncate(bytes);
        }
        for (name, seen) in directories {
            path.push_str(&name);
            let opened = openat(directory, name.as_str(), DIRECTORY, Mode::empty());
            let opened = opened.map_err(|error| match error {
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP => TreeError::changed(path),
                error => io(path, error),
            })?;
            let stat = fstat(&opened).map_err(|error| io(path, error))?;
            if (stat.st_dev, stat.st_ino) != (seen.device, seen.inode) {
                return Err(TreeError::changed(path));
            }
            path.push('/');
            self.directory(rustix::fd::AsFd::as_fd(&opened), path)?;
            path.truncate(bytes);
        }
        Ok(())
    }

    /// Adds what was found at a path. Returns whether it is a directory.
    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &str,
        stat: &Stat,
    ) -> Result<bool, TreeError> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.push(path, stat, EntryKind::Directory)?,
            FileType::RegularFile => {
                self.push(path, stat, EntryKind::File { bytes: stat.st_size as u64 })?;
            }
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new()).map_err(|error| match error {
                    Errno::NOENT | Errno::INVAL => TreeError::changed(path),
                    error => TreeError::io(path, error),
                })?;
                let target = str::from_utf8(target.to_bytes()).map_err(|_| {
                    TreeError::refused(path, "the target of this symbolic link is not UTF-8", None)
                })?;
                self.push(path, stat, EntryKind::Symlink { target })?;
            }
            _ if self.options.skip_special => self.notes.special.add(path),
            kind => {
                let hint = "to leave such entries out: --skip-special";
                return Err(TreeError::refused(path, special(kind), Some(hint)));
            }
        }
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    fn push(&mut self, path: &str, stat: &Stat, kind: EntryKind<'_>) -> Result<(), TreeError> {
        let mode = match kind {
            EntryKind::Symlink { .. } => MODE_MAX,
            EntryKind::Directory | EntryKind::File { .. } => stat.st_mode as u16 & MODE_MAX,
        };
        // A new directory gets the setgid bit from the one that it is in, so on directories it says nothing.
        let not_carried = if kind == EntryKind::Directory { 0o5000 } else { 0o7000 };
        if stat.st_mode & not_carried != 0 {
            self.notes.bits.add(path);
        }
        let refused = |why| TreeError::refused(path, why, None);
        let time = self.options.has_times.then_some(stat.st_mtime);
        let tree_path = TreePath::new(path).map_err(|why| refused(Refused::Path(why)))?;
        self.builder.push(&Entry { path: tree_path, mode, time, kind }).map_err(refused)?;
        self.seen.push(Seen::of(stat));
        Ok(())
    }
}

/// The name of an entry in the directory at `path`, as text.
fn name_text<'a>(path: &str, name: &'a CStr) -> Result<&'a str, TreeError> {
    str::from_utf8(name.to_bytes()).map_err(|_| TreeError::Refused {
        path: shown(&[path.as_bytes(), name.to_bytes()].concat()),
        why: "the name is not UTF-8".to_owned(),
        hint: Some("rename it"),
    })
}

fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "it is a FIFO, not a file",
        FileType::Socket => "it is a socket, not a file",
        FileType::CharacterDevice | FileType::BlockDevice => "it is a device, not a file",
        _ => "it is neither a file nor a directory nor a symbolic link",
    }
}

/// Applies the option for symbolic links that lead outside.
fn without_links_outside(
    listing: Listing,
    symlinks: Symlinks,
    seen: &mut Vec<Seen>,
    notes: &mut Notes,
) -> Result<Listing, TreeError> {
    if symlinks == Symlinks::Any {
        return Ok(listing);
    }
    let outside: Vec<EntryIndex> = listing.indices().filter(|&index| listing.leads_outside(index)).collect();
    let Some(&first) = outside.first() else { return Ok(listing) };
    if symlinks == Symlinks::Inside {
        let why = "the symbolic link leads outside of the directory";
        let hint = "to carry such links as they are: --symlinks any; to leave them out: --symlinks skip";
        return Err(TreeError::refused(listing.entry(first).path.as_str(), why, Some(hint)));
    }
    outside.iter().for_each(|&index| notes.links.add(listing.entry(index).path.as_str()));
    let is_kept = |index: EntryIndex| outside.binary_search(&index).is_err();
    let mut place = listing.indices();
    seen.retain(|_| place.next().is_some_and(is_kept));
    let kept = listing.indices().filter(|&index| is_kept(index)).map(|index| listing.entry(index));
    Ok(Listing::new(listing.name().clone(), kept)?)
}
