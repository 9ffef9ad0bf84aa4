//! Whether connections between machines are encrypted: a word of the configuration.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whether connections between machines are encrypted, and whether both sides show certificates.
///
/// A fleet that runs goes from `off` over `prefer` to `require`, machine by machine, and no two machines are cut off
/// from each other on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Nothing is encrypted.
    #[default]
    Off,
    /// Connections are encrypted where the other side can do it too. The others are served as before.
    Prefer,
    /// Nothing is sent to, and nothing is taken from, a machine that shows no valid certificate.
    Require,
}

impl TlsMode {
    /// All modes.
    pub const ALL: [TlsMode; 3] = [TlsMode::Off, TlsMode::Prefer, TlsMode::Require];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            TlsMode::Off => "off",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadMode;

impl fmt::Display for BadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected \"off\", \"prefer\" or \"require\"")
    }
}

impl std::error::Error for BadMode {}

impl FromStr for TlsMode {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<TlsMode, BadMode> {
        TlsMode::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(BadMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_read_as_it_is_written() {
        for mode in TlsMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("on".parse::<TlsMode>(), Err(BadMode));
    }
}
