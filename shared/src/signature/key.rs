//! A public key of minisign, and what it says of a manifest.

use super::text::{KeyId, SignatureText, decoded};
use crate::manifest::Manifest;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Limits the text of a public key in bytes. minisign writes 113. A longer text is refused.
const KEY_TEXT_BYTES_MAX: usize = 1024;

/// The bytes of a key: the algorithm, the key's id, the key.
const KEY_BYTES: usize = 2 + 8 + 32;

/// A public key: the content of minisign's `.pub` file, or its second line alone.
///
/// ```
/// use shared::signature::PublicKey;
///
/// let key: PublicKey = "RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7".parse().unwrap();
/// assert_eq!(key.id().to_string(), "DFBA39F7A63E38E7");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    bytes: [u8; KEY_BYTES],
}

/// Why a text is not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// It is the text of a secret key.
    Secret,
    /// It is something else.
    Garbage,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadKey::Secret => "this is a secret key; the public one is needed",
            BadKey::Garbage => "this is not a public key of minisign",
        })
    }
}

impl std::error::Error for BadKey {}

/// Why a signature is not one of a manifest by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotVerified {
    /// It is said to be of the key with this id.
    OtherKey(KeyId),
    /// It is said to be of this key, but it is not the signature of this manifest and its trusted comment.
    Wrong,
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotVerified::OtherKey(id) => write!(f, "the signature is of another key ({id})"),
            NotVerified::Wrong => f.write_str("the signature does not match the manifest"),
        }
    }
}

impl std::error::Error for NotVerified {}

impl PublicKey {
    /// The key's id.
    pub fn id(&self) -> KeyId {
        KeyId(self.bytes[2..10].try_into().expect("a key is longer"))
    }

    /// The key as the second line of its file.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.bytes)
    }

    /// Checks that this key has signed this manifest. The manifest's text is hashed in parts: more than 64 KiB of it are
    /// never in memory.
    ///
    /// # Errors
    ///
    /// When the key did not sign it; see [`NotVerified`].
    pub fn verify(&self, manifest: &Manifest, signature: &SignatureText) -> Result<(), NotVerified> {
        if signature.key_id() != self.id() {
            return Err(NotVerified::OtherKey(signature.key_id()));
        }
        let signature =
            minisign_verify::Signature::decode(signature.as_str()).map_err(|_| NotVerified::Wrong)?;
        let mut verifier = self.key.verify_stream(&signature).map_err(|_| NotVerified::Wrong)?;
        manifest.text_parts().for_each(|part| verifier.update(part.as_bytes()));
        verifier.finalize().map_err(|_| NotVerified::Wrong)
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        if text.len() > KEY_TEXT_BYTES_MAX {
            return Err(BadKey::Garbage);
        }
        let mut lines = text.trim_end().lines();
        let line = match (lines.next(), lines.next(), lines.next()) {
            (Some(line), None, None) => line,
            (Some(comment), Some(line), None) if comment.starts_with("untrusted comment: ") => line,
            _ => return Err(BadKey::Garbage),
        };
        let line = line.trim();
        let Some(bytes) = decoded::<KEY_BYTES>(line) else {
            // minisign's secret keys begin alike, with "Ed" and the algorithm of the password
            let is_secret = ["RWRTY0Iy", "RWQAAEIy"].iter().any(|begin| line.starts_with(begin));
            return Err(if is_secret { BadKey::Secret } else { BadKey::Garbage });
        };
        let key = minisign_verify::PublicKey::from_base64(line).map_err(|_| BadKey::Garbage)?;
        Ok(PublicKey { key, bytes })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_base64()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::BY_MINISIGN;
    use super::*;
    use crate::id::{ChunkHash, ResourceId};

    const KEY: &str = "untrusted comment: minisign public key DFBA39F7A63E38E7\n\
        RWTnOD6m9zm63+WfvYPiAYm/3CJ+0sxD3754KkpTmYwq+ad/NoesNYh7\n";

    fn hello(tracker: &str) -> Manifest {
        let (name, id) = ("hello.txt".parse().unwrap(), ResourceId::of(b"hello"));
        let trackers = vec![tracker.parse().unwrap()];
        Manifest::new(name, id, trackers, vec![ChunkHash::of(b"hello")]).unwrap()
    }

    #[test]
    fn what_minisign_signed_is_right() {
        let (key, signature): (PublicKey, SignatureText) =
            (KEY.parse().unwrap(), BY_MINISIGN.parse().unwrap());
        assert_eq!(key.verify(&hello("tt://tracker.example"), &signature), Ok(()));
    }

    #[test]
    fn every_part_of_a_manifest_is_signed() {
        let (key, signature): (PublicKey, SignatureText) =
            (KEY.parse().unwrap(), BY_MINISIGN.parse().unwrap());
        let hello = hello("tt://tracker.example");
        let other = Manifest::new(
            hello.name().clone(),
            ResourceId::of(b"hullo"),
            hello.trackers().to_vec(),
            vec![ChunkHash::of(b"hullo")],
        );
        for changed in
            [self::hello("tt://other.example"), hello.with_name("hello.tx".parse().unwrap()), other.unwrap()]
        {
            assert_eq!(key.verify(&changed, &signature), Err(NotVerified::Wrong), "{changed:?}");
        }
    }

    #[test]
    fn the_trusted_comment_is_signed_and_the_other_is_not() {
        let key: PublicKey = KEY.parse().unwrap();
        let verify = |from, to| {
            let signature: SignatureText = BY_MINISIGN.replacen(from, to, 1).parse().unwrap();
            key.verify(&hello("tt://tracker.example"), &signature)
        };
        assert_eq!(verify("1795740186", "1795740187"), Err(NotVerified::Wrong));
        assert_eq!(verify("hashed", "hashed "), Err(NotVerified::Wrong));
        assert_eq!(verify("jyQNyb", "jyQNyc"), Err(NotVerified::Wrong));
        assert_eq!(verify("632ME3", "632ME4"), Err(NotVerified::Wrong));
        assert_eq!(verify("signature from minisign", "I am root's"), Ok(()));
    }

    #[test]
    fn another_key_is_named() {
        let other = KEY.replace("RWTnOD6m9zm63", "RWTnOD6m9zm73"); // another id, the same key
        let (key, signature): (PublicKey, SignatureText) =
            (other.parse().unwrap(), BY_MINISIGN.parse().unwrap());
        let error = key.verify(&hello("tt://tracker.example"), &signature).unwrap_err();
        assert_eq!(error.to_string(), "the signature is of another key (DFBA39F7A63E38E7)");
    }

    #[test]
    fn keys_are_read_in_both_forms_and_nothing_else_is() {
        let key: PublicKey = KEY.parse().unwrap();
        for same in
            [KEY.replace('\n', "\r\n"), KEY.trim_end().to_owned(), KEY.lines().last().unwrap().to_owned()]
        {
            assert_eq!(same.parse::<PublicKey>().map(|key| key.id()), Ok(key.id()), "{same:?}");
        }
        let secret = "untrusted comment: minisign encrypted secret key\nRWQAAEIyAAAAAAAA\n";
        assert_eq!(secret.parse::<PublicKey>(), Err(BadKey::Secret));
        let long = format!("untrusted comment: {}\n", "x".repeat(KEY_TEXT_BYTES_MAX));
        for garbage in [
            "",
            "\n",
            "x",
            BY_MINISIGN,
            &KEY.replace("RWT", "RXT"),
            &KEY[1..],
            &(KEY.to_owned() + KEY),
            &long,
        ] {
            assert_eq!(garbage.parse::<PublicKey>(), Err(BadKey::Garbage), "{garbage:?}");
        }
    }
}
