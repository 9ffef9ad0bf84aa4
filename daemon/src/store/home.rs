//! The shared folder itself: made if need be, locked, and the places in it.

use super::disk::{Disk, Open};
use super::{At, Import, Slot, StoreError, atomic, invalid, open_regular, read};
use rustix::fs::FlockOperation;
use shared::id::SwarmKey;
use shared::manifest::Parser;
use shared::name::ResourceName;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where all of our own files are, inside of the shared folder.
const OURS: &str = ".tinytorrent";

/// The file that tells this folder from all others, and its first words.
const MARK: &str = "folder";
const MARK_BEGIN: &str = "version = ";
const MARK_VERSION: u32 = 1;
const MARK_BYTES_MAX: u64 = 4096;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another daemon has it.
    #[error("the shared directory {} is used by another ttd (it holds {})", .folder.display(), .lock.display())]
    Taken {
        /// Which folder.
        folder: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// It would have to be made, and what it is to be made in is not there.
    #[error("cannot make the shared directory {}: the directory that it is to be in does not exist; make that first", .folder.display())]
    NoParent {
        /// Which folder.
        folder: PathBuf,
    },
    /// Something else is there.
    #[error("the shared directory {} is no directory", .folder.display())]
    NoFolder {
        /// What is not one.
        folder: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A shared folder that this process owns.
#[derive(Debug)]
pub struct Home {
    disk: Disk,
    folder: PathBuf,
    ours: PathBuf,
    temporaries: AtomicU64,
    lock: File,
    /// The lock of the folder that has the resources' places: the lock file may be deleted, and made anew by another
    /// daemon. `None` where the file system locks no folders. (The folder around it has the socket, and is locked while
    /// that is made.)
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held as long as the directory is ours"))]
    own_lock: Option<File>,
    /// The id in the folder's mark; `None` if the mark could be neither read nor made.
    id: Option<String>,
}

impl Home {
    /// Takes a folder: makes it if it does not exist (its parent must), and locks it.
    ///
    /// # Errors
    /// When another daemon has it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<Home, HomeError> {
        Home::open_on(Disk::system(), folder)
    }

    /// As [`open`](Home::open), with another way to the disk.
    ///
    /// # Errors
    /// As [`open`](Home::open).
    pub fn open_on(disk: Disk, folder: &Path) -> Result<Home, HomeError> {
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NoParent { folder: folder.to_owned() });
            }
            made => made.at("make the shared directory", folder)?,
        }
        if !folder.is_dir() {
            return Err(HomeError::NoFolder { folder: folder.to_owned() });
        }
        let folder = folder.canonicalize().at("find the shared directory", folder)?;
        let ours = folder.join(OURS);
        for (parent, made) in
            [(&folder, ours.clone()), (&ours, ours.join("resources")), (&ours, ours.join("imports"))]
        {
            if disk.make_folder(&made)? {
                disk.sync_folder(parent)?; // else nothing in it outlasts a power cut
            }
        }
        // not without need: it would take the setgid bit away, by which our files get the shared folder's group
        if fs::metadata(&ours).at("look at", &ours)?.mode() & 0o077 != 0 {
            fs::set_permissions(&ours, fs::Permissions::from_mode(0o700)).at("set the mode of", &ours)?;
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
        let home = Home { disk, folder, ours, temporaries: AtomicU64::new(0), lock, own_lock, id };
        home.clear_imports()?;
        Ok(home)
    }

    /// Whether the path still leads to the folder that was opened: it does not when its file system was unmounted,
    /// and then nothing that is missing there was deleted by anybody.
    ///
    /// # Errors
    /// Why it does not.
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

    /// Gives the folder up as a dead process would, though somebody may still have this.
    #[cfg(test)]
    pub fn abandon(&self) {
        for lock in [Some(&self.lock), self.own_lock.as_ref()].into_iter().flatten() {
            rustix::fs::flock(lock, FlockOperation::Unlock).unwrap();
        }
    }

    /// The shared folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder's device and inode.
    ///
    /// # Errors
    /// When the folder is gone.
    pub fn device_and_inode(&self) -> Result<(u64, u64), StoreError> {
        fs::metadata(&self.folder)
            .at("look at", &self.folder)
            .map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Where a finished resource of this name is.
    pub fn file(&self, name: &ResourceName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    /// Where the visible manifest of this name is.
    pub fn manifest_file(&self, name: &ResourceName) -> PathBuf {
        self.folder.join(name.manifest_name())
    }

    /// Bytes that may still be written to this file system by an ordinary user.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        let stat = rustix::fs::statvfs(&self.folder).at("ask for the free space of", &self.folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The place of a swarm's files.
    pub fn slot(&self, key: SwarmKey) -> Slot {
        Slot::new(&self.disk, self.ours.join("resources").join(Slot::name(key)))
    }

    /// Begins to take in a file that ttctl sends.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn import(&self, number: u64) -> Result<Import, StoreError> {
        Import::create(&self.disk, self.ours.join("imports").join(format!("{number}.part")))
    }

    /// A path for what is made before it is published; another one each time.
    pub fn temporary(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        self.ours.join("imports").join(format!("temporary-{number}.part"))
    }

    /// The way to the disk.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The places of all swarms that are remembered, in order, and what a crash has left among them. Reads none of them.
    ///
    /// # Errors
    /// When the list of them cannot be read.
    pub fn places(&self) -> Result<Vec<Slot>, StoreError> {
        let folder = self.ours.join("resources");
        let mut slots = Vec::new();
        for entry in fs::read_dir(&folder).at("read the directory", &folder)? {
            slots.push(entry.at("read the directory", &folder)?.path());
        }
        slots.sort();
        Ok(slots.into_iter().map(|folder| Slot::new(&self.disk, folder)).collect())
    }

    /// The swarm that the visible manifest of a name is of, if there is one.
    pub fn shown(&self, name: &ResourceName) -> Option<SwarmKey> {
        let mut file = open_regular(&self.manifest_file(name)).ok()?;
        let (mut parser, mut buffer) = (Parser::default(), vec![0; 64 << 10]);
        loop {
            match file.read(&mut buffer).ok()? {
                0 => return parser.finish().ok().map(|manifest| manifest.key()),
                // it keeps only what is good so far, however long the file is
                bytes => parser.feed(&buffer[..bytes]).ok()?,
            }
        }
    }

    /// Removes files of the folder; those that are gone already are no error.
    ///
    /// # Errors
    /// When one cannot be removed. The others are removed all the same.
    pub fn remove(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let results: Vec<_> = files.iter().map(|path| self.disk.remove(path)).collect();
        results.into_iter().collect()
    }

    /// Makes the names in the shared folder durable.
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
            if let Err(error) = self.disk.remove(&path) {
                tracing::warn!(%error, "what is left of an import stays"); // on a disk that is read-only for now
            }
        }
        Ok(())
    }
}

/// Locks a folder of ours, where the file system can; `None` when another process has locked it.
fn lock_folder(path: &Path) -> Result<Option<Option<File>>, StoreError> {
    let folder = File::open(path).at("open", path)?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Some(folder))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(_) => Ok(Some(None)), // as NFS does; the lock file has to do
    }
}

/// Opens the lock file. One that is there is locked on a read-only disk as well.
fn open_lock(disk: &Disk, path: &Path) -> Result<File, StoreError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.open(path, Open::Keep),
        opened => opened.at("open", path),
    }
}

/// The id in a folder's mark.
fn read_id(path: &Path) -> io::Result<String> {
    let sealed = read::whole(path, MARK_BYTES_MAX)?;
    atomic::refuse_later(&sealed, MARK_BEGIN, MARK_VERSION)?;
    let text = std::str::from_utf8(atomic::unseal(&sealed)?).map_err(invalid)?;
    let id = text.lines().nth(1).and_then(|line| line.strip_prefix("id = "));
    id.map(str::to_owned).ok_or_else(|| invalid("it names no id"))
}

/// Why the path does not lead to the shared folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// Nothing of ours is there.
    #[error("the shared directory is not there: {} has no {OURS}; is it mounted?", .0.display())]
    Missing(PathBuf),
    /// Something of ours is there, and nobody can say whether it is this folder.
    #[error("{} is another shared directory, or has lost its mark in {OURS}; restart ttd to use it as it is", .0.display())]
    Unmarked(PathBuf),
    /// Another daemon's folder is there, or what this one had in its place before it was mounted.
    #[error("{} is another shared directory now", .0.display())]
    Another(PathBuf),
}

/// The folder's id. A mark that is torn or missing is made anew, as far as the disk lets us.
fn find_or_make_id(disk: &Disk, path: &Path) -> Result<Option<String>, StoreError> {
    match read_id(path) {
        Ok(id) => return Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Err(error).at("use", path),
        Err(_) => {}
    }
    let id = format!("{:032x}", rand::random::<u128>());
    let content = format!("{MARK_BEGIN}{MARK_VERSION}\nid = {id}\n");
    let made = atomic::write(disk, path, &atomic::seal(content.as_bytes()));
    if let Err(error) = &made {
        tracing::warn!(%error, "the shared directory cannot be marked; an unmounted one is known by its lock");
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
        // not even when the lock file is gone
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
        assert!(open().unwrap_err().to_string().contains("its version is 2"));
        assert_eq!(fs::read(&mark).unwrap(), b"version = 2\nwhatever that is\n");
    }

    #[test]
    fn a_parent_must_exist() {
        let parent = tempfile::tempdir().unwrap();
        let error = Home::open(&parent.path().join("no/such")).unwrap_err().to_string();
        assert!(error.contains("cannot make the shared directory"), "{error}");
    }
}
