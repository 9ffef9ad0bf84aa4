//! Config files: TOML whose mistakes are told with file, line and key, and the example files, which are made
//! of the same list of keys.

use super::ConfigError;
use super::setting::Setting;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

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
                    let value = $crate::host::config::setting::Setting::write(&default.$key);
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
