//! Rates and limits of rates, in bytes per second.

use super::number::{BadUnit, Units, parse, split, through_text};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A rate in bytes per second, never 0. A number without a unit is an error, because many users would mean megabytes.
///
/// ```
/// use shared::host::config::Rate;
///
/// assert_eq!("100 MB/s".parse::<Rate>().unwrap().bytes_per_s(), 100_000_000);
/// assert_eq!("10 Mbit/s".parse::<Rate>().unwrap().bytes_per_s(), 1_250_000);
/// assert_eq!("500000 B/s".parse::<Rate>().unwrap().to_string(), "500 kB/s");
/// assert!("5".parse::<Rate>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(pub(super) u64);

/// A limit of a rate.
///
/// ```
/// use shared::host::config::RateLimit;
///
/// assert_eq!("none".parse::<RateLimit>(), Ok(RateLimit::None));
/// assert_eq!("0".parse::<RateLimit>(), Ok(RateLimit::Pause));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RateLimit {
    /// There is no limit.
    #[default]
    None,
    /// At most this rate.
    AtMost(Rate),
    /// 0: no transfers.
    Pause,
}

const RATES: Units = &[
    ("GiB/s", 1 << 30, 1),
    ("GB/s", 1_000_000_000, 1),
    ("MiB/s", 1 << 20, 1),
    ("MB/s", 1_000_000, 1),
    ("KiB/s", 1 << 10, 1),
    ("kB/s", 1_000, 1),
    ("KB/s", 1_000, 1),
    ("B/s", 1, 1),
    ("Gbit/s", 125_000_000, 1),
    ("Mbit/s", 125_000, 1),
    ("kbit/s", 125, 1),
    ("bit/s", 1, 8),
];

/// A number without a unit is probably meant in bytes if it has at least this many digits; below that, in megabytes.
/// The error suggests that unit.
const LIKELY_BYTES: usize = "10000".len();

const RATE: &str = "a rate such as \"100 MB/s\", \"1.5 MiB/s\" or \"10 Mbit/s\"";
pub(super) const RATE_LIMIT: &str =
    "a rate such as \"100 MB/s\", \"1.5 MiB/s\" or \"10 Mbit/s\", \"none\", or 0 to pause";

impl Rate {
    /// `None` for 0.
    pub fn new(bytes_per_s: u64) -> Option<Rate> {
        (bytes_per_s > 0).then_some(Rate(bytes_per_s))
    }

    /// The rate as a number.
    pub fn bytes_per_s(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Rate, BadUnit> {
        if let Some(why) = lacks_unit(text.trim()) {
            return Err(BadUnit { expected: "", why: why.into() });
        }
        let bytes_per_s = parse(text, RATES).map_err(|bad| bad.expecting(RATE))?;
        let why = "less than one byte per second".into();
        Rate::new(bytes_per_s).ok_or(BadUnit { expected: RATE, why })
    }
}

/// The error about a number without a unit.
fn lacks_unit(text: &str) -> Option<String> {
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.len() < 20;
    let unit = if text.len() < LIKELY_BYTES { "MB/s" } else { "B/s" };
    is_bare.then(|| format!("missing unit, as in \"{text} {unit}\""))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, unit) = in_shortest_unit(self.0);
        write!(f, "{text} {unit}")
    }
}

/// A rate above 0 as its exact number in a unit: if possible one with a number below 1000, of those the one with the shortest
/// text, and of several the largest. A number has at most three decimals, as in "12.5 MB/s".
fn in_shortest_unit(bytes_per_s: u64) -> (String, &'static str) {
    let in_unit = |&(unit, bytes, per): &(&'static str, u64, u64)| {
        let thousandths = u128::from(bytes_per_s) * 1000;
        let is_exact = per == 1 && bytes_per_s >= bytes && thousandths.is_multiple_of(u128::from(bytes));
        let thousandths = thousandths / u128::from(bytes);
        let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        is_exact.then(|| (text.trim_end_matches('0').trim_end_matches('.').to_owned(), unit))
    };
    let all = RATES.iter().filter_map(in_unit);
    let is_long = |text: &str| text.split('.').next().is_some_and(|whole| whole.len() > 3);
    all.min_by_key(|(text, unit)| (is_long(text), text.len() + unit.len()))
        .expect("bytes per second are exact")
}

impl FromStr for RateLimit {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<RateLimit, BadUnit> {
        let (number, unit) = split(text.trim());
        let is_zero = number.contains('0') && number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        match text.trim() {
            "none" => Ok(RateLimit::None),
            _ if is_zero && (unit.is_empty() || parse(text, RATES) == Ok(0)) => Ok(RateLimit::Pause),
            _ => text.parse().map(RateLimit::AtMost).map_err(|error: BadUnit| match error.expected {
                "" => error,
                _ => BadUnit { expected: RATE_LIMIT, ..error },
            }),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateLimit::AtMost(rate) => rate.fmt(f),
            RateLimit::Pause => f.write_str("0"),
            RateLimit::None => f.write_str("none"),
        }
    }
}

through_text!(Rate, RateLimit);
