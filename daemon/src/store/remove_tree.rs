//! Removes a directory from the shared directory: it loses its name at once, and what is ours in it is deleted afterwards.
//! What others have put into it, and what was edited, gets its place back.

use super::former::{Ours, delete_listed};
use super::leaving::is_at;
use super::root::open_for_changes;
use super::tree_form::{TreeForm, TreeIdentities};
use super::{At, FileIdentity, Home, PartFile, PublishedTree, Slot, StoreError};
use shared::name::ResourceName;
use std::io;
use std::path::Path;

impl Home {
    /// Removes the directory of a name, unless another one is in its place. What is ours in it is what its slot says, or,
    /// if the slot is gone already, what the download that has just ended has made.
    ///
    /// # Errors
    /// When it cannot be removed. It is there then, completely or with a part of what is ours.
    pub fn remove_tree(
        &self,
        name: &ResourceName,
        identity: &FileIdentity,
        slot: &Slot,
        made: Option<&PartFile>,
    ) -> Result<(), StoreError> {
        let Some(path) = self.tree(name) else { return Ok(()) };
        let directory = FileIdentity::of_directory_at(&path);
        match PublishedTree::identity_at(&path, identity.bytes) {
            Ok(now) if identity.is_same(&now) => {}
            Ok(_) => {
                tracing::warn!(path = %path.display(), "another directory is in its place and was not deleted");
                return Ok(());
            }
            Err(_) => return Ok(()), // it is gone
        }
        let place = TreeForm::new(self.disk(), self.trash(), self.temporary());
        let taken = self.take_away((&path, directory), &place, slot, made);
        let settled = place.settle().and_then(|()| self.disk().remove_folder(place.folder()));
        match taken {
            // It is deleted where it is, without being noted first.
            Err(error) if error.is_no_space() => self.delete_in_place(&path, &slot.tree()),
            taken => taken.and(settled),
        }
    }

    /// Moves a directory to where it is deleted, with what is known of it.
    fn take_away(
        &self,
        at: (&Path, Option<FileIdentity>),
        place: &TreeForm,
        slot: &Slot,
        made: Option<&PartFile>,
    ) -> Result<(), StoreError> {
        let (path, _) = at;
        self.disk().make_folder(place.folder())?;
        let made = made.and_then(PartFile::tree).filter(|_| !slot.tree().exists());
        match made {
            None => place.prepare_to_leave(at, &slot.tree(), None)?,
            Some(tree) => {
                let layout = tree.staging.layout();
                let root = open_for_changes(path).at("open", path)?;
                place.write_identities(&TreeIdentities::now(&root, layout).at("access", path)?)?;
                place.write_listing(layout.listing())?;
                place.prepare_to_leave(at, place, None)?;
            }
        }
        let away = place.leaving();
        self.trash().move_to(path, &away.staging())?;
        if !is_at(&away.staging(), away.read_note().ok().map(|note| note.directory)) {
            // Somebody has moved another one there meanwhile.
            self.trash().move_to(&away.staging(), path)?;
            return Err(io::Error::other("another directory came in its place")).at("remove", path);
        }
        self.disk().sync_folder(away.folder())
    }

    /// Deletes what is ours in a directory, and the directory if nothing else is in it.
    fn delete_in_place(&self, path: &Path, known: &TreeForm) -> Result<(), StoreError> {
        let root = open_for_changes(path).at("open", path)?;
        let layout = known.load()?;
        let identities = known.read_identities(layout.listing().len())?;
        delete_listed(self.disk(), &root, &Ours { layout, identities, new: None })?;
        let _ = self.disk().remove_empty(path); // what is in it is not ours
        Ok(())
    }
}
