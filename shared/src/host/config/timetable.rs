//! Times of day and days of the week, which limits at certain hours (`[[limit]]`) are about.

use super::values::BadValue;
use std::fmt;
use std::str::FromStr;

/// A time of day, to the minute.
///
/// ```
/// use shared::host::config::TimeOfDay;
///
/// assert_eq!("8:05".parse::<TimeOfDay>().unwrap().minutes(), 8 * 60 + 5);
/// assert_eq!("24:00".parse::<TimeOfDay>().unwrap().to_string(), "24:00");
/// assert!("24:01".parse::<TimeOfDay>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The minutes of a day.
    pub const DAY: u16 = 24 * 60;

    /// `None` for more minutes than a day has.
    pub const fn from_minutes(minutes: u16) -> Option<TimeOfDay> {
        if minutes > TimeOfDay::DAY { None } else { Some(TimeOfDay(minutes)) }
    }

    /// Minutes since midnight, at most [`TimeOfDay::DAY`].
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<TimeOfDay, BadValue> {
        let number = |digits: &str, most: u16| {
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|number| is_number && digits.len() <= 2 && *number <= most)
        };
        let time = text.split_once(':').and_then(|(hour, minute)| {
            let minute = Some(minute).filter(|minute| minute.len() == 2)?;
            TimeOfDay::from_minutes(number(hour, 24)? * 60 + number(minute, 59)?)
        });
        time.ok_or(BadValue("a time of day from \"00:00\" to \"24:00\""))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Day {
    /// "mon"
    Monday,
    /// "tue"
    Tuesday,
    /// "wed"
    Wednesday,
    /// "thu"
    Thursday,
    /// "fri"
    Friday,
    /// "sat"
    Saturday,
    /// "sun"
    Sunday,
}

impl Day {
    /// The week, from Monday on.
    pub const ALL: [Day; 7] =
        [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday];

    fn as_str(self) -> &'static str {
        match self {
            Day::Monday => "mon",
            Day::Tuesday => "tue",
            Day::Wednesday => "wed",
            Day::Thursday => "thu",
            Day::Friday => "fri",
            Day::Saturday => "sat",
            Day::Sunday => "sun",
        }
    }
}

impl FromStr for Day {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Day, BadValue> {
        let day = Day::ALL.into_iter().find(|day| day.as_str().eq_ignore_ascii_case(text));
        day.ok_or(BadValue("\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" or \"sun\""))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::config::{DaemonConfig, Files, RateLimit};

    #[test]
    fn times_and_days_are_written_as_read() {
        for text in ["00:00", "08:05", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for bad in
            ["", "8", "08", ":00", "8:", "8:5", "08:60", "24:01", "25:00", "+8:00", "8:+5", "008:00", "8:00 "]
        {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad:?}");
        }
        for day in Day::ALL {
            assert_eq!(day.to_string().parse(), Ok(day));
            assert_eq!(day.to_string().to_uppercase().parse(), Ok(day));
        }
        assert!("monday".parse::<Day>().is_err() && "".parse::<Day>().is_err());
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let read = |text: &str| DaemonConfig::of(&Files::of_texts([("a", text)]));
        let good = "[[limit]]\nfrom = \"22:00\"\nto = \"6:00\"\ndays = [\"fri\"]\nupload = 0\n[[limit]]\n\
                    from = \"08:00\"\nto = \"18:00\"\ndownload = \"none\"\n";
        let rules = read(good).unwrap().limit;
        assert_eq!((rules.len(), rules[0].upload, rules[0].download), (2, Some(RateLimit::Pause), None));
        assert_eq!((rules[1].download, rules[1].days.len()), (Some(RateLimit::None), 0));
        for (text, expected) in [
            ("[[limit]]\nfrom = \"08:00\"\n", "a:1: [[limit]] needs the key \"to\""),
            (
                "[[limit]]\nfrom = 8\nto = \"18:00\"\n",
                "a:2: limit.from: expected a time of day in quotes, such as \"08:00\", not an integer",
            ),
            (
                "[[limit]]\nfrom = 08:00:00\nto = \"18:00\"\n",
                "a:2: limit.from: expected a time of day in quotes",
            ),
            ("[[limit]]\nto = \"18:60\"\nfrom = \"1:00\"\n", "a:2: limit.to: expected a time of day from "),
            (
                "[[limit]]\nfrom = \"1:00\"\nto = \"2:00\"\ndays = [\"monday\"]\n",
                "a:4: limit.days: expected \"mon\", ",
            ),
            ("[[limit]]\nfrom = \"1:00\"\nto = \"2:00\"\nupload = 5\n", "a:4: limit.upload: missing unit"),
            (
                "[limit]\nupload = \"5 MB/s\"\n",
                "a:1: limit: expected tables, each of which begins with [[limit]]",
            ),
        ] {
            let error = read(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
