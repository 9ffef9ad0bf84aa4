//! Text files with a version in their first line and a checksum in the last one. Pure.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The first line: what the file is, and the version of its format.
const FIRST: &str = "tt-ca 1\n";

const MARK: &str = "# sha256 ";

/// Why a file is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// Its version is later than ours.
    Later,
    /// It is cut, empty, or was edited.
    Damaged,
}

/// The file for these lines, each of which ends in a line feed.
pub(crate) fn seal(lines: &str) -> Vec<u8> {
    let content = format!("{FIRST}{lines}");
    let sum = checksum(&content);
    format!("{content}{MARK}{sum}\n").into_bytes()
}

/// The lines of a file.
pub(crate) fn unseal(file: &[u8]) -> Result<&str, Unsealed> {
    let text = std::str::from_utf8(file).map_err(|_| Unsealed::Damaged)?;
    let first = text.lines().next().unwrap_or_default();
    let version = first.strip_prefix("tt-ca ").and_then(|digits| digits.parse::<u32>().ok());
    if version.is_some_and(|version| version > 1) {
        return Err(Unsealed::Later);
    }
    let at = text.rfind(MARK).ok_or(Unsealed::Damaged)?;
    let (content, seal) = text.split_at(at);
    if seal != format!("{MARK}{}\n", checksum(content)) {
        return Err(Unsealed::Damaged);
    }
    content.strip_prefix(FIRST).ok_or(Unsealed::Damaged)
}

/// The SHA-256 of a text as hexadecimal digits.
pub(crate) fn checksum(content: &str) -> String {
    hex(&Sha256::digest(content.as_bytes()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes that hexadecimal digits in lower case stand for; `None` for any other text.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    HEXLOWER.decode(digits.as_bytes()).ok()
}

/// The 32 bytes of a digest as text.
pub(crate) fn digest(digits: &str) -> Option<[u8; 32]> {
    unhex(digits)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_damage_is_noticed() {
        let sealed = seal("one\ntwo\n");
        assert_eq!(unseal(&sealed), Ok("one\ntwo\n"));
        assert_eq!(unseal(&seal("")), Ok(""));
        for end in 0..sealed.len() {
            assert_eq!(unseal(&sealed[..end]), Err(Unsealed::Damaged), "cut at {end}");
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(unseal(&damaged).is_err(), "flipped at {at}");
        }
        assert_eq!(unseal(b"tt-ca 2\nanything"), Err(Unsealed::Later));
    }

    #[test]
    fn digits_are_read_as_they_are_written() {
        assert_eq!(unhex("00ff10"), Some(vec![0, 255, 16]));
        for bad in ["0", "0F", "zz", "é0", "+1"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
