//! Config files: TOML whose mistakes are told with file, line and key, and the example files, which are made
//! of the same list of keys.

use super::{ByteSize, CongestionControl, FileMode, GroupName, ListenAddr, RateLimit, Span, Zone};
use crate::host::logging::{LogFilter, LogFormat};
use crate::url::TrackerUrl;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a config file was not taken. Each says which file, and where in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the config file: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such key.
    #[error("{}:{line}: unknown key \"{key}\"; {}", path.display(), did_you_mean(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key as it is written.
        key: String,
        /// The key that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A key has a value that it does not take.
    #[error("{}:{line}: {key}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What is wrong, and what was expected.
        message: String,
    },
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(key) => format!("did you mean \"{key}\"?"),
        None => "the file that comes with TinyTorrent shows every key".to_owned(),
    }
}

/// A key of a config file, for those who list them.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The lines of its description.
    pub description: &'static [&'static str],
}

/// Declares a config file: a struct with a default for each key, and how it is read and written.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $($(#[doc = $key_doc:literal])+ pub $key:ident: $type:ty = $default:expr,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $key_doc])+ pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($key: $default,)+ }
            }
        }

        impl $name {
            /// All keys, in the order of the example file.
            pub const KEYS: &[$crate::host::config::Key] = &[
                $($crate::host::config::Key { name: stringify!($key), description: &[$($key_doc),+] },)+
            ];

            /// Reads a config file, which must be there.
            pub fn load(path: &std::path::Path) -> Result<Self, $crate::host::config::ConfigError> {
                Self::parse(&$crate::host::config::file::read(path)?, path)
            }

            /// Reads a config file; if there is none, everything is as by default.
            pub fn load_or_default(path: &std::path::Path) -> Result<Self, $crate::host::config::ConfigError> {
                match Self::load(path) {
                    Err($crate::host::config::ConfigError::Read { source, .. })
                        if source.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
                    result => result,
                }
            }

            /// Reads a config file's text. The path is for the errors.
            pub fn parse(
                text: &str,
                path: &std::path::Path,
            ) -> Result<Self, $crate::host::config::ConfigError> {
                let source = $crate::host::config::file::Source { text, path };
                let mut config = Self::default();
                for (key, value) in source.table()?.get_ref() {
                    match key.get_ref().as_ref() {
                        $(stringify!($key) => config.$key = source.value(stringify!($key), value)?,)+
                        _ => return Err(source.unknown(key, Self::KEYS)),
                    }
                }
                Ok(config)
            }

            /// The keys that have another value there, in the order of the example file.
            pub fn changed(&self, other: &Self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(
                    if self.$key != other.$key {
                        keys.push(stringify!($key));
                    }
                )+
                keys
            }

            /// A config file's text that shows every key with its description and its default, commented out.
            pub fn example() -> String {
                let default = Self::default();
                let mut text = String::new();
                $(
                    $(text += &format!("\n#{}", $key_doc);)+
                    let value = $crate::host::config::file::Setting::write(&default.$key);
                    text += &format!("\n#{} = {value}\n", stringify!($key));
                )+
                text
            }
        }
    };
}
pub(super) use settings;

/// Where a key is set, as `FILE:LINE`; the file alone if it cannot be read, or does not have it.
pub fn place_of(path: &Path, key: &str) -> String {
    let line = read(path).ok().and_then(|text| {
        let source = Source { text: &text, path };
        let table = source.table().ok()?;
        let (found, _) = table.get_ref().iter().find(|(found, _)| found.get_ref() == key)?;
        Some(source.line(found.span().start))
    });
    line.map_or_else(|| path.display().to_string(), |line| format!("{}:{line}", path.display()))
}

/// The largest config file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let read = || {
        if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other("it is larger than 1 MiB"));
        }
        std::fs::read_to_string(path)
    };
    read().map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// A config file's text, and where it is from.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl<'a> Source<'a> {
    pub(super) fn table(&self) -> Result<Spanned<DeTable<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            path: self.path.to_owned(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        })
    }

    pub(super) fn value<T: Setting>(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<T, ConfigError> {
        let line = self.line(value.span().start);
        T::read(value.get_ref()).map_err(|message| ConfigError::Value {
            path: self.path.to_owned(),
            line,
            key,
            message,
        })
    }

    pub(super) fn unknown<K: AsRef<str>>(&self, key: &Spanned<K>, keys: &[Key]) -> ConfigError {
        let text = key.get_ref().as_ref();
        let distance = |key: &Key| strsim::damerau_levenshtein(key.name, text);
        let nearest = keys.iter().map(|key| (distance(key), key.name)).min();
        // Half of the letters wrong is no slip of the finger.
        let is_near = |(distance, name): &(usize, &str)| *distance * 2 <= name.len();
        ConfigError::UnknownKey {
            path: self.path.to_owned(),
            line: self.line(key.span().start),
            key: text.chars().flat_map(char::escape_debug).take(100).collect(),
            nearest: nearest.filter(is_near).map(|(_, name)| name),
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A type that a key may have: how it is read from TOML, and how its default is shown.
pub(super) trait Setting: Sized {
    fn read(value: &DeValue<'_>) -> Result<Self, String>;
    fn write(&self) -> String;
}

/// A type that is written as one word or number.
trait Word: FromStr<Err: Display> + Display {
    /// What it is, when the value is no text at all.
    const KIND: &str;
    /// Whether a number without quotes is taken as well.
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
    Span: "a span of time in quotes, such as \"2 s\"";
    FileMode: "octal digits in quotes, such as \"0644\"", bare: false;
    ListenAddr: "an address and a port in quotes, or a port";
    Zone: "a name in quotes", bare: false;
    CongestionControl: "a name in quotes, such as \"cubic\"", bare: false;
    GroupName: "the name or the number of a group";
    LogFilter: "a level in quotes, such as \"info\"", bare: false;
    LogFormat: "\"auto\", \"text\" or \"json\"", bare: false;
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

impl Setting for Option<PathBuf> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) if text.is_empty() => Ok(None),
            DeValue::String(text) if text.contains('\0') => Err("a path has no NUL in it".to_owned()),
            // Relative to what? A service's own folder is not where its config file is.
            DeValue::String(text) if !text.starts_with('/') => {
                Err("expected an absolute path, one that begins with \"/\"".to_owned())
            }
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

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
