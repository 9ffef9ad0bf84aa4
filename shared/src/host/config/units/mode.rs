//! Permissions of files.

use super::number::{BadUnit, through_text};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The permissions of a file, in octal digits.
///
/// ```
/// use shared::host::config::FileMode;
///
/// assert_eq!("0640".parse::<FileMode>().unwrap().bits(), 0o640);
/// assert!("rw-r--r--".parse::<FileMode>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileMode(pub(super) u32);

pub(super) const MODE: &str =
    "permissions as octal digits in quotes, from \"0000\" to \"0777\", such as \"0644\"";

impl FileMode {
    /// `None` for bits other than read, write and execute.
    pub const fn new(bits: u32) -> Option<FileMode> {
        if bits > 0o777 { None } else { Some(FileMode(bits)) }
    }

    /// The mode as chmod takes it.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<FileMode, BadUnit> {
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let bits = if is_octal { u32::from_str_radix(text, 8).ok() } else { None };
        bits.and_then(FileMode::new).ok_or(BadUnit { expected: MODE, why: "".into() })
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

through_text!(FileMode);
