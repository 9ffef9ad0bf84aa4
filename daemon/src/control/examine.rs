//! What `ttctl doctor` can learn only from the daemon itself: its folder, its descriptors and its user.

use crate::store::Home;
use rustix::process::{Resource, getrlimit, getuid};
use shared::host::paths::private_dir;
use shared::rpc::control::Examined;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Collects these facts and tries to write to the folder. Blocks.
pub fn examine(home: &Home) -> Examined {
    let stat = rustix::fs::statvfs(home.folder());
    let space = stat.map(|stat| {
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        (bytes(stat.f_bavail), bytes(stat.f_blocks))
    });
    let (free_bytes, total_bytes) = space.unwrap_or_default();
    Examined {
        folder_trouble: try_to_write(home.folder()).err().map(|error| error.to_string()),
        free_bytes,
        total_bytes,
        descriptors: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        descriptors_max: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        uid: getuid().as_raw(),
    }
}

/// Writes and syncs a few bytes, as a chunk would be, and removes them again.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = private_dir(folder).join("doctor.part");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 4096])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    // Files of the folder itself are renamed into it, for which write access is enough.
    let visible = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).map_err(io::Error::from);
    written.and(removed).and(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_bytes_has_no_trouble_and_one_that_is_gone_has() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let examined = examine(&home);
        assert_eq!(examined.folder_trouble, None);
        assert!(examined.free_bytes <= examined.total_bytes && examined.total_bytes > 0);
        assert!((3..=examined.descriptors_max).contains(&examined.descriptors));
        assert!(!private_dir(folder.path()).join("doctor.part").exists());
        fs::remove_dir_all(private_dir(folder.path())).unwrap();
        assert!(examine(&home).folder_trouble.is_some());
    }
}
