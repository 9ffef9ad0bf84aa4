//! The manifest, which is the content of a `.tinytorrent` file, and its text format.
//!
//! ```text
//! line 1   the resource's name
//! line 2   SHA-256 of the whole resource, 64 lower-case hexadecimal digits
//! line 3   the trackers' URLs, separated by one space
//! line 4…  SHA-256 of each chunk, one per line, in order
//! ```
//!
//! The text comes from strangers. [`Parser`] reads it as it arrives and checks each line at once. Memory grows only
//! with lines that were valid, never with a number that the text claims.
//!
//! **Invariant:** this module does no file access, and the text never contains anything but these lines.

mod document;
mod parser;

pub use document::{BadManifest, Manifest, TRACKERS_MAX};
pub use parser::{BadLine, LINE_BYTES_MAX, ManifestError, Parser, Quoted};
