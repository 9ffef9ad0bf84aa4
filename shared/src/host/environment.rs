//! Trackers named in the environment. The command line overrides them, and they override the config file.

use crate::url::{BadUrl, TrackerUrl};
use std::ffi::OsString;
use std::fmt;

/// The variable that names trackers, separated by commas or white space.
pub const TRACKERS: &str = "TT_TRACKERS";

/// Why `$TT_TRACKERS` is not valid. The text names the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTrackers {
    /// It is not UTF-8.
    NoText,
    /// One of the words is not a tracker's URL.
    BadUrl {
        /// The word.
        word: String,
        /// The reason.
        why: BadUrl,
    },
}

impl fmt::Display for BadTrackers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadTrackers::NoText => write!(f, "{TRACKERS}: not valid UTF-8"),
            BadTrackers::BadUrl { word, why } => write!(f, "{TRACKERS}: {word:?}: {why}"),
        }
    }
}

impl std::error::Error for BadTrackers {}

/// The trackers that were named on the command line, or else those of `$TT_TRACKERS`. If neither names any, the result
/// is empty and the config file applies.
///
/// # Errors
/// When the command line names none and the variable contains a word that is not a tracker's URL.
pub fn trackers(named: &[TrackerUrl]) -> Result<Vec<TrackerUrl>, BadTrackers> {
    if named.is_empty() { read(std::env::var_os(TRACKERS)) } else { Ok(named.to_vec()) }
}

fn read(value: Option<OsString>) -> Result<Vec<TrackerUrl>, BadTrackers> {
    let text = value.unwrap_or_default().into_string().map_err(|_| BadTrackers::NoText)?;
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(parse).collect()
}

fn parse(word: &str) -> Result<TrackerUrl, BadTrackers> {
    let shown = || word.chars().take(WORD_CHARS_MAX).collect();
    word.parse().map_err(|why| BadTrackers::BadUrl { word: shown(), why })
}

/// Limits the characters of a wrong word in the error, so that it fits on two lines. The rest is cut off.
const WORD_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn texts(value: &str) -> Vec<String> {
        read(Some(value.into())).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn trackers_have_commas_or_white_space_between_them() {
        for value in
            ["tt://a,tt://b:99", "tt://a tt://b:99", "\n tt://a ,\ttt://b:99, ", "tt://a\ntt://b:99\n"]
        {
            assert_eq!(texts(value), ["tt://a", "tt://b:99"], "{value:?}");
        }
        for value in ["", " ", ",", " ,\n"] {
            assert!(texts(value).is_empty(), "{value:?}");
        }
        assert_eq!(read(None), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_word_is_told_with_the_variable() {
        let error = |value: &str| read(Some(value.into())).unwrap_err().to_string();
        assert_eq!(
            error("tt://a;tt://b"),
            "TT_TRACKERS: \"tt://a;tt://b\": the tracker's URL has no valid host; it looks like tt://tracker.example:7986"
        );
        assert!(
            error("tt://a, tracker").starts_with("TT_TRACKERS: \"tracker\": a tracker's URL begins with")
        );
        assert!(!error("\u{7}\u{1b}[1m").contains(char::is_control));
        assert!(error(&"x".repeat(100_000)).len() < 300);
        let no_text = OsString::from_vec(b"tt://\xff".to_vec());
        assert_eq!(read(Some(no_text)).unwrap_err().to_string(), "TT_TRACKERS: not valid UTF-8");
    }

    #[test]
    fn the_command_line_comes_first() {
        let named = ["tt://named".parse().unwrap()];
        assert_eq!(trackers(&named).as_deref(), Ok(&named[..]));
    }
}
