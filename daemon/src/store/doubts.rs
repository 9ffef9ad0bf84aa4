//! The files of downloads of which a sync has failed in this run. Linux may have dropped what was written to such a file
//! and still show it to readers, and no later sync tells of that: whoever opens the file anew must not believe its bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Limits the files that are remembered, to one for each resource that a daemon may have. Beyond it further ones are not
/// remembered.
const DOUBTS_MAX: usize = 100_000;

/// The paths of these files. Clones share one set.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Doubts {
    /// A sync of this file has failed.
    pub(super) fn note(&self, path: &Path) {
        let mut paths = self.lock();
        if paths.len() < DOUBTS_MAX {
            paths.insert(path.to_owned());
        }
    }

    /// Whether a sync of this file has failed.
    pub(super) fn is_noted(&self, path: &Path) -> bool {
        self.lock().contains(path)
    }

    /// The file is gone.
    pub(super) fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_doubted_until_it_is_gone() {
        let doubts = Doubts::default();
        let (one, two) = (Path::new("one"), Path::new("two"));
        doubts.clone().note(one);
        assert!(doubts.is_noted(one) && !doubts.is_noted(two));
        doubts.forget(one);
        assert!(!doubts.is_noted(one));
    }

    #[test]
    fn no_more_files_are_remembered_than_there_is_room_for() {
        let doubts = Doubts::default();
        (0..=DOUBTS_MAX).for_each(|number| doubts.note(Path::new(&number.to_string())));
        assert_eq!(doubts.lock().len(), DOUBTS_MAX);
    }
}
