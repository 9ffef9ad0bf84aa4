//! Makes a finished, verified file visible under its name. Readers never see a partial file, and other content with
//! that name is lost only if that was requested.

use super::disk::Open;
use super::{
    At, FileIdentity, Home, Import, Lying, NoRoom, OwnFile, PartFile, StoreError, atomic, group,
    open_regular, read,
};
use shared::host::hashing::{hash_file, silent};
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::signature::SignatureText;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file was not published. Its data is still in its former place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Something that is not a file is in the way, and is not replaced.
    #[error("{} is {what}", .path.display())]
    Obstructed {
        /// Its path.
        path: PathBuf,
        /// What it is ("a directory").
        what: &'static str,
    },
    /// A directory that may not be replaced has the place of a directory: its path.
    #[error("{} is another directory than the one that may be replaced", .0.display())]
    OtherDirectory(PathBuf),
    /// There is no room for a copy.
    #[error(transparent)]
    NoRoom(NoRoom),
    /// Other content has the name.
    #[error("{0} exists here with different content")]
    NameTaken(ResourceName),
    /// It is a directory, and this is not the name of one.
    #[error("{0} is a directory, and the name of a directory ends in .tar")]
    NoDirectoryName(ResourceName),
    /// Its bytes are right, and they are not a tree: the reason.
    #[error("{0}")]
    NoTree(String),
    /// The file to be published or copied has changed: it has another length, or others wrote to it.
    #[error("{} is corrupt, or was changed by another program; check the disk (`dmesg`, `smartctl`)", .0.display())]
    Damaged(PathBuf),
    /// It does not have the signature that its name needs.
    #[error(transparent)]
    NotTrusted(Box<dyn std::error::Error + Send + Sync>),
    /// Its data could not be made durable. Data that was not synced before may be lost, even if it can be read now.
    #[error(transparent)]
    NotSynced(StoreError),
    /// The disk or the file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is complete and verified, and has been open since it was written: only then does a sync report every
/// failure.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    own: &'a OwnFile,
    /// Its required length.
    bytes: u64,
    /// The number of its failed syncs when writing to it began.
    failed_before: u64,
}

impl PartFile {
    /// The file as one to be published. All chunks must be there. `failed_before` is as in [`sync`](PartFile::sync).
    pub fn finished(&self, failed_before: u64) -> Finished<'_> {
        let bytes = self.bytes().unwrap_or(u64::MAX); // then it is not finished, and will be found too short
        Finished { own: self.own(), bytes, failed_before }
    }
}

impl Import {
    /// The file as one to be published, if it is not a directory.
    pub fn finished(&self) -> Option<Finished<'_>> {
        Some(Finished { own: self.file()?, bytes: self.bytes(), failed_before: 0 })
    }
}

impl Finished<'_> {
    /// Cuts the file to its length at the first call, and checks that it has that length and has not changed since the
    /// first call. Fails after a failed sync, because the file is then written to again.
    fn complete(&self) -> Result<FileIdentity, PublishError> {
        let complete = self.own.complete(self.bytes, self.failed_before);
        let complete = complete.map_err(|error| match self.own.failed_syncs() == self.failed_before {
            true => PublishError::Store(error),
            false => PublishError::NotSynced(error),
        })?;
        complete.ok_or_else(|| PublishError::Damaged(self.own.path().to_owned()))
    }
}

/// The group and mode of published files.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Their mode.
    pub mode: u32,
    /// Their group, if not the daemon's own.
    pub group: Option<u32>,
}

impl Publisher {
    /// Publishes a file on the same file system under a name: first its manifest, then, in one step that cannot fail
    /// half-way, the file.
    ///
    /// # Errors
    /// When the name is taken and `replace` is not set, when the file has the wrong length or others have written to
    /// it, or when the disk fails. In the last case the file may have its name already; publishing it again makes that
    /// durable.
    pub fn publish(
        &self,
        home: &Home,
        from: Finished<'_>,
        manifest: &Manifest,
        replace: bool,
    ) -> Result<FileIdentity, PublishError> {
        let (name, to) = (manifest.name(), home.file(manifest.name()));
        let (disk, file, path) = (home.disk(), from.own.file(), from.own.path());
        must_be_free(home, name)?;
        from.complete()?;
        self.dress(home, file, path)?;
        from.own.sync(from.failed_before).map_err(PublishError::NotSynced)?;
        // From here on it is recognized by this identity, so later writes by others are noticed as with any published
        // file.
        let identity = from.complete()?;
        // Whether it was renamed by an earlier call that could not sync the directory.
        let inode = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let ours = file.metadata().map(inode).at("access", path)?;
        let is_there = fs::symlink_metadata(&to).map(inode).is_ok_and(|there| there == ours);
        if !replace && !is_there && fs::symlink_metadata(&to).is_ok() {
            return Err(PublishError::NameTaken(name.clone()));
        }
        self.show_manifest(home, manifest)?;
        if is_there {
            // only the sync of its name was missing
        } else if replace {
            disk.replace(path, &to)?;
        } else {
            disk.rename(path, &to).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => PublishError::NameTaken(name.clone()),
                _ => StoreError { doing: "publish", path: to.clone(), source: error }.into(),
            })?;
        }
        home.sync()?;
        Ok(identity)
    }

    /// Publishes a copy of a finished file under another of its names. The copy is hashed, so damaged or changed data
    /// is not passed on. `no_room` is the reason why nothing may be copied; a file that is under the name already needs
    /// no room.
    ///
    /// # Errors
    /// Like [`publish`](Publisher::publish), and when the file is damaged or may not be copied.
    pub fn publish_copy(
        &self,
        home: &Home,
        from: &Path,
        bytes: u64,
        manifest: &Manifest,
        replace: bool,
        no_room: Option<NoRoom>,
    ) -> Result<FileIdentity, PublishError> {
        if let Some(identity) = holds_already(&home.file(manifest.name()), manifest.resource(), bytes) {
            self.show_manifest(home, manifest)?;
            home.sync()?;
            return Ok(identity);
        }
        if let Some(why) = no_room {
            return Err(PublishError::NoRoom(why));
        }
        let path = home.temporary();
        let copied = || {
            let own = OwnFile::new(home.disk(), home.disk().open(&path, Open::New)?, path.clone());
            own.copy_from(&open_regular(from)?)?;
            let finished = Finished { own: &own, bytes, failed_before: 0 };
            finished.complete().map_err(|_| PublishError::Damaged(from.to_owned()))?;
            if hash_file(own.file(), &silent).at("read", &path)?.resource != manifest.resource() {
                return Err(PublishError::Damaged(from.to_owned()));
            }
            self.publish(home, finished, manifest, replace)
        };
        let published = copied();
        let _ = home.disk().remove(&path);
        published
    }

    /// Writes the visible manifest next to its file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn show_manifest(&self, home: &Home, manifest: &Manifest) -> Result<(), StoreError> {
        let path = home.manifest_file(manifest.name());
        let text = manifest.to_text();
        if read::is(&path, text.as_bytes()) {
            return Ok(());
        }
        let new = home.temporary();
        atomic::write_by(home.disk(), &new, &path, text.as_bytes(), |file| self.dress(home, file, &new))
    }

    /// Writes the signature of a visible manifest next to it, or removes what lies there of a former one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn show_signature(
        &self,
        home: &Home,
        name: &ResourceName,
        signature: Option<&SignatureText>,
    ) -> Result<(), StoreError> {
        let path = home.signature_file(name);
        let Some(text) = signature.map(SignatureText::as_str) else {
            return match Lying::at(&path) {
                Lying::File(_) => home.disk().remove(&path),
                _ => Ok(()),
            };
        };
        if read::is(&path, text.as_bytes()) {
            return Ok(());
        }
        let new = home.temporary();
        atomic::write_by(home.disk(), &new, &path, text.as_bytes(), |file| self.dress(home, file, &new))
    }

    /// Sets a file's group (see `group`) and the configured mode.
    fn dress(&self, home: &Home, file: &File, path: &Path) -> Result<(), StoreError> {
        if let Some(group) = group::wanted(file, self.group, home.folder()) {
            home.disk().set_group(file, path, group)?;
        }
        home.disk().set_mode(file, path, self.mode)
    }
}

impl Home {
    /// The path of the signature of the visible manifest for this name.
    pub fn signature_file(&self, name: &ResourceName) -> PathBuf {
        self.folder().join(name.signature_name())
    }
}

/// Checks that nothing except files is at the paths of a name and its manifest.
fn must_be_free(home: &Home, name: &ResourceName) -> Result<(), PublishError> {
    for path in [home.file(name), home.manifest_file(name)] {
        if let Lying::Other(what) = Lying::at(&path) {
            return Err(PublishError::Obstructed { path, what });
        }
    }
    Ok(())
}

/// Checks that nothing except a directory is at the path of a tree, and nothing except a file at that of its manifest.
pub(super) fn must_be_free_for_tree(home: &Home, name: &ResourceName, to: &Path) -> Result<(), PublishError> {
    let manifest = home.manifest_file(name);
    if let Lying::Other(what) = Lying::at(&manifest) {
        return Err(PublishError::Obstructed { path: manifest, what });
    }
    match Lying::tree_at(to, 0) {
        Lying::Other(what) => Err(PublishError::Obstructed { path: to.to_owned(), what }),
        _ => Ok(()),
    }
}

/// The identity of the file at a path if it contains this resource: it may have been put there before a crash, or by
/// hand.
pub fn holds_already(path: &Path, resource: ResourceId, bytes: u64) -> Option<FileIdentity> {
    let file = open_regular(path).ok()?;
    let identity = FileIdentity::of(&file).ok().filter(|identity| identity.bytes == bytes)?;
    let hashed = hash_file(&file, &silent).ok()?;
    (hashed.resource == resource).then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Disk;
    use crate::store::faulty::{DiskFault, Faulty};
    use shared::chunk::{ChunkCount, ChunkIndex};
    use shared::id::ChunkHash;
    use std::sync::Arc;

    fn check(existing: Option<&[u8]>, replace: bool, expected: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let (name, trackers) = ("file".parse().unwrap(), vec!["tt://t".parse().unwrap()]);
        let manifest =
            Manifest::new(name, ResourceId::of(b"new"), trackers, vec![ChunkHash::of(b"new")]).unwrap();
        let from = home.temporary();
        fs::write(&from, b"new").unwrap();
        if let Some(bytes) = existing {
            fs::write(home.file(manifest.name()), bytes).unwrap();
        }
        let own = OwnFile::new(home.disk(), File::open(&from).unwrap(), from.clone());
        let finished = Finished { own: &own, bytes: 3, failed_before: 0 };
        let published = Publisher { mode: 0o640, group: None }.publish(&home, finished, &manifest, replace);
        assert_eq!(fs::read(home.file(manifest.name())).unwrap(), expected);
        assert_eq!(published.is_ok(), expected == b"new", "{published:?}");
        assert_eq!(from.exists(), published.is_err(), "the data is in one place");
        assert_eq!(home.manifest_file(manifest.name()).exists(), published.is_ok());
    }

    /// The download that wrote to the file before the failure may still be about to publish it.
    #[test]
    fn after_a_failed_sync_a_late_publisher_does_not_end_the_writing() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Faulty::new(&folder.path().join("grave")));
        fs::create_dir(folder.path().join("shared")).unwrap();
        let home = Home::open_on(Disk::on(disk.clone()), &folder.path().join("shared")).unwrap();
        let count = ChunkCount::new(1).unwrap();
        let part = PartFile::open(home.disk(), &home.temporary(), count).unwrap();
        part.write(ChunkIndex(0), b"new").unwrap();
        disk.refuse_from(disk.steps(), DiskFault::WriteBack);
        part.sync(0).unwrap_err();
        part.reopen();
        let manifest = Manifest::new(
            "file".parse().unwrap(),
            ResourceId::of(b"new"),
            vec!["tt://t".parse().unwrap()],
            vec![ChunkHash::of(b"new")],
        );
        let manifest = manifest.unwrap();
        let publisher = Publisher { mode: 0o640, group: None };
        let late = publisher.publish(&home, part.finished(0), &manifest, false);
        assert!(matches!(late, Err(PublishError::NotSynced(_))), "{late:?}");
        part.write(ChunkIndex(0), b"new").unwrap();
        publisher.publish(&home, part.finished(1), &manifest, false).unwrap();
        disk.cut_power(|| true);
        assert_eq!(fs::read(home.file(manifest.name())).unwrap(), b"new");
    }

    #[test]
    fn other_content_is_replaced_only_when_asked() {
        check(None, false, b"new");
        check(Some(b"old"), false, b"old");
        check(Some(b"old"), true, b"new");
    }
}
