//! Makes a directory from the bytes of its tar, in order: a copy of a directory that is here.

use crate::error::Error;
use crate::files::write_error;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use shared::tree::{Entry, EntryIndex, EntryKind, Listing, PROBE_BYTES, Probe, Segment, TreeLayout, probe};
use shared::zeros::{self, Part};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The bytes before the listing.
const HEADER_BYTES: u64 = 512;

/// A directory that is being made.
pub(crate) struct Unpacking {
    /// Where it is made.
    to: PathBuf,
    /// Where it will be, for messages.
    shown: PathBuf,
    /// The bytes so far, until the listing is complete.
    head: Vec<u8>,
    /// Where every further byte belongs.
    layout: Option<TreeLayout>,
    /// The bytes that were placed.
    done: u64,
    /// The file that the next bytes most likely belong to.
    open: Option<(EntryIndex, File)>,
}

impl Unpacking {
    /// Begins a directory at a path where nothing is, in a directory that only the caller can write to.
    pub(crate) fn new(to: &Path, shown: &Path) -> Unpacking {
        let (to, shown) = (to.to_owned(), shown.to_owned());
        Unpacking { to, shown, head: Vec::new(), layout: None, done: 0, open: None }
    }

    /// Places the next bytes.
    ///
    /// # Errors
    /// When they are not those of a tree, or cannot be written.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.layout.is_some() {
            return self.place(bytes);
        }
        self.head.extend_from_slice(bytes);
        let Some(listing) = self.listing()? else { return Ok(()) };
        let layout = TreeLayout::new(listing).map_err(|error| no_tree(&error.to_string()))?;
        self.make_directories(layout.listing())?;
        self.layout = Some(layout);
        let head = std::mem::take(&mut self.head);
        self.place(&head)
    }

    /// Gives everything its mode and time, after all bytes.
    ///
    /// # Errors
    /// When bytes are missing, or this cannot be done.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.open = None;
        let Some(layout) = self.layout.take().filter(|layout| layout.bytes() == self.done) else {
            return Err(no_tree("it is shorter than it should be"));
        };
        // What is in a directory comes after it, and changes its time.
        for entry in layout.listing().entries().rev() {
            dress(&self.path(&entry), &entry).map_err(|error| self.failed(&entry, &error))?;
        }
        Ok(())
    }

    /// The listing, if all of it is there.
    fn listing(&self) -> Result<Option<Listing>, Error> {
        if self.head.len() < PROBE_BYTES {
            return Ok(None);
        }
        let listing_bytes = match probe(&self.head) {
            Probe::Tree { listing_bytes } => listing_bytes,
            Probe::NotATree => return Err(no_tree("it has no listing")),
            Probe::Invalid(why) => return Err(no_tree(&why.to_string())),
        };
        let range = HEADER_BYTES as usize..(HEADER_BYTES + listing_bytes) as usize;
        let Some(text) = self.head.get(range) else { return Ok(None) };
        Listing::parse(text).map(Some).map_err(|error| no_tree(&error.to_string()))
    }

    /// Makes everything that has no content.
    fn make_directories(&self, listing: &Listing) -> Result<(), Error> {
        for entry in listing.entries() {
            let path = self.path(&entry);
            match entry.kind {
                EntryKind::Directory => DirBuilder::new().mode(0o700).create(&path),
                EntryKind::Symlink { target } => symlink(target, &path),
                EntryKind::File { bytes: 0 } => create(&path).map(drop),
                EntryKind::File { .. } => Ok(()),
            }
            .map_err(|error| self.failed(&entry, &error))?;
        }
        Ok(())
    }

    fn place(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(layout) = self.layout.take() else { return Ok(()) };
        let placed = self.place_in(&layout, bytes);
        self.layout = Some(layout);
        placed
    }

    fn place_in(&mut self, layout: &TreeLayout, mut bytes: &[u8]) -> Result<(), Error> {
        let end = self.done + bytes.len() as u64;
        if end > layout.bytes() {
            return Err(no_tree("it is longer than it should be"));
        }
        for segment in layout.segments(self.done..end) {
            let (part, rest) = bytes.split_at(segment.bytes() as usize);
            bytes = rest;
            if let Segment::File { entry: index, offset, .. } = segment {
                let entry = layout.listing().entry(index);
                let path = self.path(&entry);
                let written = self.write(index, entry.content_bytes(), &path, offset, part);
                written.map_err(|error| self.failed(&entry, &error))?;
            }
        }
        self.done = end;
        Ok(())
    }

    /// Writes a part of a file. Runs of zeros become holes.
    fn write(
        &mut self,
        index: EntryIndex,
        content_bytes: u64,
        path: &Path,
        offset: u64,
        part: &[u8],
    ) -> io::Result<()> {
        let file = match self.open.take() {
            Some((open, file)) if open == index => file,
            _ => {
                let file = create(path)?;
                file.set_len(content_bytes)?;
                file
            }
        };
        for piece in zeros::parts(part) {
            if let Part::Data(range) = piece {
                file.write_all_at(&part[range.clone()], offset + range.start as u64)?;
            }
        }
        self.open = Some((index, file));
        Ok(())
    }

    fn path(&self, entry: &Entry<'_>) -> PathBuf {
        below(&self.to, entry)
    }

    fn failed(&self, entry: &Entry<'_>, error: &io::Error) -> Error {
        write_error(&below(&self.shown, entry), error)
    }
}

fn below(top: &Path, entry: &Entry<'_>) -> PathBuf {
    if entry.path.is_top() { top.to_owned() } else { top.join(entry.path.as_str()) }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Gives an entry its mode and its time.
fn dress(path: &Path, entry: &Entry<'_>) -> io::Result<()> {
    if !matches!(entry.kind, EntryKind::Symlink { .. }) {
        fs::set_permissions(path, Permissions::from_mode(entry.mode.into()))?;
    }
    let Some(time) = entry.time else { return Ok(()) };
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec { tv_sec: time, tv_nsec: 0 };
    let times = Timestamps { last_access: omitted, last_modification: modified };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn no_tree(why: &str) -> Error {
    Error::bad_data(format!("ttd sent what is not a directory: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leftovers::remove_directory;
    use crate::tests::tar;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, UNIX_EPOCH};

    fn unpack(tar: &[u8], step: usize, to: &Path) -> Result<(), Error> {
        let mut unpacking = Unpacking::new(to, to);
        tar.chunks(step).try_for_each(|part| unpacking.add(part))?;
        unpacking.finish()
    }

    fn app(room: &Path) -> PathBuf {
        let app = room.join("app");
        fs::create_dir_all(app.join("deep/down")).unwrap();
        fs::write(app.join("deep/down/file"), "one").unwrap();
        fs::write(app.join("deep/empty"), "").unwrap();
        fs::write(app.join("large"), [[0; 300_000], [7; 300_000], [0; 300_000]].concat()).unwrap();
        symlink("/nowhere/..", app.join("deep/link")).unwrap();
        fs::set_permissions(app.join("large"), Permissions::from_mode(0o754)).unwrap();
        fs::set_permissions(app.join("deep/down"), Permissions::from_mode(0o555)).unwrap();
        let before_1970 = UNIX_EPOCH - Duration::from_secs(5);
        File::open(app.join("deep")).unwrap().set_modified(before_1970).unwrap();
        app
    }

    #[test]
    fn a_directory_comes_out_as_it_went_in_however_its_bytes_are_cut() {
        let room = tempfile::tempdir().unwrap();
        let app = app(room.path());
        let tar = tar(&app);
        for step in [1 << 20, 100_000, 511] {
            let copy = room.path().join("copy");
            unpack(&tar, step, &copy).unwrap();
            for below in ["", "deep", "deep/down", "deep/down/file", "deep/empty", "large", "deep/link"] {
                let [was, is] = [&app, &copy].map(|top| fs::symlink_metadata(top.join(below)).unwrap());
                assert_eq!((was.mode(), was.mtime()), (is.mode(), is.mtime()), "{below}");
            }
            assert_eq!(fs::read(copy.join("large")).unwrap(), fs::read(app.join("large")).unwrap());
            let blocks = fs::metadata(copy.join("large")).unwrap().blocks();
            assert!(step < 1 << 20 || blocks * 512 < 600_000, "zeros are holes");
            assert_eq!(fs::read_link(copy.join("deep/link")).unwrap(), Path::new("/nowhere/.."));
            remove_directory(&copy).unwrap();
        }
        remove_directory(&app).unwrap();
    }

    #[test]
    fn what_is_no_directory_or_not_all_of_it_is_an_error() {
        let room = tempfile::tempdir().unwrap();
        let app = app(room.path());
        let tar = tar(&app);
        let cases: [(&str, &[u8]); 4] = [
            ("nothing", b""),
            ("another file", &[9; 5_000]),
            ("half of it", &tar[..tar.len() / 2]),
            ("more than it", &[&tar[..], &[0; 512]].concat()),
        ];
        for (at, (what, bytes)) in cases.into_iter().enumerate() {
            let error = unpack(bytes, 1 << 20, &room.path().join(at.to_string())).unwrap_err();
            assert_eq!(error.exit_code(), 6, "{what}");
        }
        remove_directory(&app).unwrap();
    }
}
