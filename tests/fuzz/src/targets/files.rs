//! Our own files on disk, damaged, and those of administrators.

use daemon::fuzz::{Damage, Folder};
use shared::chunk::ChunkCount;
use shared::rpc::tls::{Authorities, Identity, Revoked, Setup};
use std::path::Path;
use tempfile::TempDir;

/// A folder in memory, where a sync costs nothing; without it the target is only slower.
const IN_MEMORY: &str = "/dev/shm";

fn folder() -> TempDir {
    let made = if Path::new(IN_MEMORY).is_dir() { TempDir::new_in(IN_MEMORY) } else { TempDir::new() };
    made.expect("a temporary folder can be made")
}

thread_local! {
    static SHARED: (Folder, TempDir) = {
        let made = folder();
        (Folder::new(made.path()), made)
    };
    static PLAIN: TempDir = folder();
}

/// The text of a record.
pub fn record(text: &[u8]) {
    daemon::fuzz::record(text);
}

/// The first byte is the number of chunks; what follows is the file without its checksum.
pub fn have_file(bytes: &[u8]) {
    let Some((&count, content)) = bytes.split_first() else { return };
    let count = ChunkCount::new(count.into()).expect("a byte is not too much");
    PLAIN.with(|folder| daemon::fuzz::have_file(&folder.path().join("have"), count, content));
}

/// The first four bytes say which of a resource's files is damaged and how much of it stays; then a daemon starts.
pub fn start(bytes: &[u8]) {
    let Some((&[file, low, high, is_sealed], rest)) = bytes.split_first_chunk() else { return };
    let kept = u16::from_le_bytes([low, high]);
    let damage = Damage { file, kept, is_sealed: is_sealed & 1 == 1 };
    SHARED.with(|(folder, _)| folder.start(damage, rest));
}

/// A file of keys, of certificates or of revoked certificates. What is read can be used, or is refused in one line.
pub fn certificates(bytes: &[u8]) {
    let identity = Identity::read(bytes);
    let authorities = Authorities::read(bytes);
    let revoked = Revoked::read(bytes);
    let faults = [identity.as_ref().err(), authorities.as_ref().err(), revoked.as_ref().err()];
    for fault in faults.into_iter().flatten() {
        assert!(!fault.to_string().contains(char::is_control), "{fault:?}");
    }
    if let Ok(authorities) = authorities {
        for now in [0, 1_800_000_000, u64::MAX] {
            let _ = Setup::new(identity.as_ref().ok(), &authorities, &revoked.clone().unwrap_or_default(), now);
        }
    }
}
