//! The host names that machines report. Nothing proves them: they are shown to people, and no decision depends on them.

/// Limits the bytes of a host name, as DNS does. A tracker refuses a hello with a longer one.
pub const HOSTNAME_BYTES_MAX: usize = 253;

/// A stranger's host name, made safe for display. Every character other than letters, digits, `-`, `.` and `_` becomes
/// `?`, and everything after [`HOSTNAME_BYTES_MAX`] bytes is cut off.
///
/// ```
/// use shared::hostname::cleaned;
///
/// assert_eq!(cleaned("pc-17.lab.example"), "pc-17.lab.example");
/// assert_eq!(cleaned("pc\u{1b}[2J\u{202e}"), "pc??2J?");
/// ```
pub fn cleaned(told: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-._".contains(char);
    let mut cleaned = String::with_capacity(told.len().min(HOSTNAME_BYTES_MAX));
    for char in told.chars().map(|char| if is_plain(char) { char } else { '?' }) {
        if cleaned.len() + char.len_utf8() > HOSTNAME_BYTES_MAX {
            break;
        }
        cleaned.push(char);
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cleaned(&"n".repeat(300)).len(), HOSTNAME_BYTES_MAX);
        let cut = cleaned(&"é".repeat(200));
        assert_eq!((cut.len(), cut.chars().count()), (252, 126));
        assert_eq!(cleaned(""), "");
    }
}
