//! A number with a unit: parsed exactly, and written in the largest unit that fits.

use std::borrow::Cow;
use std::fmt;

/// A text that a unit's type does not accept. The error says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnit {
    /// Empty if `why` is sufficient.
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

/// Units, each with its value as a fraction (numerator, denominator). A value is written in the first unit that divides
/// it.
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

/// Why a text is no number with a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// What is wrong with it. The error adds what was expected.
    Wrong(&'static str),
    /// The correct spelling. The error adds nothing.
    Misspelt(String),
}

impl BadNumber {
    /// The error for a person, with what was expected.
    pub(super) fn expecting(self, expected: &'static str) -> BadUnit {
        match self {
            BadNumber::Wrong(why) => BadUnit { expected, why: why.into() },
            BadNumber::Misspelt(why) => BadUnit { expected: "", why: why.into() },
        }
    }
}

impl From<&'static str> for BadNumber {
    fn from(why: &'static str) -> BadNumber {
        BadNumber::Wrong(why)
    }
}

/// Reads one or more `NUMBER UNIT`, with or without blanks between them, and adds them up: "1h30m". Only the unit of
/// a number that stands alone may be left out.
pub(super) fn parse_sum(text: &str, units: Units) -> Result<u64, BadNumber> {
    let mut rest = text.trim();
    let mut sum = 0u64;
    let mut is_first = true;
    loop {
        let (number, after) = split(rest);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = after[..end].trim_end();
        let one = &rest[..rest.len() - after.len() + unit.len()];
        rest = after[end..].trim_start();
        let is_only = is_first && rest.is_empty();
        if unit.is_empty() && !number.is_empty() && !is_only {
            return Err(BadNumber::Misspelt(format!("\"{number}\" has no unit, as in \"{number} min\"")));
        }
        sum = sum.checked_add(parse(one, units)?).ok_or("too large")?;
        if rest.is_empty() {
            return Ok(sum);
        }
        is_first = false;
    }
}

/// Parses `NUMBER UNIT`, where the number may have a fraction. No floating point is used, so the result is exact and
/// overflow is reported. A remainder below one base unit is cut off.
pub(super) fn parse(text: &str, units: Units) -> Result<u64, BadNumber> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("it must not be negative".into());
    }
    let (number, unit) = split(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err("it must begin with a number".into());
    }
    let known = units.iter().find(|(name, ..)| *name == unit);
    let &(_, times, per) = known.ok_or_else(|| unknown_unit(number, unit, units))?;

    if fraction.len() > 9 {
        return Err("more than nine digits after the decimal point".into());
    }
    let tenths = 10_u128.pow(fraction.len() as u32);
    let whole: u64 = whole.parse().map_err(|_| "too large")?;
    let fraction: u128 = fraction.parse().map_err(|_| "too large")?;
    let value = (u128::from(whole) * tenths + fraction) * u128::from(times) / (tenths * u128::from(per));
    u64::try_from(value).map_err(|_| "too large".into())
}

/// Names the units that are likely meant by one that is not known.
fn unknown_unit(number: &str, unit: &str, units: Units) -> BadNumber {
    let likely: Vec<String> =
        likely_units(unit, units).iter().map(|name| format!("\"{number} {name}\"")).collect();
    match likely.is_empty() {
        true => BadNumber::Wrong("unknown unit"),
        false => BadNumber::Misspelt(format!("unknown unit \"{unit}\": write {}", likely.join(" or "))),
    }
}

/// The units that are written alike: in other letters, without "/s", with "ps" instead of it, or by their first letter
/// alone. A small b may be a bit.
fn likely_units(unit: &str, units: Units) -> Vec<&'static str> {
    let stem = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["/s", "ps", "/sec"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(&text).to_owned()
    };
    let meant = stem(unit);
    let may_be_bits = meant.ends_with('b') && unit.contains('b');
    let is_alike = |name: &str| {
        let (is, bits) = (stem(name), format!("{meant}it"));
        let is_prefix = meant.len() == 1 && is.len() > 1 && "kmgt".contains(&meant) && is.starts_with(&meant);
        !is.is_empty() && (is == meant || may_be_bits && is == bits || is_prefix)
    };
    let mut likely: Vec<&'static str> =
        units.iter().map(|(name, ..)| *name).filter(|name| is_alike(name)).collect();
    likely.retain(|name| !name.starts_with("KB")); // kB is the same
    likely
}

pub(super) fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

pub(super) fn write_in(f: &mut fmt::Formatter<'_>, value: u64, units: Units) -> fmt::Result {
    // Every unit divides 0, which is written with the smallest one.
    let fits = |(name, times, per): &&(&str, u64, u64)| {
        !name.is_empty() && *per == 1 && value.is_multiple_of(*times) && (value > 0 || *times == 1)
    };
    let (name, times, _) = units.iter().find(fits).expect("the smallest unit divides every value");
    write!(f, "{} {name}", value / times)
}
