//! The shared folder itself: made if need be, locked, and the places in it.

use super::{At, Import, Record, StoreError, atomic};
use rustix::fs::FlockOperation;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where all of our own files are, inside of the shared folder.
const OURS: &str = ".tinytorrent";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another daemon has it.
    #[error("the shared folder {} is used by another ttd (it holds {})", .folder.display(), .lock.display())]
    Taken {
        /// Which folder.
        folder: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// It would have to be made, and what it is to be made in is not there.
    #[error("cannot make the shared folder {}: the folder that it is to be in does not exist; make that first", .folder.display())]
    NoParent {
        /// Which folder.
        folder: PathBuf,
    },
    /// Something else is there.
    #[error("the shared folder {} is no folder", .folder.display())]
    NoFolder {
        /// What is not one.
        folder: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A resource of a former run, or why it is lost.
pub type Remembered = Result<(Record, Manifest), StoreError>;

/// A shared folder that this process owns.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    ours: PathBuf,
    temporaries: AtomicU64,
    _lock: File,
}

impl Home {
    /// Takes a folder: makes it if it does not exist (its parent must), and locks it.
    ///
    /// # Errors
    /// When another daemon has it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<Home, HomeError> {
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NoParent { folder: folder.to_owned() });
            }
            made => made.at("make the shared folder", folder)?,
        }
        if !folder.is_dir() {
            return Err(HomeError::NoFolder { folder: folder.to_owned() });
        }
        let folder = folder.canonicalize().at("find the shared folder", folder)?;
        let ours = folder.join(OURS);
        for made in [ours.clone(), ours.join("resources"), ours.join("imports")] {
            match DirBuilder::new().mode(0o700).create(&made) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.at("make the folder", &made)?,
            }
        }
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o700)).at("set the mode of", &ours)?;
        let lock_path = ours.join("lock");
        let lock = File::create(&lock_path).at("create", &lock_path)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(HomeError::Taken { folder, lock: lock_path }),
            locked => locked.at("lock", &lock_path)?,
        }
        let home = Home { folder, ours, temporaries: AtomicU64::new(0), _lock: lock };
        home.clear_imports()?;
        Ok(home)
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
        let name = format!("{}-{}", key.resource, &key.digest.to_string()[..16]);
        Slot { folder: self.ours.join("resources").join(name) }
    }

    /// Begins to take in a file that ttctl sends.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn import(&self, number: u64) -> Result<Import, StoreError> {
        Import::create(self.ours.join("imports").join(format!("{number}.part")))
    }

    /// A path for what is made before it is published; another one each time.
    pub fn temporary(&self) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        self.ours.join("imports").join(format!("temporary-{number}.part"))
    }

    /// Every swarm that is remembered, and those whose files cannot be read, in order. What was half made or half
    /// removed at a crash is taken away.
    ///
    /// # Errors
    /// When the list of them cannot be read.
    pub fn remembered(&self) -> Result<Vec<Remembered>, StoreError> {
        let folder = self.ours.join("resources");
        let mut slots = Vec::new();
        for entry in fs::read_dir(&folder).at("read the folder", &folder)? {
            slots.push(entry.at("read the folder", &folder)?.path());
        }
        slots.sort();
        let slots = slots.into_iter().map(|folder| Slot { folder });
        Ok(slots.filter(|slot| !slot.is_half()).map(|slot| slot.load()).collect())
    }

    /// Makes the names in the shared folder durable.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<(), StoreError> {
        atomic::sync_folder(&self.folder)
    }

    fn clear_imports(&self) -> Result<(), StoreError> {
        let folder = self.ours.join("imports");
        for entry in fs::read_dir(&folder).at("read the folder", &folder)? {
            let path = entry.at("read the folder", &folder)?.path();
            fs::remove_file(&path).at("remove", &path)?;
        }
        Ok(())
    }
}

/// The place of one swarm's files: `.tinytorrent/resources/KEY/`.
#[derive(Debug, Clone)]
pub struct Slot {
    folder: PathBuf,
}

impl Slot {
    /// Where the chunks are until the resource is published.
    pub fn part(&self) -> PathBuf {
        self.folder.join("data.part")
    }

    /// Where the have map is.
    pub fn have(&self) -> PathBuf {
        self.folder.join("have")
    }

    /// Makes the place, with its manifest and its first record.
    ///
    /// # Errors
    /// When it cannot be written. What was made of it is then taken away again, unless it was there before.
    pub fn create(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        let is_new = match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            made => made.at("make the folder", &self.folder).map(|()| true)?,
        };
        let written = self.write_all(record, manifest);
        if written.is_err() && is_new {
            let _ = fs::remove_dir_all(&self.folder);
        }
        written
    }

    fn write_all(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        atomic::write(&self.manifest(), manifest.to_text().as_bytes())?;
        self.save(record)?;
        atomic::sync_folder(&self.folder)?;
        atomic::sync_folder(self.folder.parent().unwrap_or(&self.folder))
    }

    /// Writes the record anew.
    ///
    /// # Errors
    /// When it cannot be written; the former one is then still there.
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        atomic::write(&self.record(), &atomic::seal(record.to_toml().as_bytes()))
    }

    /// Reads the record and the manifest.
    ///
    /// # Errors
    /// When one of them is missing or damaged, or they do not belong together.
    pub fn load(&self) -> Result<(Record, Manifest), StoreError> {
        let path = self.record();
        let sealed = fs::read(&path).at("read", &path)?;
        let record = atomic::unseal(&sealed).and_then(Record::from_toml).at("read", &path)?;
        let path = self.manifest();
        let text = fs::read(&path).at("read", &path)?;
        let manifest = Manifest::parse(&text).map_err(invalid).at("read", &path)?;
        if manifest.key() != record.key {
            return Err(invalid("it belongs to another resource")).at("use", &path);
        }
        Ok((record, manifest))
    }

    /// Forgets the swarm, its record first: what is without one goes at the next start. Works on a full disk.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        let _ = fs::remove_file(self.record());
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.at("remove", &self.folder),
        }
    }

    /// Takes the place away if it has no record; whether it did.
    fn is_half(&self) -> bool {
        let is_half =
            fs::symlink_metadata(self.record()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        is_half && self.remove().is_ok()
    }

    /// Takes away what only an unfinished download needs.
    pub fn tidy(&self) {
        let _ = fs::remove_file(self.have());
        let _ = fs::remove_file(self.part());
    }

    fn record(&self) -> PathBuf {
        self.folder.join("state.toml")
    }

    fn manifest(&self) -> PathBuf {
        self.folder.join("manifest.tinytorrent")
    }
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    #[test]
    fn a_folder_has_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("shared");
        let home = Home::open(&folder).unwrap();
        assert!(matches!(Home::open(&folder), Err(HomeError::Taken { .. })));
        drop(home);
        Home::open(&folder).unwrap();
        assert_eq!(fs::metadata(folder.join(OURS)).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_a_crash_left_half_done_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let half = home.slot(SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) });
        fs::create_dir(&half.folder).unwrap();
        fs::write(half.part(), "a part of something").unwrap();
        assert!(home.remembered().unwrap().is_empty());
        assert!(!half.folder.exists());
    }

    #[test]
    fn a_place_that_was_there_survives_a_failure_to_write_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let trackers = vec!["tt://t".parse().unwrap()];
        let manifest =
            Manifest::new("x".parse().unwrap(), ResourceId::of(b""), trackers, Vec::new()).unwrap();
        let (key, names) = (manifest.key(), Vec::new());
        let record =
            Record { key, trackers: Vec::new(), shared_at_ms: 0, origin: true, paused: false, names };
        let slot = home.slot(key);
        slot.create(&record, &manifest).unwrap();
        fs::create_dir(slot.folder.join("manifest.tinytorrent.new")).unwrap(); // in the way of the next one
        slot.create(&record, &manifest).unwrap_err();
        assert_eq!(slot.load().unwrap().0, record);
    }

    #[test]
    fn a_parent_must_exist() {
        let parent = tempfile::tempdir().unwrap();
        let error = Home::open(&parent.path().join("no/such")).unwrap_err().to_string();
        assert!(error.contains("cannot make the shared folder"), "{error}");
    }
}
