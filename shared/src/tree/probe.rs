//! Whether a resource is a tree: what its first bytes say.

use super::header::{BLOCK_BYTES, member_head};
use super::listing::LISTING_BYTES_MAX;
use super::name::LISTING_MEMBER;
use super::text::HEAD;
use std::fmt;

/// The number of bytes at the beginning of a resource that [`probe`] looks at. A shorter resource is not a tree.
pub const PROBE_BYTES: usize = BLOCK_BYTES as usize + VERSION.len();

/// The first lines of a listing of this version. Whatever has them is a tree for good, or invalid.
const VERSION: &str = "#mtree\n# tinytorrent-tree 1\n";

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A plain file, also if it is some other tar.
    NotATree,
    /// A tree.
    Tree {
        /// The length of its listing, which begins behind the first block: at most [`LISTING_BYTES_MAX`].
        listing_bytes: u64,
    },
    /// It says that it is a tree, and cannot be one.
    Invalid(BadStart),
}

/// Why a resource that begins like a tree is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadStart {
    /// Its first header is not that of a listing.
    Header,
    /// Its listing is longer than [`LISTING_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for BadStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadStart::Header => "the header of the listing is not written as it must be",
            BadStart::TooLong => "the listing is longer than 256 MiB",
        })
    }
}

impl std::error::Error for BadStart {}

/// Says from the first [`PROBE_BYTES`] of a resource, or more, what it is. Fewer are all that the resource has.
pub fn probe(bytes: &[u8]) -> Probe {
    let Some((head, listing)) = bytes.split_at_checked(BLOCK_BYTES as usize) else { return Probe::NotATree };
    let is_named = head.strip_prefix(LISTING_MEMBER.as_bytes()).is_some_and(|rest| rest[0] == 0);
    if !is_named || !listing.starts_with(VERSION.as_bytes()) {
        return Probe::NotATree;
    }
    let Some(listing_bytes) = octal(&head[124..135]) else { return Probe::Invalid(BadStart::Header) };
    if listing_bytes > LISTING_BYTES_MAX {
        return Probe::Invalid(BadStart::TooLong);
    }
    if listing_bytes <= HEAD.len() as u64 || head != member_head(LISTING_MEMBER, listing_bytes) {
        return Probe::Invalid(BadStart::Header);
    }
    Probe::Tree { listing_bytes }
}

fn octal(digits: &[u8]) -> Option<u64> {
    let is_octal = digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    is_octal.then(|| digits.iter().fold(0, |number, digit| number << 3 | u64::from(digit - b'0')))
}
