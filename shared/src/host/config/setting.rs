//! Conversion of values from and to TOML: words, numbers, paths and lists.

use super::{
    ByteSize, CongestionControl, Day, Dscp, FileMode, Glob, Grace, GroupName, HostPort, ListenAddr, Network,
    RateLimit, ReuseScope, Span, TimeOfDay, TrustKey, WatchMode, Who, Zone,
};
use crate::host::logging::{LogFilter, LogFormat};
use crate::tls_mode::TlsMode;
use crate::url::TrackerUrl;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::de::DeValue;

/// A value that a key may have, as it is read from TOML and shown as a default.
pub(super) trait Setting: Sized {
    fn read(value: &DeValue<'_>) -> Result<Self, String>;
    fn write(&self) -> String;
}

/// A type that is written as one word or number.
trait Word: FromStr<Err: Display> + Display {
    /// What is expected, for the error about a value of another type.
    const KIND: &str;
    /// Whether a number without quotes is accepted too.
    const BARE: bool = true;
}

macro_rules! words {
    ($($type:ty: $kind:literal $(, bare: $bare:literal)?;)+) => {$(
        impl Word for $type {
            const KIND: &str = $kind;
            $(const BARE: bool = $bare;)?
        }

        impl Setting for $type {
            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                read_word(value)
            }

            fn write(&self) -> String {
                quote(&self.to_string())
            }
        }

        impl Setting for Option<$type> {
            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                if value.as_str() == Some("") { Ok(None) } else { read_word(value).map(Some) }
            }

            fn write(&self) -> String {
                self.as_ref().map_or_else(|| quote(""), Setting::write)
            }
        }
    )+};
}

words! {
    RateLimit: "a rate in quotes, such as \"100 MB/s\", \"none\", or 0";
    ByteSize: "a size in quotes, such as \"64 MiB\"";
    Span: "a duration in quotes, such as \"2 s\"";
    Grace: "a duration in quotes, such as \"30 d\", or 0";
    TimeOfDay: "a time of day in quotes, such as \"08:00\"", bare: false;
    Day: "a day in quotes, such as \"mon\"", bare: false;
    FileMode: "octal digits in quotes, such as \"0644\"", bare: false;
    ListenAddr: "an address and a port in quotes, or a port";
    Zone: "a name in quotes", bare: false;
    ReuseScope: "\"all\", \"same-name\" or \"none\"", bare: false;
    Dscp: "a number from 0 to 63, or a name in quotes, such as \"le\"";
    CongestionControl: "a name in quotes, such as \"cubic\"", bare: false;
    GroupName: "the name or the number of a group";
    LogFilter: "a level in quotes, such as \"info\"", bare: false;
    LogFormat: "\"auto\", \"text\" or \"json\"", bare: false;
    TlsMode: "\"off\", \"prefer\" or \"require\"", bare: false;
    Glob: "a pattern of names in quotes, such as \"app-*\"", bare: false;
    Network: "a network in quotes, such as \"10.0.0.0/8\"", bare: false;
    HostPort: "a host in quotes, with or without a port", bare: false;
    TrustKey: "the path of a public key in quotes, or the key itself", bare: false;
    Who: "whom a rule is about, in quotes, such as \"group:build\"", bare: false;
    TrackerUrl: "a tracker's address in quotes, such as \"tt://tracker.example:7986\"", bare: false;
}

fn read_word<T: Word>(value: &DeValue<'_>) -> Result<T, String> {
    match value {
        DeValue::String(text) => text.parse().map_err(|error: T::Err| error.to_string()),
        DeValue::Integer(number) if T::BARE && number.radix() == 10 => {
            number.as_str().parse().map_err(|error: T::Err| error.to_string())
        }
        other => Err(format!("expected {}, not {}", T::KIND, kind(other))),
    }
}

impl Setting for NonZeroU32 {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let DeValue::Integer(number) = value else {
            return Err(format!("expected a number from 1 to {}, not {}", u32::MAX, kind(value)));
        };
        u32::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(NonZeroU32::new)
            .ok_or_else(|| format!("expected a number from 1 to {}", u32::MAX))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Setting for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Boolean(value) => Ok(*value),
            other => Err(format!("expected true or false, not {}", kind(other))),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Setting for WatchMode {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Boolean(false) => Ok(WatchMode::Off),
            DeValue::Boolean(true) => Ok(WatchMode::Events),
            DeValue::String(text) if text == "scan" => Ok(WatchMode::Scan),
            DeValue::String(_) => Err("expected true, false or \"scan\"".to_owned()),
            other => Err(format!("expected true, false or \"scan\", not {}", kind(other))),
        }
    }

    fn write(&self) -> String {
        match self {
            WatchMode::Off => "false".to_owned(),
            WatchMode::Events => "true".to_owned(),
            WatchMode::Scan => quote("scan"),
        }
    }
}

impl Setting for Option<PathBuf> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) if text.is_empty() => Ok(None),
            DeValue::String(text) if text.contains('\0') => {
                Err("a path cannot contain a NUL byte".to_owned())
            }
            // A relative path would be ambiguous: a service's working directory is not the directory of its config
            // file.
            DeValue::String(text) if !text.starts_with('/') => Err("expected an absolute path".to_owned()),
            DeValue::String(text) => Ok(Some(PathBuf::from(text.as_ref()))),
            other => Err(format!("expected an absolute path in quotes, not {}", kind(other))),
        }
    }

    fn write(&self) -> String {
        quote(&self.as_deref().unwrap_or(Path::new("")).display().to_string())
    }
}

impl<T: Word> Setting for Vec<T> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let DeValue::Array(values) = value else {
            return Err(format!("expected a list in brackets, [\"…\", \"…\"], not {}", kind(value)));
        };
        values.iter().map(|value| read_word(value.get_ref())).collect()
    }

    fn write(&self) -> String {
        let words: Vec<String> = self.iter().map(|word| quote(&word.to_string())).collect();
        format!("[{}]", words.join(", "))
    }
}

fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
