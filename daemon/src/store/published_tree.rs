//! A finished tree under its name, from which chunks are served. Each of its files is served only while it is the one
//! that was hashed. Nothing is open and the listing is not in memory unless chunks are being served, since a daemon may
//! have many trees.

use super::edits::chunks_of;
use super::layout::{Layout, Place};
use super::root::Root;
use super::tree_form::{TreeForm, TreeIdentities};
use super::{At, Edited, FileIdentity, StoreError, invalid};
use bytes::BytesMut;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::host::hashing::Body;
use shared::rpc::wire::buffers;
use shared::tree::{EntryIndex, EntryKind, TreeLayout};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How many listings stay in memory for further chunks, over all trees of the process. Listings that are used meanwhile
/// by somebody count in addition. A listing of a million entries takes about 200 MB, one of 5,000 about 1 MB.
const LOADED_MAX: usize = 4;

/// What the slot of a published tree says.
#[derive(Debug, Clone)]
pub struct PublishedTree {
    form: TreeForm,
}

#[derive(Debug)]
pub(super) struct Loaded {
    /// The slot.
    folder: PathBuf,
    /// The identity of the file of identities: another one is written when the files were checked.
    stamp: FileIdentity,
    pub(super) layout: TreeLayout,
    pub(super) identities: TreeIdentities,
    sums: File,
}

impl PublishedTree {
    /// The tree of this slot.
    pub fn new(form: TreeForm) -> PublishedTree {
        PublishedTree { form }
    }

    /// Whether its slot says which files it has, and what they were when they were hashed.
    pub fn is_noted(&self) -> bool {
        self.form.exists() && self.form.has_identities()
    }

    /// Where the files of its slot are.
    pub(super) fn form(&self) -> &TreeForm {
        &self.form
    }

    /// The identity of the tree at a path as a whole: that of its top directory, with the size of the resource. What is
    /// in its files is not looked at.
    ///
    /// # Errors
    /// When no directory is there.
    pub fn identity_at(path: &Path, bytes: u64) -> io::Result<FileIdentity> {
        let metadata = std::fs::symlink_metadata(path)?;
        match metadata.is_dir() {
            true => Ok(FileIdentity::of_tree(&metadata, bytes)),
            false => Err(io::Error::other("it is not a directory")),
        }
    }

    /// The same of an open directory, whatever has its name.
    ///
    /// # Errors
    /// When it cannot be accessed.
    pub fn identity_of(top: &File, bytes: u64) -> io::Result<FileIdentity> {
        Ok(FileIdentity::of_tree(&top.metadata()?, bytes))
    }

    /// Fills a buffer with the bytes of the resource from `offset` on, from the tree at `path`. Returns `None` if a file
    /// that they are in has changed. Blocks.
    pub(super) fn read(&self, path: &Path, offset: u64, buffer: &mut [u8]) -> Option<()> {
        let loaded = self.load().ok()?;
        let root = Root::open(path).ok()?;
        let read = |place, part: &mut [u8]| loaded.read(&root, place, part).ok_or(());
        Layout::Tree(&loaded.layout).read(offset, buffer, read).ok()
    }

    /// The tree at `path` as something to be compared with a manifest.
    ///
    /// # Errors
    /// When it is not there, or its listing cannot be read.
    pub fn body(&self, path: &Path) -> Result<TreeBody, StoreError> {
        let root = Root::open(path).at("open", path)?;
        let layout = self.form.load()?;
        let sums = File::open(self.form.sums()).at("open", &self.form.sums())?;
        let before = TreeIdentities::now(&root, &layout).at("access", path)?;
        let known = self.form.read_identities(layout.listing().len()).ok();
        Ok(TreeBody {
            form: self.form.clone(),
            is_as_hashed: known.as_ref() == Some(&before),
            known,
            root,
            layout,
            sums,
            before,
        })
    }

    /// Opens the tree at `path`, so that it can be read although its name is given to another one meanwhile.
    ///
    /// # Errors
    /// When it is not there, or what its slot says of it cannot be read.
    pub(super) fn open(&self, path: &Path) -> Result<OpenTree, StoreError> {
        Ok(OpenTree { loaded: self.load()?, root: Root::open(path).at("open", path)? })
    }

    /// What is known of it, for chunks that are served from it. It stays in memory for further ones.
    pub(super) fn load(&self) -> Result<Arc<Loaded>, StoreError> {
        self.load_and(|recent, new| {
            recent.retain(|loaded| loaded.folder != new.folder);
            recent.push_back(new.clone());
            if recent.len() > LOADED_MAX {
                recent.pop_front();
            }
        })
    }

    /// The same for one look at it. It does not stay in memory.
    pub(super) fn load_once(&self) -> Result<Arc<Loaded>, StoreError> {
        self.load_and(|_, _| {})
    }

    /// What is known of it. If it is not in memory, it is loaded and passed to `keep`, with what is.
    fn load_and(
        &self,
        keep: impl FnOnce(&mut VecDeque<Arc<Loaded>>, &Arc<Loaded>),
    ) -> Result<Arc<Loaded>, StoreError> {
        static RECENT: Mutex<VecDeque<Arc<Loaded>>> = Mutex::new(VecDeque::new());
        /// Held while one is loaded. Whoever else needs it waits for it: each would take tens of megabytes otherwise.
        static LOADING: Mutex<()> = Mutex::new(());
        let recent = || RECENT.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, path) = (self.form.folder(), self.form.identities());
        let stamp = FileIdentity::at(&path).at("access", &path)?;
        let is_it = |loaded: &&Arc<Loaded>| loaded.folder == folder && loaded.stamp.is_same(&stamp);
        let find = || recent().iter().find(is_it).cloned();
        if let Some(found) = find() {
            return Ok(found);
        }
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find() {
            return Ok(found);
        }
        let layout = self.form.load()?;
        let identities = self.form.read_identities(layout.listing().len())?;
        let sums = File::open(self.form.sums()).at("open", &self.form.sums())?;
        let new = Arc::new(Loaded { folder: folder.to_owned(), stamp, layout, identities, sums });
        keep(&mut recent(), &new);
        Ok(new)
    }
}

/// A published tree that is kept open.
#[derive(Debug)]
pub struct OpenTree {
    loaded: Arc<Loaded>,
    root: Root,
}

impl OpenTree {
    /// Reads a chunk. Blocks.
    ///
    /// # Errors
    /// When a file that it has a part in has changed or is gone.
    pub(super) fn read(&self, index: ChunkIndex) -> Result<BytesMut, StoreError> {
        let layout = self.layout();
        let bytes = layout.bytes().saturating_sub(index.offset()).min(CHUNK_BYTES.into());
        let mut chunk = buffers::take(bytes as usize);
        let read = |place, part: &mut [u8]| self.loaded.read(&self.root, place, part).ok_or(());
        let changed = |()| io::Error::other("a file in it has changed since it was hashed");
        Layout::Tree(layout)
            .read(index.offset(), &mut chunk, read)
            .map_err(changed)
            .at("take chunks from", self.root.path())?;
        Ok(chunk)
    }

    /// Its layout.
    pub fn layout(&self) -> &TreeLayout {
        &self.loaded.layout
    }

    /// The content of its sums.
    pub(super) fn sums(&self) -> &File {
        &self.loaded.sums
    }

    /// Fills a buffer with bytes of a file or of the sums; `None` if they cannot be read or the file has changed. Blocks.
    pub(super) fn read_place(&self, place: Place, buffer: &mut [u8]) -> Option<()> {
        self.loaded.read(&self.root, place, buffer)
    }
}

impl Loaded {
    fn read(&self, root: &Root, place: Place, buffer: &mut [u8]) -> Option<()> {
        match place {
            Place::File { entry, offset } => {
                let of = self.layout.listing().entry(entry);
                let file = root.open_regular(of.path.as_str()).ok()?;
                let now = FileIdentity::of(&file).ok()?;
                let is_same = self.identities.of(entry, of.content_bytes()).is_same(&now);
                is_same.then(|| file.read_exact_at(buffer, offset).ok())?
            }
            Place::Sums(offset) => self.sums.read_exact_at(buffer, offset).ok(),
        }
    }
}

/// A published tree as something to be hashed. A file that is missing, or has another size than the listing says, makes
/// the chunks wrong that it has a part in.
#[derive(Debug)]
pub struct TreeBody {
    form: TreeForm,
    root: Root,
    layout: TreeLayout,
    sums: File,
    before: TreeIdentities,
    /// What its slot says of the files; `None` if that is lost.
    known: Option<TreeIdentities>,
    /// Whether nobody has written to the files since they were hashed.
    pub is_as_hashed: bool,
}

impl TreeBody {
    /// The directories, symbolic links and empty files that are not as the listing says. No byte of a chunk depends on
    /// them.
    pub fn missing(&self) -> BTreeSet<EntryIndex> {
        let listing = self.layout.listing();
        let is_there = |index: &EntryIndex| {
            let entry = listing.entry(*index);
            let path = entry.path.as_str();
            match entry.kind {
                EntryKind::File { bytes: 0 } => self.before.has(*index),
                EntryKind::File { .. } => true,
                EntryKind::Directory => {
                    let flags = OFlags::PATH | OFlags::DIRECTORY;
                    self.root.open_below(path, flags, Mode::empty()).is_ok()
                }
                EntryKind::Symlink { target } => {
                    self.root.link(path).is_ok_and(|found| found == target.as_bytes())
                }
            }
        };
        listing.indices().filter(|index| !is_there(index)).collect()
    }

    /// Notes the files of which all chunks are right as they are, so that they are served again.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn note_right(&self, good: &HaveMap) -> Result<(), StoreError> {
        if self.is_as_hashed {
            return Ok(());
        }
        let listing = self.layout.listing();
        let none = || TreeIdentities::new(self.before.top, listing.len());
        let mut now = self.known.clone().unwrap_or_else(none);
        now.top = self.before.top;
        listing.indices().filter(|index| self.is_right(*index, good)).for_each(|index| {
            now.take(&self.before, index);
        });
        if self.known.as_ref() == Some(&now) { Ok(()) } else { self.form.write_identities(&now) }
    }

    /// What was edited in it, after its chunks were compared: the files that somebody wrote to and that are not right, and
    /// what is missing.
    pub fn edited(&self, good: &HaveMap, missing: BTreeSet<EntryIndex>) -> Edited {
        let listing = self.layout.listing();
        let was_written_to = |index: &EntryIndex| {
            let known = self.known.as_ref();
            known.is_none_or(|known| !known.agrees(&self.before, *index)) || !self.before.has(*index)
        };
        let files = listing.indices().filter(|index| listing.entry(*index).is_file());
        let files = files.filter(was_written_to).filter(|index| !self.is_right(*index, good));
        Edited::checked(&self.layout, good, files.chain(missing).collect())
    }

    /// Whether a file is there and all its chunks are right.
    fn is_right(&self, index: EntryIndex, good: &HaveMap) -> bool {
        let mut chunks = chunks_of(self.layout.content_range(index));
        self.before.has(index) && chunks.all(|chunk| good.contains(chunk))
    }

    fn read(&self, place: Place, buffer: &mut [u8]) -> io::Result<()> {
        match place {
            Place::File { entry, offset } => {
                let of = self.layout.listing().entry(entry);
                let file = self.root.open_regular(of.path.as_str()).map_err(not_there)?;
                match file.metadata()?.len() == of.content_bytes() {
                    true => file.read_exact_at(buffer, offset),
                    false => Err(io::ErrorKind::NotFound.into()),
                }
            }
            Place::Sums(offset) => self.sums.read_exact_at(buffer, offset).map_err(not_there),
        }
    }
}

impl Body for TreeBody {
    fn bytes(&self) -> u64 {
        self.layout.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        Layout::Tree(&self.layout).read(offset, buffer, |place, part| self.read(place, part))
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        match TreeIdentities::now(&self.root, &self.layout)? == self.before {
            true => Ok(()),
            false => Err(invalid("a file in it changed while it was being hashed")),
        }
    }
}

/// Something that is not the file of the listing is no failure of the disk.
fn not_there(error: io::Error) -> io::Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::IO) => error,
        _ => io::ErrorKind::NotFound.into(),
    }
}
