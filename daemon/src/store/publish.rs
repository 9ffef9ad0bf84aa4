//! Making a finished, verified file visible under its name. Readers never see half a file, and no other
//! content of that name is lost unless that was asked for.

use super::{At, FileIdentity, Home, StoreError, atomic};
use rustix::fs::{CWD, RenameFlags};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a file was not published. Its data is still where it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Something else has the name.
    #[error("{0} is in the shared folder already, with other content")]
    NameTaken(ResourceName),
    /// The file that was to be copied is not what it was.
    #[error("{} is damaged on the disk, or was changed", .0.display())]
    Damaged(PathBuf),
    /// The disk or the file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How finished files look.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// The mode of a published file.
    pub mode: u32,
    /// The group of a published file, if not the daemon's own.
    pub group: Option<u32>,
}

impl Publisher {
    /// Publishes the file at `from` (on the same file system) under a name: manifest first, then, in one step
    /// that cannot fail half-way, the file.
    ///
    /// # Errors
    /// When the name is taken and `replace` is not set, or the disk fails.
    pub fn publish(
        &self,
        home: &Home,
        from: &Path,
        manifest: &Manifest,
        replace: bool,
    ) -> Result<FileIdentity, PublishError> {
        let (name, to) = (manifest.name(), home.file(manifest.name()));
        let file = File::open(from).at("open", from)?;
        if let Some(group) = self.group {
            std::os::unix::fs::fchown(&file, None, Some(group)).at("set the group of", from)?;
        }
        file.set_permissions(fs::Permissions::from_mode(self.mode)).at("set the mode of", from)?;
        file.sync_all().at("sync", from)?;
        if !replace && fs::symlink_metadata(&to).is_ok() {
            return Err(PublishError::NameTaken(name.clone()));
        }
        self.show_manifest(home, manifest)?;
        rename(from, &to, replace).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => PublishError::NameTaken(name.clone()),
            _ => StoreError { doing: "publish", path: to.clone(), source: error }.into(),
        })?;
        home.sync()?;
        Ok(FileIdentity::of(&file).at("look at", &to)?)
    }

    /// Writes the visible manifest beside its file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn show_manifest(&self, home: &Home, manifest: &Manifest) -> Result<(), StoreError> {
        let path = home.manifest_file(manifest.name());
        let text = manifest.to_text();
        if fs::symlink_metadata(&path).is_ok_and(|m| m.is_file())
            && fs::read(&path).is_ok_and(|old| old == text.as_bytes())
        {
            return Ok(());
        }
        atomic::write_by(&home.temporary(), &path, text.as_bytes())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(self.mode)).at("set the mode of", &path)
    }
}

/// Renames without replacing; where the file system cannot do that in one step, checks first.
fn rename(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, to);
    }
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::hard_link(from, to)?; // fails when the name is there
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ChunkHash, ResourceId};

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
        let published = Publisher { mode: 0o640, group: None }.publish(&home, &from, &manifest, replace);
        assert_eq!(fs::read(home.file(manifest.name())).unwrap(), expected);
        assert_eq!(published.is_ok(), expected == b"new", "{published:?}");
        assert_eq!(from.exists(), published.is_err(), "the data is in one place");
        assert_eq!(home.manifest_file(manifest.name()).exists(), published.is_ok());
    }

    #[test]
    fn other_content_is_replaced_only_when_asked() {
        check(None, false, b"new");
        check(Some(b"old"), false, b"old");
        check(Some(b"old"), true, b"new");
    }
}
