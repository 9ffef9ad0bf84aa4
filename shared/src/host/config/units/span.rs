//! Spans of time.

use super::number::{BadUnit, Units, parse_sum, through_text, write_in};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time: at least a millisecond, at most ten years, so that it can be added to any clock.
///
/// ```
/// use shared::host::config::Span;
/// use std::time::Duration;
///
/// assert_eq!("500 ms".parse::<Span>().unwrap().duration(), Duration::from_millis(500));
/// assert_eq!("90".parse::<Span>().unwrap().to_string(), "90 s");
/// assert_eq!("1h30m".parse::<Span>().unwrap().to_string(), "90 min");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub(super) u64);

/// The longest span, in milliseconds: ten years. A longer one is refused, so that adding it to a time cannot overflow.
pub(super) const SPAN_MS_MAX: u64 = 10 * 365 * 24 * 3600 * 1000;

const SPANS: Units = &[
    ("d", 24 * 3_600_000, 1),
    ("h", 3_600_000, 1),
    ("min", 60_000, 1),
    ("m", 60_000, 1),
    ("s", 1_000, 1),
    ("", 1_000, 1),
    ("ms", 1, 1),
    // further ways to write them
    ("day", 24 * 3_600_000, 1),
    ("days", 24 * 3_600_000, 1),
    ("hr", 3_600_000, 1),
    ("hour", 3_600_000, 1),
    ("hours", 3_600_000, 1),
    ("minute", 60_000, 1),
    ("minutes", 60_000, 1),
    ("sec", 1_000, 1),
    ("second", 1_000, 1),
    ("seconds", 1_000, 1),
];

const SPAN: &str =
    "a duration such as \"500 ms\", \"2 s\", \"10 min\" or \"1h30m\" (a plain number is in seconds)";

impl Span {
    /// `None` for 0 and for more than ten years.
    pub const fn from_millis(millis: u64) -> Option<Span> {
        if millis == 0 || millis > SPAN_MS_MAX { None } else { Some(Span(millis)) }
    }

    /// The span as the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for Span {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Span, BadUnit> {
        let millis = parse_sum(text, SPANS).map_err(|bad| bad.expecting(SPAN))?;
        let why = if millis == 0 { "less than a millisecond" } else { "more than ten years" };
        Span::from_millis(millis).ok_or(BadUnit { expected: SPAN, why: why.into() })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, SPANS)
    }
}

through_text!(Span);

/// For how long after its end something still counts: up to 90 days, and 0 for not at all.
///
/// ```
/// use shared::host::config::Grace;
///
/// assert_eq!("30 d".parse::<Grace>().unwrap().to_string(), "30 d");
/// assert_eq!("0".parse::<Grace>().unwrap().duration().as_secs(), 0);
/// assert!("91 d".parse::<Grace>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grace(u64);

/// The longest grace, in milliseconds: 90 days. An authority forgets a certificate that ended earlier.
const GRACE_MS_MAX: u64 = 90 * 24 * 3600 * 1000;

const GRACE: &str = "a duration of at most 90 days such as \"30 d\" or \"12 h\", or 0";

impl Grace {
    /// `None` for more than 90 days.
    pub const fn from_millis(millis: u64) -> Option<Grace> {
        if millis > GRACE_MS_MAX { None } else { Some(Grace(millis)) }
    }

    /// The time as the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for Grace {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Grace, BadUnit> {
        let millis = parse_sum(text, SPANS).map_err(|bad| bad.expecting(GRACE))?;
        Grace::from_millis(millis).ok_or(BadUnit { expected: GRACE, why: "more than 90 days".into() })
    }
}

impl fmt::Display for Grace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.pad("0") } else { write_in(f, self.0, SPANS) }
    }
}

through_text!(Grace);
