//! Patterns of names.

use globset::{GlobBuilder, GlobMatcher};
use std::fmt;
use std::str::FromStr;

/// A pattern of names, such as `app-*`: `*` is any text, `?` one character of ASCII, `[a-f]` one of several, `{a,b}` one of
/// several texts. Names are matched in linear time, whatever the pattern.
///
/// ```
/// use shared::host::config::Glob;
///
/// let glob: Glob = "app-*.{img,iso}".parse().unwrap();
/// assert!(glob.matches("app-2.3.img") && !glob.matches("my-app-2.3.img") && !glob.matches("APP-2.3.img"));
/// ```
#[derive(Debug, Clone)]
pub struct Glob(GlobMatcher);

impl Glob {
    /// Limits a pattern in bytes: a name has at most 243. A longer one is an error.
    pub const BYTES_MAX: usize = 256;

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    /// Whether it is `*`, which all names match.
    pub fn is_all(&self) -> bool {
        self.as_str() == "*"
    }

    /// Whether the whole of a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Patterns are the same if they are written the same.
impl PartialEq for Glob {
    fn eq(&self, other: &Glob) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Glob {}

/// A text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadGlob(String);

impl fmt::Display for BadGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadGlob {}

impl FromStr for Glob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Glob, BadGlob> {
        if text.is_empty() || text.len() > Glob::BYTES_MAX || text.contains(char::is_control) {
            let max = Glob::BYTES_MAX;
            return Err(BadGlob(format!(
                "expected a pattern of 1 to {max} bytes, without control characters"
            )));
        }
        let glob = GlobBuilder::new(text).backslash_escape(true).build();
        let glob = glob.map_err(|error| BadGlob(format!("\"{text}\" is not a pattern: {}", error.kind())))?;
        Ok(Glob(glob.compile_matcher()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, matches) in [
            ("*", "anything at all", true),
            ("*", "", true),
            ("app-*", "app-", true),
            ("app-*", "app", false),
            ("app-?", "app-x", true),
            ("app-?", "app-é", false),
            ("app-[0-9]", "app-7", true),
            ("app-[!0-9]", "app-7", false),
            ("{os,db}-*", "db-1", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a.b", "axb", false),
            ("*.img", ".img", true),
        ] {
            assert_eq!(pattern.parse::<Glob>().unwrap().matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told_with_the_reason() {
        let told = |text: &str| text.parse::<Glob>().unwrap_err().to_string();
        assert_eq!(told(""), "expected a pattern of 1 to 256 bytes, without control characters");
        assert_eq!(told("a\n"), told(""));
        assert_eq!(told(&"a".repeat(257)), told(""));
        assert!(told("app-[").starts_with("\"app-[\" is not a pattern: "), "{}", told("app-["));
        assert!(told("{a").starts_with("\"{a\" is not a pattern: "), "{}", told("{a"));
        assert!("{a,b}".repeat(51).parse::<Glob>().is_ok(), "choices do not multiply");
    }
}
