//! The group of a published file: the configured one, else that of a shared directory with the setgid bit, else the
//! daemon's own.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The mode bit of a directory whose group new files inherit.
pub(super) const SETGID: u32 = 0o2000;

/// The group that a file must still be given before it is published. The directory's group is used only if we may set
/// it: it is no reason to hold the file back.
pub(super) fn wanted(file: &File, configured: Option<u32>, folder: &Path) -> Option<u32> {
    let group = of_folder(configured, folder)?;
    let has_it = file.metadata().is_ok_and(|metadata| metadata.gid() == group);
    (!has_it).then_some(group)
}

/// The group of a tree's files and directories. It is looked up once for all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeGroup {
    /// The group that everything gets; `None` if it stays that of ttd.
    pub(super) group: Option<u32>,
    /// Whether directories that are made in the shared directory hand its group on.
    pub(super) is_handed_on: bool,
}

impl TreeGroup {
    /// For trees in the shared directory. `configured` is the group of published files, if there is one.
    pub(super) fn new(configured: Option<u32>, folder: &Path) -> TreeGroup {
        TreeGroup { group: of_folder(configured, folder), is_handed_on: inherited(folder).is_some() }
    }
}

fn of_folder(configured: Option<u32>, folder: &Path) -> Option<u32> {
    configured.or_else(|| inherited(folder).filter(|group| is_ours(*group)))
}

fn inherited(folder: &Path) -> Option<u32> {
    let metadata = fs::metadata(folder).ok()?;
    (metadata.mode() & SETGID != 0).then_some(metadata.gid())
}

fn is_ours(group: u32) -> bool {
    rustix::process::geteuid().is_root()
        || rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups().is_ok_and(|ours| ours.iter().any(|own| own.as_raw() == group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folders_group_is_handed_on_if_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("file")).unwrap();
        let own = file.metadata().unwrap().gid();
        assert_eq!(wanted(&file, None, folder.path()), None);
        assert_eq!(wanted(&file, Some(own), folder.path()), None, "it has it");
        assert_eq!(wanted(&file, Some(own + 1), folder.path()), Some(own + 1));
        let other = own + 1;
        if std::os::unix::fs::chown(folder.path(), None, Some(other)).is_err() {
            return cluster::skip::skipped("the rest needs root");
        }
        assert_eq!(wanted(&file, None, folder.path()), None);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o2755)).unwrap();
        assert_eq!(wanted(&file, None, folder.path()), Some(other));
        assert_eq!(wanted(&file, Some(own), folder.path()), None, "what is configured comes first");
    }
}
