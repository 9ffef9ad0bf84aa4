//! A directory as one resource: the directory `app` is the resource `app.tar`, a deterministic pax tar that is never
//! written down. `docs/tree-format.md` describes its bytes.
//!
//! ```text
//! .MTREE        the listing: one line per entry, in the order of the paths' bytes   (`Listing`)
//! app/…         the entries in the same order: headers and the files' contents
//! .SHA256SUMS   the SHA-256 of each file, as sha256sum writes it                    (`Sums`)
//! ```
//!
//! [`TreeLayout`] knows from the listing alone where every byte of the tar comes from. The sharer reads chunks from
//! the files through it, a receiver writes chunks into files through it, and neither makes the tar.
//!
//! **Invariants:** this module does no file access. A listing has one form: what was parsed is written the same.
//!
//! Reading order: [`TreeName`] → [`TreePath`] → [`Entry`] → [`Listing`] → [`TreeLayout`] → [`Sums`] → [`probe`] → [`KnownFiles`].

mod builder;
mod entry;
mod escape;
mod fill;
mod header;
mod known;
mod layout;
mod links;
mod listing;
mod name;
mod options;
mod parse;
mod path;
mod probe;
mod refused;
mod rows;
mod segments;
mod sum;
mod sums;
mod text;

#[cfg(test)]
mod tests;

pub use builder::ListingBuilder;
pub use entry::{Entry, EntryIndex, EntryKind, MODE_MAX, TARGET_BYTES_MAX};
pub use known::{FilePlace, KnownChunks, KnownFiles, Moved, OLDER, Piece, Pieces};
pub use layout::{TooLarge, TreeLayout};
pub use listing::{ENTRIES_MAX, LISTING_BYTES_MAX, Listing};
pub use name::{BadTreeName, TREE_SUFFIX, TreeName};
pub use options::{Symlinks, TreeOptions};
pub use parse::file_of_line;
pub use path::{BadPath, COMPONENT_BYTES_MAX, DEPTH_MAX, PATH_BYTES_MAX, TreePath};
pub use probe::{BadStart, PROBE_BYTES, Probe, probe};
pub use refused::{BadListing, BadTree, Refused};
pub use segments::{Segment, Segments};
pub use sums::{BadSums, Sums, SumsCheck};
