//! What a check compares with a manifest: a file, a directory, or what a download has on the disk.

use super::compare::{How, check_part_of, check_path, check_tree, still_there};
use super::unknown_tree::{check_lying, lying_bytes};
use crate::inbox::CheckedFile;
use crate::library::{Former, Resource};
use crate::store::{Home, NameRecord, PublishedFile, PublishedTree, Slot};
use shared::manifest::Manifest;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// What is compared with a manifest.
pub(super) struct ToCheck {
    path: PathBuf,
    how: How,
    manifest: Manifest,
    slot: Slot,
    /// What is known of the directory, if it is one.
    tree: Option<PublishedTree>,
    /// Whether it may be a file or a directory: nobody has looked yet, or what was known of a directory is lost.
    may_be_either: bool,
    /// The download that existed before, if it is compared.
    former: Option<Former>,
}

impl ToCheck {
    /// What a resource has under a name; without one, what its download has.
    pub(super) fn of(home: &Home, resource: &Resource, record: Option<&NameRecord>) -> ToCheck {
        let (path, how) = match record {
            Some(record) => (resource.path(home, &record.name), How::of(record)),
            None => (resource.slot.part(), How::AsPart),
        };
        let manifest = match record {
            Some(record) => record.manifest(&resource.manifest),
            None => resource.manifest.clone(),
        };
        let is_unsure = record.and_then(|record| record.published).is_some_and(|it| it.is_unsure());
        ToCheck {
            path,
            how,
            manifest,
            slot: resource.slot.clone(),
            tree: resource.published_tree(),
            may_be_either: (is_unsure && !resource.record.as_file) || resource.is_tree,
            former: resource.former.clone().filter(|_| how == How::AsPart),
        }
    }

    /// How many bytes are read, as far as that is known before. Accesses the disk.
    pub(super) fn bytes(&self, home: &Home) -> u64 {
        match self.noted_tree() {
            Some(_) => self.manifest.count().bytes_max(), // a tree's own size is not that of its directory
            None if self.may_be_either => lying_bytes(home, &self.manifest),
            None => std::fs::symlink_metadata(&self.path).map_or(0, |metadata| metadata.len()),
        }
    }

    /// Compares it. Blocks.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub(super) fn compare(
        &self,
        home: &Home,
        progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
    ) -> io::Result<CheckedFile> {
        let ToCheck { path, how, manifest, slot, .. } = self;
        let checked = match self.noted_tree() {
            _ if *how == How::AsPart => check_part_of(slot, manifest, progress),
            Some(tree) => {
                check_tree(path, tree, *how, manifest, progress).map(|checked| self.keep_older(checked))
            }
            None if self.may_be_either => check_lying(home, slot, *how, manifest, progress),
            None => check_path(path, *how, manifest, progress).and_then(|it| still_there(path, it)),
        }?;
        if *how != How::AsPart && checked.whole {
            // ttd may have been killed after the rename. If the record were durable and the name were not, a file that a
            // power cut took back would count as deleted by a user.
            home.sync().map_err(|error| io::Error::new(error.source.kind(), error))?;
        }
        Ok(match &self.former {
            Some(former) => CheckedFile { good: former.reliable(checked.good), ..checked },
            None => checked,
        })
    }

    /// Keeps what is known of a directory that is made anew in its own slot, so that what is right is taken from it. From
    /// then on it does not count as the resource, also after a restart.
    fn keep_older(&self, checked: CheckedFile) -> CheckedFile {
        let CheckedFile { content: Some(content), identity, .. } = &checked else { return checked };
        let older = PublishedFile {
            manifest: (**content).clone(),
            path: self.path.clone(),
            identity: *identity,
            tree: checked.tree.clone(),
        };
        let kept = self.slot.keep_older(&older);
        match kept.and_then(|()| self.slot.tree().forget_identities()) {
            Ok(()) => CheckedFile { tree: self.slot.instead_of(older).tree, ..checked },
            Err(error) => {
                tracing::warn!(id = %self.manifest.key(), %error, "nothing is taken from the older directory");
                CheckedFile { content: None, ..checked }
            }
        }
    }

    fn noted_tree(&self) -> Option<&PublishedTree> {
        self.tree.as_ref().filter(|tree| tree.is_noted())
    }
}
