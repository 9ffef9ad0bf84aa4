//! A number with a unit, as people write it: read exactly, and written in the largest unit that fits.

use std::borrow::Cow;
use std::fmt;

/// A text that is not what a unit's type takes. It says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnit {
    /// Empty when the reason says all there is to say.
    pub(super) expected: &'static str,
    pub(super) why: Cow<'static, str>,
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

/// Units and what one of them is, as a fraction. The first that divides a value without a rest is the one it
/// is written with.
pub(super) type Units = &'static [(&'static str, u64, u64)];

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
pub(super) use through_text;

/// Reads `NUMBER UNIT`, the number with or without a fraction, exactly: no floating point is involved, so
/// there is no NaN, and what does not fit is told. A rest below one base unit is cut off.
pub(super) fn parse(text: &str, units: Units) -> Result<u64, &'static str> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("it must not be negative");
    }
    let (number, unit) = split(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err("it must begin with a number");
    }
    let &(_, times, per) = units.iter().find(|(name, ..)| *name == unit).ok_or("unknown unit")?;

    if fraction.len() > 9 {
        return Err("more than nine digits after the decimal point");
    }
    let tenths = 10_u128.pow(fraction.len() as u32);
    let whole: u64 = whole.parse().map_err(|_| "too large")?;
    let fraction: u128 = fraction.parse().map_err(|_| "too large")?;
    let value = (u128::from(whole) * tenths + fraction) * u128::from(times) / (tenths * u128::from(per));
    u64::try_from(value).map_err(|_| "too large")
}

pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

pub(super) fn write_in(f: &mut fmt::Formatter<'_>, value: u64, units: Units) -> fmt::Result {
    // A 0 is divided by every unit: it is best written with the smallest.
    let fits = |(name, times, per): &&(&str, u64, u64)| {
        !name.is_empty() && *per == 1 && value.is_multiple_of(*times) && (value > 0 || *times == 1)
    };
    let (name, times, _) = units.iter().find(fits).expect("the smallest unit divides every value");
    write!(f, "{} {name}", value / times)
}
