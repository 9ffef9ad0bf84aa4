//! Where symbolic links lead. A receiver makes links that lead outside of the tree only when it was asked to.

use super::entry::{EntryIndex, EntryKind};
use super::listing::Listing;
use super::path::TreePath;

impl Listing {
    /// Whether an entry is a symbolic link that could lead outside of the tree: its target is absolute, or it has a
    /// `..` that goes above the top directory, or one behind something that is not a directory of the listing. Such a
    /// thing may be a link itself, or somebody may put one there, and `..` goes up from where that leads.
    pub fn leads_outside(&self, index: EntryIndex) -> bool {
        let entry = self.entry(index);
        let EntryKind::Symlink { target } = entry.kind else { return false };
        if target.starts_with('/') {
            return true;
        }
        let mut place: Vec<&str> = entry.path.parent().unwrap_or(TreePath::TOP).components().collect();
        let mut is_known = true;
        for component in target.split('/').filter(|component| !matches!(*component, "" | ".")) {
            if component != ".." {
                place.push(component);
                is_known = is_known && self.is_directory(&place);
            } else if !is_known || place.pop().is_none() {
                return true;
            }
        }
        false
    }

    fn is_directory(&self, place: &[&str]) -> bool {
        let path = place.join("/");
        let found = TreePath::new(&path).ok().and_then(|path| self.find(path));
        found.is_some_and(|index| self.entry(index).is_directory())
    }
}
