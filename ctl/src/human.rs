//! Formats numbers and texts for people.

use shared::id::ResourceId;
use shared::identity::NodeName;
use shared::plain;
use std::fmt::Write;
use std::time::Duration;

/// What a machine is called: the node in its certificate, else the host name that it reports, if there is one.
pub(crate) fn machine(node: Option<&NodeName>, host: &str) -> Option<String> {
    let reported = Some(host.to_owned()).filter(|host| !host.is_empty());
    node.map(ToString::to_string).or(reported)
}

/// A size: "17 B", "1.5 MiB", "640 GiB".
///
/// ```
/// use ctl::human::bytes;
///
/// assert_eq!(bytes(0), "0 B");
/// assert_eq!(bytes(1536 << 10), "1.5 MiB");
/// assert_eq!(bytes((1 << 30) - 1), "1.0 GiB");
/// ```
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be shown as 1024 is shown as 1.0 of the next unit.
    while amount >= 1023.5 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    // At most three significant digits.
    if amount < 9.95 {
        format!("{amount:.1} {}", UNITS[unit])
    } else {
        format!("{amount:.0} {}", UNITS[unit])
    }
}

/// A size that may not be known: "1.5 MiB", or "≤ 2.0 MiB" when only a bound is.
pub fn size(known: Option<u64>, most: u64) -> String {
    known.map_or_else(|| format!("≤ {}", bytes(most)), bytes)
}

/// A rate: "1.5 MiB/s".
pub fn rate(bytes_per_s: u64) -> String {
    format!("{}/s", bytes(bytes_per_s))
}

/// The average rate of a transfer; `None` where [`plain::rate_of`] finds it too small or too short to have one.
///
/// ```
/// use ctl::human::rate_of;
/// use std::time::Duration;
///
/// assert_eq!(rate_of(10 << 20, Duration::from_secs(2)).as_deref(), Some("5.0 MiB/s"));
/// assert_eq!(rate_of(12, Duration::from_secs(2)), None);
/// assert_eq!(rate_of(10 << 20, Duration::from_millis(40)), None);
/// ```
pub fn rate_of(bytes: u64, took: Duration) -> Option<String> {
    plain::rate_of(bytes, took).map(rate)
}

/// A span of time: "42 ms", "0.4 s", "7 s", "2 min 05 s", "3 h 20 min", "2 d 4 h".
///
/// ```
/// use ctl::human::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration(Duration::from_millis(42)), "42 ms");
/// assert_eq!(duration(Duration::from_millis(420)), "0.4 s");
/// assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
/// assert_eq!(duration(Duration::from_secs(100_000)), "1 d 3 h");
/// ```
pub fn duration(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0 if (1..100).contains(&duration.subsec_millis()) => format!("{} ms", duration.subsec_millis()),
        0..10 if duration.subsec_millis() != 0 => format!("{:.1} s", duration.as_secs_f64()),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// The percentage that is done; "100 %" only if all of it is.
///
/// ```
/// use ctl::human::percent;
///
/// assert_eq!((percent(999, 1000), percent(0, 0)), ("99 %".into(), "100 %".into()));
/// ```
pub fn percent(done: u64, total: u64) -> String {
    let percent = if total == 0 { 100 } else { u128::from(done.min(total)) * 100 / u128::from(total) };
    format!("{percent} %")
}

/// A number with a noun in the singular or the plural: "1 chunk", "2 chunks".
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The first digits of an id: "4c47b3e8…".
pub fn short(resource: ResourceId) -> String {
    let mut id = resource.to_string();
    id.truncate(8);
    id + "…"
}

/// Makes a text that may come from a stranger safe for a terminal. Control characters are escaped, and so are
/// characters that change the direction of writing, which could make one name look like another.
///
/// ```
/// use ctl::human::clean;
///
/// assert_eq!(clean("plain\u{1b}[2J"), "plain\\u{1b}[2J");
/// ```
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for char in text.chars() {
        let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || turns {
            let _ = write!(clean, "{}", char.escape_default()); // a String takes everything
        } else {
            clean.push(char);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_the_writing_is_shown() {
        assert_eq!(clean("a\u{202e}gpj.exe"), "a\\u{202e}gpj.exe");
        assert_eq!(clean("\u{61c}\u{200f}\u{2067}\u{9b}"), "\\u{61c}\\u{200f}\\u{2067}\\u{9b}");
        assert_eq!(clean("模型 été"), "模型 été");
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        let cases = [
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10 << 10, "10 KiB"),
            (1023 << 10, "1023 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (4 << 40, "4.0 TiB"),
            (u64::MAX, "16384 PiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let cases =
            [(0, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min")];
        for (s, text) in cases {
            assert_eq!(duration(Duration::from_secs(s)), text);
        }
    }
}
