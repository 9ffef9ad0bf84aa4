//! Lays out the tar of a directory that ttctl has sent, and gives it its name.

use super::{At, FileIdentity, Home, Import, PublishError, Publisher, Slot};
use shared::chunk::CHUNK_BYTES;
use shared::manifest::Manifest;
use shared::rpc::wire::buffers;
use shared::tree::{Listing, PROBE_BYTES, Probe, TreeLayout, probe};
use std::os::unix::fs::FileExt;

impl Publisher {
    /// Puts the tree of an import under its name. What had the name is removed.
    ///
    /// # Errors
    /// When the bytes are not those of a tree, when the name is taken and `replace` is not set, or when the disk fails.
    pub fn publish_imported_tree(
        &self,
        home: &Home,
        import: &Import,
        manifest: &Manifest,
        replace: bool,
    ) -> Result<FileIdentity, PublishError> {
        let name = manifest.name();
        let is_taken = home.tree(name).is_some_and(|path| path.symlink_metadata().is_ok());
        if is_taken && !replace {
            return Err(PublishError::NameTaken(name.clone()));
        }
        let layout = layout_of(import)?;
        if layout.bytes() != import.bytes() {
            return Err(PublishError::NoTree("its size is not the one that its listing says".to_owned()));
        }
        let slot = home.slot(manifest.key());
        slot.make_folder()?;
        let published = self.lay_out_import(home, &slot, import, layout, manifest, replace);
        match &published {
            Ok(_) => slot.tidy()?,
            Err(_) => drop(slot.forget_tree()), // the error that is reported is the first one
        }
        published
    }

    fn lay_out_import(
        &self,
        home: &Home,
        slot: &Slot,
        import: &Import,
        layout: TreeLayout,
        manifest: &Manifest,
        replace: bool,
    ) -> Result<FileIdentity, PublishError> {
        let part = slot.open_empty_part(manifest.count())?;
        let staging = slot.tree().create(layout, &|| true)?.expect("it is wanted until the end");
        part.begin_tree(staging);
        for index in manifest.count().indices() {
            let bytes = (import.bytes() - index.offset()).min(CHUNK_BYTES.into());
            let mut chunk = buffers::take(bytes as usize);
            let own = import.own();
            own.file().read_exact_at(&mut chunk, index.offset()).at("read", own.path())?;
            part.write(index, &chunk)?;
        }
        self.publish_tree(home, slot, &part, part.failed_syncs(), manifest, replace)
    }
}

/// The layout that the first member of an import says.
fn layout_of(import: &Import) -> Result<TreeLayout, PublishError> {
    let own = import.own();
    let read = |offset: u64, bytes: u64| {
        let mut buffer = vec![0; bytes as usize]; // at most the limit of a listing
        own.file().read_exact_at(&mut buffer, offset).at("read", own.path()).map(|()| buffer)
    };
    let no_tree = |why: &dyn ToString| PublishError::NoTree(why.to_string());
    let start = read(0, import.bytes().min(PROBE_BYTES as u64))?;
    let listing_bytes = match probe(&start) {
        Probe::Tree { listing_bytes } => listing_bytes,
        Probe::NotATree => return Err(no_tree(&"it is not the tar of a directory")),
        Probe::Invalid(why) => return Err(no_tree(&why)),
    };
    let text = match import.bytes().checked_sub(512) {
        Some(rest) if rest >= listing_bytes => read(512, listing_bytes)?,
        _ => return Err(no_tree(&"its listing is longer than the file")),
    };
    let listing = Listing::parse(&text).map_err(|why| no_tree(&why))?;
    TreeLayout::new(listing).map_err(|why| no_tree(&why))
}
