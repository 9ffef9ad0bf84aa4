//! A resource's name: one path component that is safe to use as a file name on every machine.

use crate::id::ResourceId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The suffix that a manifest's file name adds to its resource's name.
pub const MANIFEST_SUFFIX: &str = ".tinytorrent";

/// The suffix that a signature's file name adds to that of the manifest.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// Limits a name in bytes: file systems allow 255, and the manifest's name has the suffix in addition. A longer name is
/// refused.
pub const NAME_BYTES_MAX: usize = 255 - MANIFEST_SUFFIX.len();

/// A checked name: one path component, without control characters, and not reserved for our own files.
///
/// ```
/// use shared::name::ResourceName;
///
/// assert_eq!("modèle du jour.grib2".parse::<ResourceName>().unwrap().as_str(), "modèle du jour.grib2");
/// assert!("../etc/passwd".parse::<ResourceName>().is_err());
/// assert!("x.tinytorrent".parse::<ResourceName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(String);

/// Why a text cannot be a resource's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// It is empty.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It contains `/` or `\`.
    Separator,
    /// It contains NUL or another control character.
    Control,
    /// It is longer than [`NAME_BYTES_MAX`] bytes.
    TooLong,
    /// It begins with `.tinytorrent`, like the directory of our own files.
    Reserved,
    /// It ends in `.tinytorrent`, like a manifest's file.
    Suffix,
    /// It ends in `.tinytorrent.minisig`, like the file of a manifest's signature.
    Signature,
    /// It begins with U+FEFF, which is invisible, and which is a byte order mark at the beginning of a manifest.
    ByteOrderMark,
    /// It looks like a resource's id, so a user who types it could mean either.
    Id,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadName::Empty => "the name is empty",
            BadName::Dots => "the name is \".\" or \"..\"",
            BadName::Separator => "the name contains \"/\" or \"\\\"",
            BadName::Control => "the name contains a control character",
            BadName::TooLong => "the name is longer than 243 bytes",
            BadName::Reserved => {
                "the name begins with \".tinytorrent\", which is reserved for TinyTorrent's own files"
            }
            BadName::Suffix => "the name ends in \".tinytorrent\", the suffix of manifests",
            BadName::Signature => {
                "the name ends in \".tinytorrent.minisig\", the suffix of manifests' signatures"
            }
            BadName::ByteOrderMark => "the name begins with a byte order mark (U+FEFF)",
            BadName::Id => "the name is 64 hexadecimal digits and would be taken for an id",
        })
    }
}

impl std::error::Error for BadName {}

impl ResourceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file name of this resource's manifest.
    pub fn manifest_name(&self) -> String {
        format!("{}{MANIFEST_SUFFIX}", self.0)
    }

    /// The file name of the signature of this resource's manifest.
    pub fn signature_name(&self) -> String {
        format!("{}{MANIFEST_SUFFIX}{SIGNATURE_SUFFIX}", self.0)
    }
}

impl FromStr for ResourceName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text == "." || text == ".." {
            return Err(BadName::Dots);
        }
        if text.contains(['/', '\\']) {
            return Err(BadName::Separator);
        }
        if text.chars().any(char::is_control) {
            return Err(BadName::Control);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(BadName::TooLong);
        }
        if text.starts_with(MANIFEST_SUFFIX) {
            return Err(BadName::Reserved);
        }
        if text.ends_with(MANIFEST_SUFFIX) {
            return Err(BadName::Suffix);
        }
        if text.strip_suffix(SIGNATURE_SUFFIX).is_some_and(|rest| rest.ends_with(MANIFEST_SUFFIX)) {
            return Err(BadName::Signature);
        }
        if text.starts_with('\u{feff}') {
            return Err(BadName::ByteOrderMark);
        }
        if text.parse::<ResourceId>().is_ok() {
            return Err(BadName::Id);
        }
        Ok(ResourceName(text.to_owned()))
    }
}

impl TryFrom<String> for ResourceName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> String {
        name.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_do_harm_are_refused() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let (id, upper) = ("0f".repeat(32), "0F".repeat(32));
        let cases = [
            ("", BadName::Empty),
            (".", BadName::Dots),
            ("..", BadName::Dots),
            ("a/b", BadName::Separator),
            ("/etc", BadName::Separator),
            ("a\\b", BadName::Separator),
            ("a\0b", BadName::Control),
            ("a\nb", BadName::Control),
            ("a\u{85}b", BadName::Control),
            (long.as_str(), BadName::TooLong),
            (".tinytorrent", BadName::Reserved),
            (".tinytorrent.x", BadName::Reserved),
            ("x.tinytorrent", BadName::Suffix),
            ("x.tinytorrent.minisig", BadName::Signature),
            ("\u{feff}x", BadName::ByteOrderMark),
            (id.as_str(), BadName::Id),
            (upper.as_str(), BadName::Id),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<ResourceName>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn ordinary_names_of_all_scripts_are_taken() {
        let long = "x".repeat(NAME_BYTES_MAX);
        for text in [
            "a",
            ".hidden",
            "a b",
            "模型.grib2",
            "...",
            "tinytorrent",
            "-rf",
            "C:",
            "a.",
            "a ",
            "x.minisig",
            "x.tinytorrentminisig",
            "x.tinytorrent.minisig.gz",
            " ",
            "a\u{202e}b",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<ResourceName>().map(String::from), Ok(text.to_owned()));
        }
    }
}
