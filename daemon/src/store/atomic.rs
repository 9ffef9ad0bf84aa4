//! Small files that are written whole or not at all, and know whether they are whole.

use super::{At, StoreError};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file by rename: readers see the old content or the new one, never a part of it.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    write_by(&path.with_file_name(name), path, content)
}

/// As [`write`], by way of another place on the same file system.
pub(super) fn write_by(new: &Path, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(new).at("create", new)?;
    file.write_all(content).at("write", new)?;
    file.sync_data().at("sync", new)?;
    fs::rename(new, path).at("rename into place", path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|dir| dir.sync_all()).at("sync the folder", folder)
}

/// Appends a line with the content's checksum, as [`unseal`] expects it.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let mut sealed = content.to_vec();
    sealed.extend_from_slice(checksum_line(content).as_bytes());
    sealed
}

/// The content of a sealed file; an error for one that is torn, empty or was edited.
pub(super) fn unseal(sealed: &[u8]) -> io::Result<&[u8]> {
    let line = checksum_line(b"").len();
    let at = sealed.len().checked_sub(line).ok_or_else(torn)?;
    let (content, seal) = sealed.split_at(at);
    if checksum_line(content).as_bytes() == seal { Ok(content) } else { Err(torn()) }
}

fn checksum_line(content: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(content).into();
    format!("# sha256 {}\n", shared::id::ResourceId(digest))
}

fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is torn: its checksum does not match")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_damage_is_noticed() {
        let sealed = seal(b"version = 1\n");
        assert_eq!(unseal(&sealed).unwrap(), b"version = 1\n");
        for end in 0..sealed.len() {
            assert!(unseal(&sealed[..end]).is_err(), "cut at {end}");
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(unseal(&damaged).is_err(), "flipped at {at}");
        }
    }
}
