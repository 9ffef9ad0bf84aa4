//! System errors and sizes in plain words.

use crate::chunk::CHUNK_BYTES;
use std::io;
use std::time::Duration;

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

/// A number of bytes as text: "40 MiB", "1.5 GiB".
pub fn size(bytes: u64) -> String {
    size_rounded(bytes, f64::round)
}

/// As [`size`], with what does not fit into the digits shown rounded by `round`.
pub fn size_rounded(bytes: u64, round: fn(f64) -> f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    // One decimal where it says something: "1.5", but neither "8.0" nor "10.0".
    let tenths = round(number * 10.0);
    match tenths < 100.0 && tenths % 10.0 != 0.0 {
        true => format!("{:.1} {}", tenths / 10.0, UNITS[unit]),
        false => format!("{:.0} {}", round(number), UNITS[unit]),
    }
}

/// The average rate of a transfer in bytes per second; `None` for less than a chunk or a tenth of a second, whose rate
/// says more about the beginning and the end than about the transfer.
///
/// ```
/// use shared::plain::rate_of;
/// use std::time::Duration;
///
/// assert_eq!(rate_of(10 << 20, Duration::from_secs(2)), Some(5 << 20));
/// assert_eq!(rate_of(12, Duration::from_secs(2)), None);
/// assert_eq!(rate_of(10 << 20, Duration::from_millis(40)), None);
/// ```
pub fn rate_of(bytes: u64, took: Duration) -> Option<u64> {
    let is_enough = bytes >= u64::from(CHUNK_BYTES) && took >= Duration::from_millis(100);
    is_enough.then(|| (bytes as f64 / took.as_secs_f64()) as u64)
}

/// The files that chunks of a file called `name` were taken from, as part of a sentence: "app-2.3.img and 2 other files".
/// One of the same name is the file that is replaced, or another download of it. Without `first`, most chunks were in the
/// file itself, at other positions.
///
/// ```
/// use shared::plain::reused_from;
///
/// assert_eq!(reused_from("app-2.4.img", Some("app-2.3.img"), 2), "app-2.3.img and 2 other files");
/// assert_eq!(reused_from("app.img", Some("app.img"), 0), "its older version");
/// assert_eq!(reused_from("app.img", None, 1), "other places in it and another file");
/// ```
pub fn reused_from(name: &str, first: Option<&str>, others: usize) -> String {
    let first = match first {
        Some(first) if first == name => "its older version",
        Some(first) => first,
        None => "other places in it",
    };
    match others {
        0 => first.to_owned(),
        1 => format!("{first} and another file"),
        others => format!("{first} and {others} other files"),
    }
}

/// Which files of a directory were edited: their number, which is 0 if it is not known, and the paths of the first of
/// them.
///
/// ```
/// use shared::plain::edited_files;
///
/// let first = ["bin/app".to_owned(), "etc/app.conf".to_owned()];
/// assert_eq!(edited_files(1, &first[..1]), "bin/app was edited");
/// assert_eq!(edited_files(2, &first), "bin/app and etc/app.conf were edited");
/// assert_eq!(edited_files(1200, &first), "1200 files were edited, such as bin/app and etc/app.conf");
/// assert_eq!(edited_files(0, &[]), "files in it were edited");
/// ```
pub fn edited_files(files: u64, first: &[String]) -> String {
    let names = match first {
        [] => return "files in it were edited".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    match files {
        1 => format!("{names} was edited"),
        files if files == first.len() as u64 => format!("{names} were edited"),
        files => format!("{files} files were edited, such as {names}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_a_person() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 10, "1 KiB"),
            (64 << 20, "64 MiB"),
            (3 << 19, "1.5 MiB"),
            ((8 << 20) - 1, "8 MiB"),
            ((10 << 20) - 1, "10 MiB"),
            (5 << 40, "5 TiB"),
        ];
        cases.iter().for_each(|(bytes, text)| assert_eq!(size(*bytes), *text));
    }

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
