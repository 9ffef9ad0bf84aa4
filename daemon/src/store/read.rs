//! Reads small files with a limit, since they may have been replaced by anything.

use super::{StoreError, invalid, open_regular};
use std::io::{self, Read};
use std::path::Path;

/// The content of a file of at most `bytes_max` bytes; an error of kind `InvalidData` if it is longer.
pub(super) fn whole(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let bytes = beginning(path, bytes_max + 1)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(invalid(format!("it is larger than {bytes_max} bytes"))),
        false => Ok(bytes),
    }
}

/// Up to `bytes_max` bytes from the beginning of a file.
pub(super) fn beginning(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path).map_err(|StoreError { source, .. }| source)?;
    // A vector that grows while it is read takes twice what is in it, and a listing may have 256 MiB.
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(bytes_max) as usize + 1);
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file has exactly this content.
pub(super) fn is(path: &Path, content: &[u8]) -> bool {
    beginning(path, content.len() as u64 + 1).is_ok_and(|found| found == content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_of_a_file_than_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"1234").unwrap();
        assert_eq!(whole(&path, 4).unwrap(), b"1234");
        assert_eq!(whole(&path, 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(is(&path, b"1234") && !is(&path, b"123") && !is(&path, b"12345"));
        assert_eq!(beginning(&path, 2).unwrap(), b"12");
        // A file larger than any memory, and one where reading would block forever.
        std::fs::File::create(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(whole(&path, 100).is_err() && !is(&path, b"1234"));
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(whole(&path, 100).is_err() && !is(&path, b"1234"));
    }
}
