//! Numbers of bytes.

use super::number::{BadUnit, Units, parse, through_text, write_in};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number of bytes.
///
/// ```
/// use shared::host::config::ByteSize;
///
/// assert_eq!("64 MiB".parse::<ByteSize>().unwrap().bytes(), 64 << 20);
/// assert_eq!("1.5 kB".parse::<ByteSize>().unwrap().to_string(), "1500 B");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub(super) u64);

const SIZES: Units = &[
    ("TiB", 1 << 40, 1),
    ("TB", 1_000_000_000_000, 1),
    ("GiB", 1 << 30, 1),
    ("GB", 1_000_000_000, 1),
    ("MiB", 1 << 20, 1),
    ("MB", 1_000_000, 1),
    ("KiB", 1 << 10, 1),
    ("kB", 1_000, 1),
    ("KB", 1_000, 1),
    ("B", 1, 1),
    ("", 1, 1),
];

const SIZE: &str = "a size such as \"64 MiB\", \"1.5 GB\" or a number of bytes";

impl ByteSize {
    /// A size of this many bytes.
    pub const fn new(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    /// The size as a number.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<ByteSize, BadUnit> {
        parse(text, SIZES).map(ByteSize).map_err(|bad| bad.expecting(SIZE))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, SIZES)
    }
}

through_text!(ByteSize);
