//! System errors in plain words.

use std::io;

/// The message of a system error, in lower case and without its number: "no such file or directory" instead of "No such
/// file or directory (os error 2)". A name that cannot be resolved is "name or service not known".
///
/// ```
/// use shared::plain::io_error;
///
/// assert_eq!(io_error(&std::io::Error::from_raw_os_error(111)), "connection refused");
/// ```
pub fn io_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let mut chars = text.chars();
    let is_word = chars.clone().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if is_word => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_in_lower_case_and_have_no_number() {
        let cases = [
            (io::Error::from_raw_os_error(2), "no such file or directory"),
            (io::Error::from_raw_os_error(28), "no space left on device"),
            (io::Error::from_raw_os_error(5), "input/output error"),
            (io::Error::other("larger than 1 MiB"), "larger than 1 MiB"),
            (io::Error::other("SHA-256 differs"), "SHA-256 differs"),
            (
                io::Error::other("failed to lookup address information: Name or service not known"),
                "name or service not known",
            ),
            (io::Error::other(""), ""),
        ];
        for (error, text) in cases {
            assert_eq!(io_error(&error), text);
        }
    }
}
