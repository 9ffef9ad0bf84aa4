//! Small files that are written completely or not at all, with a checksum that shows whether they are complete.

use super::disk::{Disk, Open};
use super::{StoreError, invalid};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;

/// Writes a file and renames it into place. Readers see the old content or the new one, never a part.
pub(super) fn write(disk: &Disk, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    write_by(disk, &new, path, content, |_| Ok(()))
}

/// Like [`write`], with a given temporary path on the same file system. `dress` sets the file's group and mode.
pub(super) fn write_by(
    disk: &Disk,
    new: &Path,
    path: &Path,
    content: &[u8],
    dress: impl FnOnce(&File) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let file = disk.open(new, Open::Empty)?;
    let written = disk
        .write(&file, new, 0, content)
        .and_then(|()| dress(&file))
        .and_then(|()| disk.sync_file(&file, new))
        .and_then(|()| disk.replace(new, path));
    if written.is_err() {
        let _ = disk.remove(new); // it would use space on a full disk
    }
    written
}

/// The length of the line with the checksum, in bytes.
pub(super) const SEAL_BYTES: usize = "# sha256 ".len() + 64 + "\n".len();

/// Appends a line with the content's checksum, as [`unseal`] expects it.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(content.len() + SEAL_BYTES);
    sealed.extend_from_slice(content);
    seal_here(sealed)
}

/// Like [`seal`], without a copy of the content if it has room for [`SEAL_BYTES`] more.
pub(super) fn seal_here(mut content: Vec<u8>) -> Vec<u8> {
    let line = checksum_line(&content);
    content.extend_from_slice(line.as_bytes());
    content
}

/// The content of a sealed file; an error if it is torn, empty or was edited.
pub(super) fn unseal(sealed: &[u8]) -> io::Result<&[u8]> {
    let at = sealed.len().checked_sub(SEAL_BYTES).ok_or_else(torn)?;
    let (content, seal) = sealed.split_at(at);
    if checksum_line(content).as_bytes() == seal { Ok(content) } else { Err(torn()) }
}

/// Returns an error for a file of a later version, before anything else in it is read. The file begins with `before`
/// and then the version in decimal digits.
pub(super) fn refuse_later(sealed: &[u8], before: &str, known: u32) -> io::Result<()> {
    let digits = sealed.strip_prefix(before.as_bytes()).unwrap_or_default();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let version: Option<u32> =
        std::str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse().ok());
    match version.filter(|&version| version > known) {
        None => Ok(()),
        Some(version) => {
            let why = format!(
                "it has format version {version}, and this ttd supports only {known}; use a newer ttd"
            );
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }
}

fn checksum_line(content: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(content).into();
    format!("# sha256 {}\n", shared::id::ResourceId(digest))
}

fn torn() -> io::Error {
    invalid("it is corrupt: its checksum does not match")
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

    #[test]
    fn only_a_later_version_is_refused_as_such() {
        let check = |text: &str| refuse_later(text.as_bytes(), "version = ", 1).is_err();
        assert!(check("version = 2\nrest") && check("version = 10"));
        assert!(!check("version = 1\n") && !check("version = ") && !check("") && !check("version = x"));
    }
}
