//! Why something is not a listing.

use super::name::BadTreeName;
use super::path::BadPath;
use std::fmt;

/// Why an entry cannot be in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its path is not allowed.
    Path(BadPath),
    /// Its mode has other bits than [`MODE_MAX`](super::MODE_MAX), or it is a link and its mode is not 0o777.
    Mode,
    /// Its size is larger than a resource may be.
    Size,
    /// The target of the link is empty, longer than [`TARGET_BYTES_MAX`](super::TARGET_BYTES_MAX), or has a control
    /// character.
    Target,
    /// It has a time and another entry has none, or the other way round.
    Times,
    /// The first entry is not the top directory.
    Top,
    /// An entry before it has the same path.
    Twice,
    /// It does not belong behind the entry before it.
    Order,
    /// The listing has no entry for the directory that it is in.
    NoParent,
    /// What it is in is not a directory: a path never leads through a link or a file.
    ParentNotDirectory,
    /// There are more than [`ENTRIES_MAX`](super::ENTRIES_MAX) entries.
    TooMany,
    /// The listing is longer than [`LISTING_BYTES_MAX`](super::LISTING_BYTES_MAX).
    TooLong,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Path(why) => return why.fmt(f),
            Refused::Mode => "the mode is not allowed",
            Refused::Size => "the size is more than 4 TiB",
            Refused::Target => {
                "the link's target is empty, longer than 4,095 bytes, or contains a control character"
            }
            Refused::Times => "some entries have a time and others have none",
            Refused::Top => "the first entry is not the top directory",
            Refused::Twice => "the path is there twice",
            Refused::Order => "the paths are not in order",
            Refused::NoParent => "the directory that it is in is missing",
            Refused::ParentNotDirectory => "it is in something that is not a directory",
            Refused::TooMany => "there are more than 1,000,000 entries",
            Refused::TooLong => "the listing is longer than 256 MiB",
        })
    }
}

/// Entries that are no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTree {
    /// The path of the entry that is not allowed, below the top directory.
    pub path: String,
    /// Why it is not allowed.
    pub why: Refused,
}

impl fmt::Display for BadTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.escape_debug(), self.why)
    }
}

impl std::error::Error for BadTree {}

/// Bytes that are no listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadListing {
    /// They do not begin with the three lines of a listing.
    Head,
    /// A line is not written as a listing writes it, or is not UTF-8.
    Line {
        /// Its number, counted from 1.
        line: usize,
    },
    /// The top directory's name is not allowed.
    Name(BadTreeName),
    /// An entry is not allowed.
    Entry {
        /// The number of its line, counted from 1.
        line: usize,
        /// Why it is not allowed.
        why: Refused,
    },
}

impl fmt::Display for BadListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadListing::Head => f.write_str("the listing does not begin as one"),
            BadListing::Line { line } => {
                write!(f, "line {line} of the listing is not written as it must be")
            }
            BadListing::Name(why) => write!(f, "the top directory in the listing: {why}"),
            BadListing::Entry { line, why } => write!(f, "line {line} of the listing: {why}"),
        }
    }
}

impl std::error::Error for BadListing {}
