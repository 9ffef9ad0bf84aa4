//! Gives an imported directory its name.

use super::publish_tree::{Former, MadeTree};
use super::{FileIdentity, Home, Import, PublishError, PublishedTree, Publisher};
use shared::manifest::Manifest;

impl Publisher {
    /// Gives the directory of a finished import its name. With `replace`, the directory that had the name when the import
    /// began may lose it. What is ours in it, as `known` says, is removed with the import.
    ///
    /// # Errors
    /// When the name is taken by anything else, or when the disk fails.
    pub fn publish_imported_tree(
        &self,
        home: &Home,
        import: &Import,
        manifest: &Manifest,
        replace: bool,
        known: Option<&PublishedTree>,
    ) -> Result<FileIdentity, PublishError> {
        let Some((tree, writer)) = import.tree().and_then(|tree| Some((tree, tree.made()?))) else {
            return Err(PublishError::NoTree("it is not a complete directory".to_owned()));
        };
        let layout = writer.layout();
        let made = MadeTree { disk: tree.form().disk(), root: writer.root(), layout };
        let to = made.place(home, manifest)?;
        if !replace && to.symlink_metadata().is_ok() {
            return Err(PublishError::NameTaken(manifest.name().clone()));
        }
        let slot = home.slot(manifest.key());
        let publish = || {
            slot.make_folder()?;
            slot.tree().write_sums(&writer.sums().to_bytes(layout))?;
            slot.tree().write_listing(layout.listing())?;
            let make_durable = || {
                made.disk.sync_all(made.root).map_err(PublishError::NotSynced)?;
                Ok(writer.identities().clone())
            };
            let replaces = tree.replaces().filter(|_| replace);
            let former = Former { lies: tree.form(), replaces, known: known.map(PublishedTree::form) };
            self.give_name(home, &made, &slot.tree(), &to, manifest, &former, &make_durable)
        };
        publish().inspect_err(|_| slot.forget_tree_without_record())
    }
}
