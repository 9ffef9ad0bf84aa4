//! Files that have the name of a download already, and may have its content, too: a user has put them there, or a power
//! cut has brought back the part file of a download that was published.

use super::publish::holds_already;
use super::{FileIdentity, Home, PublishError, Publisher};
use shared::manifest::Manifest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The files under the names of one download that turned out to have other content. None of them is hashed again until
/// it changes. There are at most as many as the download has names.
#[derive(Debug, Default)]
pub struct Namesakes(Mutex<BTreeMap<PathBuf, FileIdentity>>);

impl Namesakes {
    fn is_other(&self, path: &Path, identity: &FileIdentity) -> bool {
        let others = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        others.get(path).is_some_and(|other| other.is_same(identity))
    }

    fn note_other(&self, path: &Path, identity: FileIdentity) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), identity);
    }
}

impl Publisher {
    /// Takes the file that has the name of a manifest for the published one, if it has all `bytes` of the content. They are
    /// synced. Returns `None` if it has other content.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn adopt(
        &self,
        home: &Home,
        namesakes: &Namesakes,
        manifest: &Manifest,
        bytes: u64,
    ) -> Result<Option<FileIdentity>, PublishError> {
        let path = home.file(manifest.name());
        let Ok(before) = FileIdentity::at(&path) else { return Ok(None) };
        if before.bytes != bytes || namesakes.is_other(&path, &before) {
            return Ok(None);
        }
        let Some(identity) = holds_already(&path, manifest.resource(), bytes) else {
            namesakes.note_other(&path, before);
            return Ok(None);
        };
        let file = super::open_regular(&path)?;
        home.disk().sync_file(&file, &path)?;
        self.show_manifest(home, manifest)?;
        home.sync()?;
        Ok(Some(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ChunkHash, ResourceId};
    use std::fs;
    use std::time::{Duration, UNIX_EPOCH};

    fn manifest(content: &[u8]) -> Manifest {
        let trackers = vec!["tt://t".parse().unwrap()];
        let chunks = vec![ChunkHash::of(content)];
        Manifest::new("file".parse().unwrap(), ResourceId::of(content), trackers, chunks).unwrap()
    }

    #[test]
    fn a_file_with_the_content_is_adopted_and_another_one_is_hashed_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let publisher = Publisher { mode: 0o640, group: None };
        let (wanted, namesakes) = (manifest(b"new"), Namesakes::default());
        let adopt = || publisher.adopt(&home, &namesakes, &wanted, 3).unwrap();
        assert!(adopt().is_none(), "nothing is there");
        let path = home.file(wanted.name());
        let put = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let time = UNIX_EPOCH + Duration::from_secs(1000);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        put(b"longer");
        assert!(adopt().is_none());
        put(b"old");
        assert!(adopt().is_none());
        // It looks the same, and is not read again.
        put(b"new");
        assert!(adopt().is_none());
        assert!(!home.manifest_file(wanted.name()).exists());
        fs::write(&path, b"new").unwrap();
        let identity = adopt().unwrap();
        assert!(identity.is_same(&FileIdentity::at(&path).unwrap()));
        assert!(home.manifest_file(wanted.name()).exists());
    }
}
