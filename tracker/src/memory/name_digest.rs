//! Digests that stand for names.

use sha2::{Digest, Sha256};
use shared::name::ResourceName;

/// Stands for a name: members of swarms remember under which names they have a resource, and a digest is smaller than a
/// name. It is the same whenever the name is published, so what members told stays true when the name is taken back and
/// published again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameDigest([u8; 16]);

impl NameDigest {
    /// The first 16 bytes of the name's SHA-256.
    pub(super) fn of(name: &ResourceName) -> NameDigest {
        let whole: [u8; 32] = Sha256::digest(name.as_str()).into();
        let (first, _) = whole.split_first_chunk().expect("32 bytes begin with 16");
        NameDigest(*first)
    }
}
