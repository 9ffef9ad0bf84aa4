//! The shared directory: creates and locks it, and knows the paths in it.

use super::disk::{Disk, Open};
use super::former;
use super::group::TreeGroup;
use super::limits_file::{self, SavedLimits};
use super::trash::Trash;
use super::tree_form::TreeForm;
use super::{At, FileIdentity, Import, Slot, StoreError, atomic, invalid, open_regular, read};
use crate::entropy;
use rustix::fs::FlockOperation;
use shared::id::SwarmKey;
use shared::manifest::Parser;
use shared::name::ResourceName;
use shared::tree::TreeName;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The directory of our own files in the shared directory.
const OURS: &str = ".tinytorrent";

/// The file with the shared directory's id, by which an unmounted or exchanged directory is recognized.
const MARK: &str = "folder";
const MARK_BEGIN: &str = "version = ";
const MARK_VERSION: u32 = 1;
const MARK_BYTES_MAX: u64 = 4096;

/// The room on the shared directory's file system.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Bytes that an ordinary user may still write.
    pub free_bytes: u64,
    /// Its size in bytes.
    pub total_bytes: u64,
}

/// Why a directory cannot be used as the shared directory.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another daemon uses it.
    #[error("the shared directory {} is used by another ttd (it holds {})", .folder.display(), .lock.display())]
    Taken {
        /// The directory.
        folder: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// It does not exist, and neither does its parent directory.
    #[error("cannot create the shared directory {}: its parent directory does not exist; create that first", .folder.display())]
    NoParent {
        /// The directory.
        folder: PathBuf,
    },
    /// The path is something else.
    #[error("the shared directory {} is not a directory", .folder.display())]
    NoFolder {
        /// The path.
        folder: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A shared directory that this process has locked.
#[derive(Debug)]
pub struct Home {
    disk: Disk,
    folder: PathBuf,
    ours: PathBuf,
    trash: Trash,
    temporaries: AtomicU64,
    lock: File,
    /// The lock on the directory of the resources, since the lock file could be deleted and made again by another
    /// daemon. `None` if the file system cannot lock directories. The directory around it is not used for this: it is
    /// locked while the socket is made.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held as long as the directory is ours"))]
    own_lock: Option<File>,
    /// The id in the mark; `None` if the mark could be neither read nor made.
    id: Option<String>,
}

impl Home {
    /// Opens and locks a directory. It is created if it does not exist; its parent must exist.
    ///
    /// # Errors
    /// When another daemon uses it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<Home, HomeError> {
        Home::open_on(Disk::system(), folder)
    }

    /// Like [`open`](Home::open), on a given medium.
    ///
    /// # Errors
    /// As [`open`](Home::open).
    pub fn open_on(disk: Disk, folder: &Path) -> Result<Home, HomeError> {
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NoParent { folder: folder.to_owned() });
            }
            made => made.at("create the shared directory", folder)?,
        }
        if !folder.is_dir() {
            return Err(HomeError::NoFolder { folder: folder.to_owned() });
        }
        let folder = folder.canonicalize().at("access the shared directory", folder)?;
        let ours = folder.join(OURS);
        let below = |name: &str| (&ours, ours.join(name));
        for (parent, made) in [(&folder, ours.clone()), below("resources"), below("imports"), below("trash")]
        {
            if disk.make_folder(&made)? {
                disk.sync_folder(parent)?; // else its content could be lost in a power cut
            }
        }
        // Only if needed: it would clear the setgid bit, by which our files get the shared directory's group.
        if fs::metadata(&ours).at("access", &ours)?.mode() & 0o077 != 0 {
            fs::set_permissions(&ours, fs::Permissions::from_mode(0o700))
                .at("set the permissions of", &ours)?;
        }
        let lock_path = ours.join("lock");
        let taken = || HomeError::Taken { folder: folder.clone(), lock: lock_path.clone() };
        let own_lock = lock_folder(&ours.join("resources"))?.ok_or_else(taken)?;
        let lock = open_lock(&disk, &lock_path)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(taken()),
            locked => locked.at("lock", &lock_path)?,
        }
        let id = find_or_make_id(&disk, &ours.join(MARK))?;
        let trash = Trash::open(&disk, ours.join("trash"), &folder, former::clear)?;
        let home = Home { disk, folder, ours, trash, temporaries: AtomicU64::new(0), lock, own_lock, id };
        home.clear_imports()?;
        home.trash.empty();
        Ok(home)
    }

    /// Checks that the path still leads to the directory that was opened. If its file system was unmounted, it does
    /// not, and missing files there were not deleted by anybody.
    ///
    /// # Errors
    /// The reason if it does not.
    pub fn must_be_here(&self) -> Result<(), NotHere> {
        let mark = read_id(&self.ours.join(MARK));
        let is_ours = match &self.id {
            Some(id) => mark.as_ref().is_ok_and(|now| now == id),
            None => {
                let inode = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
                let now = fs::metadata(self.ours.join("lock")).map(inode);
                self.lock.metadata().map(inode).is_ok_and(|ours| now.is_ok_and(|now| now == ours))
            }
        };
        let folder = self.folder.clone();
        match is_ours {
            true => Ok(()),
            false if mark.is_ok() => Err(NotHere::Another(folder)),
            false if self.ours.is_dir() => Err(NotHere::Unmarked(folder)),
            false => Err(NotHere::Missing(folder)),
        }
    }

    /// Releases the locks like a process that dies, although this value still exists.
    #[cfg(test)]
    pub fn abandon(&self) {
        for lock in [Some(&self.lock), self.own_lock.as_ref()].into_iter().flatten() {
            rustix::fs::flock(lock, FlockOperation::Unlock).unwrap();
        }
    }

    /// The path of the shared directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory's device and inode.
    ///
    /// # Errors
    /// When the directory is gone.
    pub fn device_and_inode(&self) -> Result<(u64, u64), StoreError> {
        fs::metadata(&self.folder).at("access", &self.folder).map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// The path of a finished resource with this name.
    pub fn file(&self, name: &ResourceName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    /// The path of a finished tree whose resource has this name; `None` if a tree's name is different.
    pub fn tree(&self, name: &ResourceName) -> Option<PathBuf> {
        TreeName::of_resource(name).map(|tree| self.folder.join(tree.as_str()))
    }

    /// The path of a tree whose resource has this name, if a directory is there. Accesses the disk.
    pub fn directory(&self, name: &ResourceName) -> Option<PathBuf> {
        self.tree(name).filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()))
    }

    /// The path of the visible manifest for this name.
    pub fn manifest_file(&self, name: &ResourceName) -> PathBuf {
        self.folder.join(name.manifest_name())
    }

    /// The bytes that an unprivileged user may still write to this file system.
    ///
    /// # Errors
    /// When the file system does not report it.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        self.space().map(|space| space.free_bytes)
    }

    /// The room on this file system.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn space(&self) -> Result<Space, StoreError> {
        let stat = rustix::fs::statvfs(&self.folder).at("get the free space of", &self.folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks) })
    }

    /// Where the limits of `ttctl limit --save` are.
    pub fn limits_file(&self) -> PathBuf {
        self.ours.join("limits.toml")
    }

    /// The limits that are saved; none without a file.
    ///
    /// # Errors
    /// When the file cannot be read, was torn or edited, or is of a later version.
    pub fn saved_limits(&self) -> Result<SavedLimits, StoreError> {
        limits_file::read(&self.disk, &self.limits_file())
    }

    /// Saves limits over restarts; empty ones delete the file.
    ///
    /// # Errors
    /// When the file cannot be written or deleted.
    pub fn save_limits(&self, saved: SavedLimits) -> Result<(), StoreError> {
        limits_file::write(&self.disk, &self.limits_file(), saved)
    }

    /// The slot of a swarm's files.
    pub fn slot(&self, key: SwarmKey) -> Slot {
        Slot::new(&self.disk, &self.trash, self.ours.join("resources").join(Slot::name(key)))
    }

    /// Begins an import of a file that ttctl sends.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn import(&self, number: u64) -> Result<Import, StoreError> {
        Import::of_file(&self.disk, self.import_path(number))
    }

    /// Begins an import of a directory of this name that ttctl sends. It may replace the directory that has the name now,
    /// and no other. `configured` is the group of published files, if
    /// there is one.
    ///
    /// # Errors
    /// When its place cannot be made.
    pub fn import_tree(
        &self,
        number: u64,
        name: TreeName,
        configured: Option<u32>,
    ) -> Result<Import, StoreError> {
        let group = TreeGroup::new(configured, &self.folder);
        let replaces = FileIdentity::of_directory_at(&self.folder.join(name.as_str()));
        let form = TreeForm::new(&self.disk, &self.trash, self.import_path(number));
        Import::of_tree(form, name, group, replaces)
    }

    fn import_path(&self, number: u64) -> PathBuf {
        self.ours.join("imports").join(format!("{number}.part"))
    }

    /// A new path for a file that is made before it is published.
    pub fn temporary(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        self.ours.join("imports").join(format!("temporary-{number}.part"))
    }

    /// The medium.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The slots of all swarms, in order, including those that a crash left half made. Their files are not read.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn places(&self) -> Result<Vec<Slot>, StoreError> {
        let folder = self.ours.join("resources");
        let mut slots = Vec::new();
        for entry in fs::read_dir(&folder).at("read the directory", &folder)? {
            slots.push(entry.at("read the directory", &folder)?.path());
        }
        slots.sort();
        Ok(slots.into_iter().map(|folder| Slot::new(&self.disk, &self.trash, folder)).collect())
    }

    /// The swarm of the visible manifest for a name, if there is one.
    pub fn shown(&self, name: &ResourceName) -> Option<SwarmKey> {
        let mut file = open_regular(&self.manifest_file(name)).ok()?;
        let (mut parser, mut buffer) = (Parser::default(), vec![0; 64 << 10]);
        loop {
            match file.read(&mut buffer).ok()? {
                0 => return parser.finish().ok().map(|manifest| manifest.key()),
                // The parser keeps only valid lines, however long the file is.
                bytes => parser.feed(&buffer[..bytes]).ok()?,
            }
        }
    }

    /// Removes files in the directory. Missing files are no error.
    ///
    /// # Errors
    /// When one cannot be removed. The others are removed anyway.
    pub fn remove(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let results: Vec<_> = files.iter().map(|path| self.disk.remove(path)).collect();
        results.into_iter().collect()
    }

    /// The trash.
    pub(super) fn trash(&self) -> &Trash {
        &self.trash
    }

    /// Makes the names in the shared directory durable.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.disk.sync_folder(&self.folder)
    }

    fn clear_imports(&self) -> Result<(), StoreError> {
        let folder = self.ours.join("imports");
        for entry in fs::read_dir(&folder).at("read the directory", &folder)? {
            let path = entry.at("read the directory", &folder)?.path();
            // A directory that it replaced may lie in it.
            let form = TreeForm::new(&self.disk, &self.trash, path);
            if let Err(error) = form.discard() {
                tracing::warn!(%error, "cannot delete the rest of an import"); // for example on a read-only disk
            }
        }
        Ok(())
    }
}

/// Locks one of our directories if the file system can. The outer `None` means that another process has locked it.
fn lock_folder(path: &Path) -> Result<Option<Option<File>>, StoreError> {
    let folder = File::open(path).at("open", path)?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Some(folder))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(_) => Ok(Some(None)), // for example on NFS; the lock file must suffice
    }
}

/// Opens the lock file. An existing one can be locked even on a read-only disk.
fn open_lock(disk: &Disk, path: &Path) -> Result<File, StoreError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.open(path, Open::Keep),
        opened => opened.at("open", path),
    }
}

/// The id in a mark.
fn read_id(path: &Path) -> io::Result<String> {
    let sealed = read::whole(path, MARK_BYTES_MAX)?;
    atomic::refuse_later(&sealed, MARK_BEGIN, MARK_VERSION)?;
    let text = std::str::from_utf8(atomic::unseal(&sealed)?).map_err(invalid)?;
    let id = text.lines().nth(1).and_then(|line| line.strip_prefix("id = "));
    id.map(str::to_owned).ok_or_else(|| invalid("it contains no id"))
}

/// Why the path no longer leads to the shared directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// There are no files of ours.
    #[error("the shared directory is missing: {} has no {OURS}; is it mounted?", .0.display())]
    Missing(PathBuf),
    /// There are files of ours but no mark, so it may be another directory.
    #[error("cannot tell whether {} is the same shared directory as before: its id in {OURS} is missing; if it is, restart ttd", .0.display())]
    Unmarked(PathBuf),
    /// The mark is that of another daemon's directory, or of one that was there before this one was mounted.
    #[error("{} is a different shared directory than before", .0.display())]
    Another(PathBuf),
}

/// The directory's id. A mark that is torn or missing is made again, if the disk can be written.
fn find_or_make_id(disk: &Disk, path: &Path) -> Result<Option<String>, StoreError> {
    match read_id(path) {
        Ok(id) => return Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Err(error).at("use", path),
        Err(_) => {}
    }
    let id = format!("{:032x}", entropy::random::<u128>());
    let content = format!("{MARK_BEGIN}{MARK_VERSION}\nid = {id}\n");
    let made = atomic::write(disk, path, &atomic::seal(content.as_bytes()));
    if let Err(error) = &made {
        tracing::warn!(%error, "cannot mark the shared directory; ttd notices by its lock alone when it is unmounted");
    }
    Ok(made.is_ok().then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("shared");
        let home = Home::open(&folder).unwrap();
        assert!(matches!(Home::open(&folder), Err(HomeError::Taken { .. })));
        // This holds even if the lock file is deleted.
        fs::remove_file(folder.join(OURS).join("lock")).unwrap();
        assert!(matches!(Home::open(&folder), Err(HomeError::Taken { .. })));
        drop(home);
        Home::open(&folder).unwrap();
        assert_eq!(fs::metadata(folder.join(OURS)).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_empty_mount_point_is_not_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, away) = (parent.path().join("shared"), parent.path().join("away"));
        let home = Home::open(&folder).unwrap();
        home.must_be_here().unwrap();
        fs::rename(&folder, &away).unwrap();
        let missing = Err(NotHere::Missing(folder.clone()));
        assert_eq!(home.must_be_here(), missing);
        fs::create_dir(&folder).unwrap();
        assert_eq!(home.must_be_here(), missing);
        fs::create_dir(folder.join(OURS)).unwrap();
        assert_eq!(home.must_be_here(), Err(NotHere::Unmarked(folder.clone())));
        fs::remove_dir_all(&folder).unwrap();
        drop(Home::open(&folder).unwrap());
        assert_eq!(home.must_be_here(), Err(NotHere::Another(folder.clone())));
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        home.must_be_here().unwrap();
    }

    /// Its file system takes no mark, for example because it is read-only.
    #[test]
    fn a_folder_without_a_mark_is_known_by_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, away) = (parent.path().join("shared"), parent.path().join("away"));
        let home = Home { id: None, ..Home::open(&folder).unwrap() };
        home.must_be_here().unwrap();
        fs::rename(&folder, &away).unwrap();
        fs::create_dir_all(folder.join(OURS)).unwrap();
        fs::write(folder.join(OURS).join("lock"), "").unwrap();
        assert_eq!(home.must_be_here(), Err(NotHere::Unmarked(folder)));
    }

    #[test]
    fn what_cannot_be_removed_keeps_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("a directory")).unwrap();
        ["one", "two"].into_iter().for_each(|name| fs::write(path(name), "").unwrap());
        let error = home.remove(&[path("one"), path("a directory"), path("none"), path("two")]).unwrap_err();
        assert!(error.to_string().contains("a directory"), "{error}");
        assert!(!path("one").exists() && !path("two").exists());
        home.remove(&[path("none")]).unwrap();
    }

    #[test]
    fn the_mark_stays_the_same_and_is_made_anew_only_when_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Home::open(folder.path());
        let id = open().unwrap().id;
        assert!(id.is_some());
        assert_eq!(open().unwrap().id, id);
        let mark = folder.path().join(OURS).join(MARK);
        fs::write(&mark, "").unwrap();
        let another = open().unwrap().id;
        assert!(another.is_some() && another != id);
        fs::write(&mark, "version = 2\nwhatever that is\n").unwrap();
        assert!(open().unwrap_err().to_string().contains("format version 2"));
        assert_eq!(fs::read(&mark).unwrap(), b"version = 2\nwhatever that is\n");
    }

    #[test]
    fn a_parent_must_exist() {
        let parent = tempfile::tempdir().unwrap();
        let error = Home::open(&parent.path().join("no/such")).unwrap_err().to_string();
        assert!(error.contains("cannot create the shared directory"), "{error}");
    }
}
