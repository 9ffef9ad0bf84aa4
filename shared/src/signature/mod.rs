//! Signatures of manifests, in the format of minisign: `NAME.tinytorrent.minisig` beside `NAME.tinytorrent`.
//!
//! ```text
//! line 1   untrusted comment: anything; nothing protects it
//! line 2   base64 of "ED", the key's id (8 bytes) and the signature (64 bytes) of BLAKE2b-512 of the manifest's text
//! line 3   trusted comment: timestamp:1795740186<TAB>file:NAME.tinytorrent<TAB>hashed
//! line 4   base64 of the signature (64 bytes) of line 2's signature and line 3's comment
//! ```
//!
//! The text comes from strangers. [`SignatureText`] is checked in shape, and [`PublicKey`] checks that it is right.
//!
//! **Invariant:** only what minisign calls prehashed is taken ("ED"): the older form ("Ed") signs the text itself, which
//! would have to be in memory as a whole.

mod key;
mod text;

pub use key::{BadKey, NotVerified, PublicKey};
pub use text::{KeyId, NotSigned, SIGNABLE_NAME_BYTES_MAX, SIGNATURE_BYTES_MAX, SignatureText, timestamp};
