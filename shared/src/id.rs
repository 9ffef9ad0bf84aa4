//! Identifiers: hashes of content, and the id of a running daemon.

use crate::chunk::CHUNK_BYTES;
use crate::zeros::is_all_zeros;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The fewest digits of an id that users may give in place of all 64. Fewer are taken for a name. Eight are easy to copy, and
/// two of a thousand ids begin with the same eight once in ten thousand fleets.
pub const ID_DIGITS_MIN: usize = 8;

/// The fewest digits that look as if an id was meant; shorter words are too often names.
const LIKE_ID_DIGITS_MIN: usize = 4;

/// What to add to a hint about an unknown word that looks like the beginning of an id but has too few digits; nothing for
/// other words.
///
/// ```
/// use shared::id::digits_hint;
///
/// assert_eq!(digits_hint("4c47b3"), "; an id needs at least 8 of its digits");
/// assert_eq!((digits_hint("lab.img"), digits_hint("4c47b3e8")), ("", ""));
/// ```
pub fn digits_hint(word: &str) -> &'static str {
    let is_like_id = (LIKE_ID_DIGITS_MIN..ID_DIGITS_MIN).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_like_id { "; an id needs at least 8 of its digits" } else { "" }
}

/// An error: a text is not the required number of hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHex {
    /// The required number of digits.
    pub digits: usize,
}

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {} hexadecimal digits", self.digits)
    }
}

impl std::error::Error for NotHex {}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::with_capacity($bytes * 2);
                self.push_hex(&mut text);
                f.pad(&text)
            }
        }

        impl $name {
            /// Appends the id's lower-case hexadecimal digits without an allocation: a manifest may have millions of
            /// ids.
            pub fn push_hex(&self, text: &mut String) {
                for byte in self.0 {
                    text.push(HEX_DIGITS[usize::from(byte >> 4)] as char);
                    text.push(HEX_DIGITS[usize::from(byte & 15)] as char);
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// Accepts lower-case and upper-case digits; `Display` writes lower-case ones.
        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                from_hex(text.as_bytes()).map(Self).ok_or(NotHex { digits: $bytes * 2 })
            }
        }
    };
}

hex_id! {
    /// The SHA-256 of a whole resource, which identifies it everywhere. Users see its name instead.
    ///
    /// ```
    /// use shared::id::ResourceId;
    ///
    /// let id = ResourceId::of(b"");
    /// assert_eq!(id.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /// assert_eq!("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".parse(), Ok(id));
    /// ```
    ResourceId, 32
}

hex_id! {
    /// The SHA-256 of one chunk's bytes.
    ChunkHash, 32
}

hex_id! {
    /// The SHA-256 of the concatenated chunk hashes of a manifest, in order.
    ///
    /// A [`ResourceId`] does not depend on the list of chunk hashes. So a false list under a true id could poison a
    /// swarm, which would be noticed only after the last byte. Different digests keep such lists apart from the start.
    ListDigest, 32
}

hex_id! {
    /// The id of a running daemon, drawn at random at each start. Nothing stored on a machine could identify it, since
    /// machines are cloned from images.
    PeerId, 16
}

impl ResourceId {
    /// The id of a resource with these bytes.
    pub fn of(bytes: &[u8]) -> ResourceId {
        ResourceId(Sha256::digest(bytes).into())
    }
}

impl ChunkHash {
    /// The hash of a chunk of [`CHUNK_BYTES`] zeros.
    pub const ZEROS: ChunkHash = ChunkHash([
        0x30, 0xe1, 0x49, 0x55, 0xeb, 0xf1, 0x35, 0x22, 0x66, 0xdc, 0x2f, 0xf8, 0x06, 0x7e, 0x68, 0x10, 0x46,
        0x07, 0xe7, 0x50, 0xab, 0xb9, 0xd3, 0xb3, 0x65, 0x82, 0xb8, 0xaf, 0x90, 0x9f, 0xcb, 0x58,
    ]);

    /// The hash of a chunk's bytes. That of a whole chunk of zeros is known, so it is not computed.
    pub fn of(bytes: &[u8]) -> ChunkHash {
        match bytes.len() == CHUNK_BYTES as usize && is_all_zeros(bytes) {
            true => ChunkHash::ZEROS,
            false => ChunkHash(Sha256::digest(bytes).into()),
        }
    }
}

impl ListDigest {
    /// The digest of a list of chunk hashes, in order.
    pub fn of(hashes: &[ChunkHash]) -> ListDigest {
        let mut hasher = Sha256::new();
        hashes.iter().for_each(|hash| hasher.update(hash.0));
        ListDigest(hasher.finalize().into())
    }
}

/// The key of a swarm: the content, and the list of chunk hashes that its members agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SwarmKey {
    /// SHA-256 of the whole resource.
    pub resource: ResourceId,
    /// SHA-256 over its chunk hashes.
    pub digest: ListDigest,
}

impl fmt::Display for SwarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resource.fmt(f)
    }
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = ((digits[0] as char).to_digit(16)?, (digits[1] as char).to_digit(16)?);
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_strictly() {
        let id = ResourceId::of(b"x");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
            assert_eq!(bad.parse::<ResourceId>(), Err(NotHex { digits: 64 }), "{bad:?}");
        }
    }

    #[test]
    fn the_hash_of_zeros_is_what_would_be_computed() {
        let chunk = vec![0; CHUNK_BYTES as usize];
        assert_eq!(ChunkHash::ZEROS.0, <[u8; 32]>::from(Sha256::digest(&chunk)));
        assert_eq!(ChunkHash::of(&chunk), ChunkHash::ZEROS);
        assert_eq!(ChunkHash::of(&chunk[1..]).0, ResourceId::of(&chunk[1..]).0);
    }

    #[test]
    fn the_digest_depends_on_the_order() {
        let (a, b) = (ChunkHash::of(b"a"), ChunkHash::of(b"b"));
        assert_ne!(ListDigest::of(&[a, b]), ListDigest::of(&[b, a]));
        assert_eq!(ListDigest::of(&[]).0, ResourceId::of(b"").0);
    }
}
