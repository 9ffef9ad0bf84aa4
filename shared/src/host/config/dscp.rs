//! The class of service that packets are marked with.

use super::values::BadValue;
use std::fmt;
use std::str::FromStr;

/// A codepoint of differentiated services (DSCP), which networks may treat packets by: 0 to 63, or one of the names of
/// RFC 4594 and RFC 8622.
///
/// ```
/// use shared::host::config::Dscp;
///
/// assert_eq!("cs1".parse::<Dscp>().unwrap().codepoint(), 8);
/// assert_eq!("10".parse::<Dscp>().unwrap().to_string(), "af11");
/// assert_eq!("LE".parse::<Dscp>().unwrap().to_string(), "le");
/// assert!("64".parse::<Dscp>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dscp(u8);

const NAMES: &[(&str, u8)] = &[
    ("cs0", 0),
    ("le", 1),
    ("cs1", 8),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("cs2", 16),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("cs3", 24),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("cs4", 32),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs5", 40),
    ("va", 44),
    ("ef", 46),
    ("cs6", 48),
    ("cs7", 56),
    // further names
    ("be", 0),
    ("df", 0),
];

impl Dscp {
    /// The number, from 0 to 63.
    pub fn codepoint(self) -> u8 {
        self.0
    }
}

impl FromStr for Dscp {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Dscp, BadValue> {
        let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_number && *number < 64);
        let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number);
        number.or(named).map(Dscp).ok_or(BadValue(
            "a DSCP from 0 to 63, or its name: \"le\", \"cs0\" to \"cs7\", \"af11\" to \"af43\", \"va\" or \"ef\"",
        ))
    }
}

/// By its name, if it has one.
impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::config::{DaemonConfig, Files};

    #[test]
    fn each_codepoint_is_written_as_read() {
        for number in 0..64 {
            let dscp: Dscp = number.to_string().parse().unwrap();
            assert_eq!((dscp.codepoint(), dscp.to_string().parse()), (number, Ok(dscp)));
        }
        for bad in ["", "64", "256", "-1", "+1", "cs8", "af14", "af44", "0x08", "8.0"] {
            assert!(bad.parse::<Dscp>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let read = |text: &str| DaemonConfig::of(&Files::of_texts([("a", text)])).map(|config| config.dscp);
        for (text, codepoint) in
            [("", None), ("dscp = \"\"", None), ("dscp = 8", Some(8)), ("dscp = \"le\"", Some(1))]
        {
            assert_eq!(read(text).unwrap().map(Dscp::codepoint), codepoint);
        }
        for bad in ["\n\ndscp = 64", "\n\ndscp = \"scavenger\""] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.starts_with("a:3: dscp: expected a DSCP from 0 to 63, or its name"), "{error}");
        }
    }
}
