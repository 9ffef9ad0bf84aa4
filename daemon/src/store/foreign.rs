//! Finds what is in a published tree and does not belong to it, or was edited. Nothing is changed.

use super::former::{count, is_as_it_was};
use super::root::Root;
use super::{At, PublishedFile, StoreError};
use shared::tree::TreePath;
use std::fs;
use std::path::PathBuf;

impl PublishedFile {
    /// How many files of a tree are not in its listing or were edited, and the path of one of them below the tree. `None`
    /// if there are none, or if it is no tree. Blocks: it looks at every file.
    ///
    /// # Errors
    /// When the tree is not there, or what is known of it cannot be read.
    pub fn foreign(&self) -> Result<Option<(u64, PathBuf)>, StoreError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let loaded = tree.load()?;
        let (listing, known) = (loaded.layout.listing(), &loaded.identities);
        let root = Root::open(&self.path).at("open", &self.path)?;
        let (mut left, mut files, mut first) = (vec![PathBuf::new()], 0, None);
        while let Some(below) = left.pop() {
            let directory = self.path.join(&below);
            for entry in fs::read_dir(&directory).at("read the directory", &directory)? {
                let entry = entry.at("read the directory", &directory)?;
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let path = below.join(entry.file_name());
                let listed = path.to_str().and_then(|path| TreePath::new(path).ok());
                let listed = listed.and_then(|path| listing.find(path));
                let listed = listed.map(|index| (index, listing.entry(index)));
                match listed {
                    Some((_, listed)) if listed.is_directory() && is_directory => left.push(path),
                    Some((index, listed))
                        if !listed.is_directory() && is_as_it_was(&root, index, &listed, known) => {}
                    _ => {
                        let (more, one) =
                            if is_directory { count(&entry.path()) } else { (1, PathBuf::new()) };
                        files += more;
                        first.get_or_insert_with(|| path.join(one).components().collect());
                    }
                }
            }
        }
        Ok(first.map(|first| (files, first)))
    }
}
