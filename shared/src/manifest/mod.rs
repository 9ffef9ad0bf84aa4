//! The manifest: what a `.tinytorrent` file says, and the file's text, read and written.
//!
//! ```text
//! line 1   the resource's name
//! line 2   SHA-256 of the whole resource, 64 lower-case hexadecimal digits
//! line 3   the trackers' URLs, separated by one space
//! line 4…  SHA-256 of each chunk, one per line, in order
//! ```
//!
//! The text comes from strangers. It is read as it arrives ([`Parser`]), each line is checked at once, and the
//! memory that is used grows with the lines that were good, never with a number that somebody claims.
//!
//! **Invariant:** no file is read or written here, and nothing but these lines is ever written.

mod document;
mod parser;

pub use document::{BadManifest, Manifest, TRACKERS_MAX};
pub use parser::{BadLine, LINE_BYTES_MAX, ManifestError, Parser, Quoted};
