//! A directory that ttctl sends as the bytes of its tar, up to the sums. The tar begins with the listing; from then on its
//! bytes are written into the files that they belong to, so that the directory is on the disk once. ttctl is not trusted:
//! what is not the tar of the listing is refused, and the sums are made here, of what was received.

use super::disk::Open;
use super::group::TreeGroup;
use super::tree_form::{TreeForm, must_have_files_left};
use super::tree_writer::TreeWriter;
use super::{At, FileIdentity, OwnFile, StoreError, invalid};
use shared::chunk::CHUNK_BYTES;
use shared::rpc::wire::buffers;
use shared::tree::{Listing, Probe, Segment, TreeLayout, TreeName, probe};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The number of bytes of the first member's header.
const HEADER_BYTES: u64 = 512;

/// A directory that is being imported. Its place is removed on drop, with the directory unless that got its name, and
/// with what it replaced.
#[derive(Debug)]
pub(super) struct ImportedTree {
    /// Where it is made: a directory of its own.
    form: TreeForm,
    name: TreeName,
    group: TreeGroup,
    /// The directory that had the name when the import began.
    replaces: Option<FileIdentity>,
    stage: Stage,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// The listing is not complete. Its bytes are in this file.
    Listing {
        own: OwnFile,
        /// Where the listing ends in the tar; 0 until that is known.
        end: u64,
    },
    /// Its entries are known, and are being made.
    Entries(Box<TreeWriter>),
}

impl ImportedTree {
    /// Makes the place of a directory of this name, in which everything gets `group`. `replaces` is the directory that
    /// has the name now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn create(
        form: TreeForm,
        name: TreeName,
        group: TreeGroup,
        replaces: Option<FileIdentity>,
    ) -> Result<ImportedTree, StoreError> {
        form.disk().make_folder(form.folder())?;
        let path = listing_file(&form);
        let own = OwnFile::new(form.disk(), form.disk().open(&path, Open::New)?, path);
        Ok(ImportedTree { form, name, group, replaces, stage: Stage::Listing { own, end: 0 } })
    }

    /// Where it is made.
    pub(super) fn path(&self) -> &Path {
        self.form.folder()
    }

    /// Writes the bytes of the tar from `offset` on. They follow those before.
    ///
    /// # Errors
    /// When they are not those of a directory's tar ([`StoreError::is_bad_data`]), or the disk refuses.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let (own, end) = match &mut self.stage {
            Stage::Entries(writer) => return writer.write(bytes).map_err(or_folding),
            Stage::Listing { own, end } => (own, end),
        };
        if offset == 0 {
            *end = listing_end(bytes).at("import", self.form.folder())?;
        }
        own.write(offset, bytes)?;
        let (end, there) = (*end, offset + bytes.len() as u64);
        if there < end {
            return Ok(());
        }
        let layout = self.layout(end)?;
        must_have_files_left(self.form.folder(), layout.listing().len())?;
        let created = TreeWriter::create(self.form.disk(), &self.form.staging(), layout, self.group);
        let created = created.map_err(or_folding)?;
        let listing = std::mem::replace(&mut self.stage, Stage::Entries(Box::new(created)));
        self.replay(&listing, there)?;
        drop(listing);
        self.form.disk().remove(&listing_file(&self.form))
    }

    /// Makes what has no bytes. Returns the layout.
    ///
    /// # Errors
    /// When bytes are missing, or the disk refuses.
    pub(super) fn finish(&mut self) -> Result<&TreeLayout, StoreError> {
        match &mut self.stage {
            Stage::Entries(writer) => {
                writer.finish().map_err(or_folding)?;
                Ok(writer.layout())
            }
            Stage::Listing { .. } => {
                Err(invalid("its listing is longer than the file")).at("import", self.form.folder())
            }
        }
    }

    /// Where the sums begin in the tar, with their header.
    pub(super) fn contents_end(&self) -> u64 {
        self.writer().map_or(0, |writer| writer.layout().contents_end())
    }

    /// Fills a buffer with the bytes of the complete tar from `offset` on, but for the files' content.
    pub(super) fn fill_end(&self, offset: u64, buffer: &mut [u8]) {
        let Some(writer) = self.writer() else { return };
        let (layout, mut at) = (writer.layout(), 0);
        layout.fill_synthetic(offset, buffer);
        for segment in layout.segments(offset..offset + buffer.len() as u64) {
            let bytes = segment.bytes() as usize; // at most as many as the buffer has
            if let Segment::Sums { offset, .. } = segment {
                writer.sums().fill(layout, offset, &mut buffer[at..at + bytes]);
            }
            at += bytes;
        }
    }

    /// The directory that had the name when the import began.
    pub(super) fn replaces(&self) -> Option<FileIdentity> {
        self.replaces
    }

    /// Where it is made.
    pub(super) fn form(&self) -> &TreeForm {
        &self.form
    }

    /// Its entries, if everything is made.
    pub(super) fn made(&self) -> Option<&TreeWriter> {
        self.writer().filter(|writer| writer.is_finished())
    }

    /// Its entries, as soon as they are known.
    fn writer(&self) -> Option<&TreeWriter> {
        match &self.stage {
            Stage::Entries(writer) => Some(writer),
            Stage::Listing { .. } => None,
        }
    }

    /// The layout that the listing says, which is complete.
    fn layout(&self, end: u64) -> Result<TreeLayout, StoreError> {
        let Stage::Listing { own, .. } = &self.stage else { return Err(self.bad("it has two listings")) };
        let mut text = vec![0; (end - HEADER_BYTES) as usize]; // at most the limit of a listing
        own.file().read_exact_at(&mut text, HEADER_BYTES).at("read", own.path())?;
        let listing = Listing::parse(&text).map_err(|why| self.bad(why))?;
        drop(text);
        if *listing.name() != self.name {
            let why = format!("it is the directory {}, not {}", listing.name().as_str(), self.name.as_str());
            return Err(self.bad(why));
        }
        TreeLayout::new(listing).map_err(|why| self.bad(why))
    }

    /// Writes what came before the listing was complete.
    fn replay(&mut self, listing: &Stage, there: u64) -> Result<(), StoreError> {
        let (Stage::Entries(writer), Stage::Listing { own, .. }) = (&mut self.stage, listing) else {
            return Ok(());
        };
        let mut offset = 0;
        while offset < there {
            let mut chunk = buffers::take((there - offset).min(CHUNK_BYTES.into()) as usize);
            own.file().read_exact_at(&mut chunk, offset).at("read", own.path())?;
            writer.write(&chunk).map_err(or_folding)?;
            offset += chunk.len() as u64;
        }
        Ok(())
    }

    fn bad(&self, why: impl ToString) -> StoreError {
        StoreError { doing: "import", path: self.form.folder().to_owned(), source: invalid(why) }
    }
}

impl Drop for ImportedTree {
    fn drop(&mut self) {
        let _ = self.form.discard(); // the next start removes it
    }
}

/// Where the listing is until it is complete.
fn listing_file(form: &TreeForm) -> PathBuf {
    form.folder().join("data.part")
}

/// Where the listing ends, as the beginning of the tar says.
fn listing_end(begin: &[u8]) -> io::Result<u64> {
    match probe(begin) {
        Probe::Tree { listing_bytes } => Ok(HEADER_BYTES + listing_bytes),
        Probe::NotATree => Err(invalid("it is not the tar of a directory")),
        Probe::Invalid(why) => Err(invalid(why)),
    }
}

/// The error, with the reason if it is that the file system takes two names of the tree for the same.
fn or_folding(error: StoreError) -> StoreError {
    match error.source.kind() {
        io::ErrorKind::AlreadyExists => StoreError {
            doing: "create",
            path: error.path,
            source: invalid("another name in the directory is the same on this file system"),
        },
        _ => error,
    }
}

#[cfg(test)]
mod tests;
