//! Numbers as people write them: rates, sizes, spans of time, file modes. Each is read from a text and writes
//! itself as a text that reads the same.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A text that is not what a unit's type takes. It says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnit {
    /// Empty when the reason says all there is to say.
    expected: &'static str,
    why: Cow<'static, str>,
}

impl fmt::Display for BadUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.why, self.expected) {
            ("", expected) => write!(f, "expected {expected}"),
            (why, "") => f.write_str(why),
            (why, expected) => write!(f, "{why}; expected {expected}"),
        }
    }
}

impl std::error::Error for BadUnit {}

/// Bytes per second, never 0. A number without a unit is refused: half of those who write one mean megabytes.
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
pub struct Rate(u64);

/// What a rate may be at most.
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
    /// This rate.
    AtMost(Rate),
    /// 0: nothing moves.
    Pause,
}

/// A number of bytes.
///
/// ```
/// use shared::host::config::ByteSize;
///
/// assert_eq!("64 MiB".parse::<ByteSize>().unwrap().bytes(), 64 << 20);
/// assert_eq!("1.5 kB".parse::<ByteSize>().unwrap().to_string(), "1500 B");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

/// A span of time: at least a millisecond, at most ten years, so that it can be added to any clock.
///
/// ```
/// use shared::host::config::Span;
/// use std::time::Duration;
///
/// assert_eq!("500 ms".parse::<Span>().unwrap().duration(), Duration::from_millis(500));
/// assert_eq!("90".parse::<Span>().unwrap().to_string(), "90 s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// The permissions of a file, in octal digits.
///
/// ```
/// use shared::host::config::FileMode;
///
/// assert_eq!("0640".parse::<FileMode>().unwrap().bits(), 0o640);
/// assert!("rw-r--r--".parse::<FileMode>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileMode(u32);

const SPAN_MS_MAX: u64 = 10 * 365 * 24 * 3600 * 1000;

/// Units and what one of them is, as a fraction. The first that divides a value without a rest is the one it
/// is written with.
type Units = &'static [(&'static str, u64, u64)];

const SIZES: Units = &[
    ("TiB", 1 << 40, 1),
    ("TB", 1_000_000_000_000, 1),
    ("GiB", 1 << 30, 1),
    ("GB", 1_000_000_000, 1),
    ("MiB", 1 << 20, 1),
    ("MB", 1_000_000, 1),
    ("KiB", 1 << 10, 1),
    ("kB", 1_000, 1),
    ("KB", 1_000, 1),
    ("B", 1, 1),
    ("", 1, 1),
];

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

/// A plain number from here on is likely meant in bytes.
const LIKELY_BYTES: usize = "10000".len();

const SPANS: Units = &[
    ("d", 24 * 3_600_000, 1),
    ("h", 3_600_000, 1),
    ("min", 60_000, 1),
    ("m", 60_000, 1),
    ("s", 1_000, 1),
    ("", 1_000, 1),
    ("ms", 1, 1),
];

const RATE: &str = "a rate such as \"100 MB/s\", \"1.5 MiB/s\" or \"10 Mbit/s\"";
const RATE_LIMIT: &str =
    "a rate such as \"100 MB/s\", \"1.5 MiB/s\" or \"10 Mbit/s\", \"none\", or 0 to pause";
const SIZE: &str = "a size such as \"64 MiB\", \"1.5 GB\" or a number of bytes";
const SPAN: &str =
    "a span of time such as \"500 ms\", \"2 s\", \"10 min\" or \"1 h\" (a plain number is in seconds)";
const MODE: &str = "permissions as octal digits in quotes, from \"0000\" to \"0777\", such as \"0644\"";

impl Rate {
    /// `None` for 0, at which nothing would ever arrive.
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
        let bytes_per_s = parse(text, RATES).map_err(|why| BadUnit { expected: RATE, why: why.into() })?;
        let why = "it is less than one byte per second".into();
        Rate::new(bytes_per_s).ok_or(BadUnit { expected: RATE, why })
    }
}

/// What to say of a number without a unit.
fn lacks_unit(text: &str) -> Option<String> {
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.len() < 20;
    let unit = if text.len() < LIKELY_BYTES { "MB/s" } else { "B/s" };
    is_bare.then(|| format!("{text} what? it needs a unit, as in \"{text} {unit}\""))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, RATES)
    }
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

impl ByteSize {
    /// So many bytes.
    pub const fn new(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    /// The size as a number.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<ByteSize, BadUnit> {
        parse(text, SIZES).map(ByteSize).map_err(|why| BadUnit { expected: SIZE, why: why.into() })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, SIZES)
    }
}

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
        let millis = parse(text, SPANS).map_err(|why| BadUnit { expected: SPAN, why: why.into() })?;
        let why = if millis == 0 { "it is less than a millisecond" } else { "it is more than ten years" };
        Span::from_millis(millis).ok_or(BadUnit { expected: SPAN, why: why.into() })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, SPANS)
    }
}

impl FileMode {
    /// `None` for bits other than read, write and execute.
    pub const fn new(bits: u32) -> Option<FileMode> {
        if bits > 0o777 { None } else { Some(FileMode(bits)) }
    }

    /// The mode as chmod takes it.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<FileMode, BadUnit> {
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let bits = if is_octal { u32::from_str_radix(text, 8).ok() } else { None };
        bits.and_then(FileMode::new).ok_or(BadUnit { expected: MODE, why: "".into() })
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

macro_rules! through_text {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = BadUnit;

            fn try_from(text: String) -> Result<Self, BadUnit> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )+};
}

through_text!(Rate, RateLimit, ByteSize, Span, FileMode);

/// Reads `NUMBER UNIT`, the number with or without a fraction, exactly: no floating point is involved, so
/// there is no NaN, and what does not fit is told. A rest below one base unit is cut off.
fn parse(text: &str, units: Units) -> Result<u64, &'static str> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("it is negative");
    }
    let (number, unit) = split(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err("it does not begin with a number");
    }
    let &(_, times, per) = units.iter().find(|(name, ..)| *name == unit).ok_or("its unit is not known")?;

    if fraction.len() > 9 {
        return Err("it has more than nine digits after the point");
    }
    let tenths = 10_u128.pow(fraction.len() as u32);
    let whole: u64 = whole.parse().map_err(|_| "it is too large")?;
    let fraction: u128 = fraction.parse().map_err(|_| "it is too large")?;
    let value = (u128::from(whole) * tenths + fraction) * u128::from(times) / (tenths * u128::from(per));
    u64::try_from(value).map_err(|_| "it is too large")
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn write_in(f: &mut fmt::Formatter<'_>, value: u64, units: Units) -> fmt::Result {
    // A 0 is divided by every unit: it is best written with the smallest.
    let fits = |(name, times, per): &&(&str, u64, u64)| {
        !name.is_empty() && *per == 1 && value.is_multiple_of(*times) && (value > 0 || *times == 1)
    };
    let (name, times, _) = units.iter().find(fits).expect("the smallest unit divides every value");
    write!(f, "{} {name}", value / times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Debug;

    fn reads<T: FromStr<Err = BadUnit> + Debug + PartialEq>(text: &str, value: T) {
        assert_eq!(text.parse::<T>(), Ok(value), "{text:?}");
    }

    #[test]
    fn people_write_units_in_many_ways() {
        reads("100 MB/s", Rate(100_000_000));
        reads("100MB/s", Rate(100_000_000));
        reads(" 1.5 MiB/s ", Rate(3 << 19));
        reads("10 Mbit/s", Rate(1_250_000));
        reads("800 kbit/s", Rate(100_000));
        reads("0.5 GB/s", Rate(500_000_000));
        reads("9 bit/s", Rate(1));
        reads("none", RateLimit::None);
        reads("1 B/s", RateLimit::AtMost(Rate(1)));
        for zero in ["0", " 0 ", "0.0", "0 MB/s", "0.00 kbit/s"] {
            reads(zero, RateLimit::Pause);
        }
        reads("64 MiB", ByteSize(64 << 20));
        reads("0", ByteSize(0));
        reads("18446744073709551615 B", ByteSize(u64::MAX));
        reads("2 s", Span(2_000));
        reads("1.5 h", Span(5_400_000));
        reads("90", Span(90_000));
        reads("5 min", Span(300_000));
        reads("0644", FileMode(0o644));
        reads("777", FileMode(0o777));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad_rates = [
            "",
            " ",
            "-1 MB/s",
            "+1 MB/s",
            "NaN",
            "inf MB/s",
            "1e9",
            ".5 MB/s",
            "5. MB/s",
            "1.2.3 MB/s",
            "0",
            "0 MB/s",
            "5",
            "500000",
            "1.5",
            "7 bit/s",
            "100 MB",
            "100 mb/s",
            "100 Mb/s",
            "MB/s",
            "18446744073709551616",
            "99999999999999999999999999 GB/s",
            "18446744073 GiB/s",
            "0.0000000001 GB/s",
            "１ MB/s",
            "none",
        ];
        for text in bad_rates {
            assert!(text.parse::<Rate>().is_err(), "{text:?}");
        }
        for text in ["", "unlimited", "5", "-1", "0 MB", "0.1 B/s", "."] {
            assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
        }
        for text in ["", "1 parsec", "17 TiBs", "-0", "17179869184 GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?}");
        }
        for text in ["", "0", "0.0001 s", "4000 d", "2 weeks", "1h30m", "forever"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
        for text in ["", "8", "0888", "rw-", "01000", "1777", "-644", "0o644"] {
            assert!(text.parse::<FileMode>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let error = "fast".parse::<RateLimit>().unwrap_err().to_string();
        assert_eq!(error, format!("it does not begin with a number; expected {RATE_LIMIT}"));
        let error = |text: &str| text.parse::<RateLimit>().unwrap_err().to_string();
        assert_eq!(error("5"), "5 what? it needs a unit, as in \"5 MB/s\"");
        assert_eq!(error("500000"), "500000 what? it needs a unit, as in \"500000 B/s\"");
        assert_eq!("8".parse::<FileMode>().unwrap_err().to_string(), format!("expected {MODE}"));
    }

    #[test]
    fn values_are_written_in_the_largest_unit_that_fits() {
        let written = [
            (ByteSize(0).to_string(), "0 B"),
            (ByteSize(64 << 20).to_string(), "64 MiB"),
            (ByteSize(1_500_000).to_string(), "1500 kB"),
            (Rate(1_250_000).to_string(), "1250 kB/s"),
            (Rate(u64::MAX).to_string(), "18446744073709551615 B/s"),
            (RateLimit::None.to_string(), "none"),
            (RateLimit::Pause.to_string(), "0"),
            (Span(3_600_000).to_string(), "1 h"),
            (Span(1_500).to_string(), "1500 ms"),
            (FileMode(0o7).to_string(), "0007"),
        ];
        for (text, expected) in written {
            assert_eq!(text, expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(n in any::<u64>(), scale in 0_u32..40, mode in 0_u32..=0o777) {
            let n = n >> scale;
            reads(&ByteSize(n).to_string(), ByteSize(n));
            if let Some(rate) = Rate::new(n) {
                reads(&rate.to_string(), rate);
            }
            if let Some(span) = Span::from_millis(n % (SPAN_MS_MAX + 1)) {
                reads(&span.to_string(), span);
            }
            reads(&FileMode(mode).to_string(), FileMode(mode));
        }

        #[test]
        fn no_text_makes_a_panic(text in ".*") {
            let _ = text.parse::<RateLimit>();
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<Span>();
            let _ = text.parse::<FileMode>();
        }

        #[test]
        fn no_number_makes_a_panic(text in "-?[0-9]{0,30}\\.?[0-9]{0,12} ?[kMGT]?i?(B|bit|s|h|d)?(/s)?") {
            let _ = text.parse::<RateLimit>();
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<Span>();
        }
    }
}
