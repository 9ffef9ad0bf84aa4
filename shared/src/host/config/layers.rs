//! A table that is spread over the files of a configuration.

use super::error::ConfigError;
use super::file::File;
use super::key::Key;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed config file.
pub(super) struct Document<'a> {
    file: &'a File,
    table: DeTable<'a>,
}

impl Document<'_> {
    pub(super) fn parse(files: &[File]) -> Result<Vec<Document<'_>>, ConfigError> {
        files.iter().map(|file| Ok(Document { file, table: with_present_names(file.table()?) })).collect()
    }
}

/// Keys outside tables that had another name in former versions, as (former, present). Both names are read.
const RENAMED: &[(&str, &str)] = &[("folder", "directory")];

/// Renames keys from their former to their present name. If a file has both, the former name stays and is reported as
/// unknown.
fn with_present_names(mut table: DeTable<'_>) -> DeTable<'_> {
    for (former, present) in RENAMED {
        if table.contains_key(*present) {
            continue;
        }
        if let Some((key, value)) = table.remove_entry(*former) {
            table.insert(Spanned::new(key.span(), (*present).into()), value);
        }
    }
    table
}

/// One table: its parts in each file that has it, in the order of the files.
pub(super) struct Layers<'a> {
    /// Its header in a file, such as `[tls]`; empty for the top-level table.
    header: String,
    /// The prefix of its keys' names, such as "tls."; empty for the top-level table.
    prefix: String,
    layers: Vec<Layer<'a>>,
}

/// The part of a table in one file.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    file: &'a File,
    /// Its byte offset in the text.
    start: usize,
    table: &'a DeTable<'a>,
}

/// The value that one file gives to a key.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    file: &'a File,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Layers<'a> {
    /// The top-level table.
    pub(super) fn of_documents(documents: &'a [Document<'a>]) -> Layers<'a> {
        let layer =
            |document: &'a Document<'a>| Layer { file: document.file, start: 0, table: &document.table };
        Layers { header: String::new(), prefix: String::new(), layers: documents.iter().map(layer).collect() }
    }

    /// The table `[path]`, with at least one layer.
    pub(super) fn of_table(path: &str, layers: Vec<Layer<'a>>) -> Layers<'a> {
        Layers { header: format!("[{path}]"), prefix: format!("{path}."), layers }
    }

    /// One table of the array `[[path]]`.
    pub(super) fn of_entry(path: &str, entry: Layer<'a>) -> Layers<'a> {
        Layers { header: format!("[[{path}]]"), prefix: format!("{path}."), layers: vec![entry] }
    }

    /// The full name of a key of this table, including its tables.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The values that the files give to a key, in the order of the files.
    pub(super) fn said(&self, key: &str) -> Vec<Said<'a>> {
        let said = |layer: &Layer<'a>| {
            let (_, value) = layer.table.iter().find(|(found, _)| found.get_ref() == key)?;
            Some(Said { file: layer.file, value })
        };
        self.layers.iter().filter_map(said).collect()
    }

    /// Returns an error if a key is not among `keys`.
    pub(super) fn check_keys(&self, keys: &[Key]) -> Result<(), ConfigError> {
        for layer in &self.layers {
            for key in layer.table.keys() {
                if !keys.iter().any(|known| known.name == key.get_ref()) {
                    return Err(self.unknown(layer.file, key, keys));
                }
            }
        }
        Ok(())
    }

    fn unknown<K: AsRef<str>>(&self, file: &File, key: &Spanned<K>, keys: &[Key]) -> ConfigError {
        let text = key.get_ref().as_ref();
        let distance = |key: &Key| strsim::damerau_levenshtein(key.name, text);
        let nearest = keys.iter().map(|key| (distance(key), key.name)).min();
        // If half of the letters differ, it is not a typo.
        let is_near = |(distance, name): &(usize, &str)| *distance * 2 <= name.len();
        ConfigError::UnknownKey {
            path: file.path.clone(),
            line: file.line(key.span().start),
            key: text.chars().flat_map(char::escape_debug).take(100).collect(),
            table: if self.header.is_empty() { String::new() } else { format!(" in {}", self.header) },
            nearest: nearest.filter(is_near).map(|(_, name)| name),
        }
    }

    /// The error of a missing required key.
    pub(super) fn missing(&self, key: &'static str) -> ConfigError {
        let first = self.layers.first();
        ConfigError::MissingKey {
            path: first.map(|layer| layer.file.path.clone()).unwrap_or_default(),
            line: first.map_or(1, |layer| layer.file.line(layer.start)),
            table: self.header.clone(),
            key,
        }
    }
}

impl<'a> Said<'a> {
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// The value as a table, if it is one.
    pub(super) fn layer(&self) -> Option<Layer<'a>> {
        let DeValue::Table(table) = self.value.get_ref() else { return None };
        Some(Layer { file: self.file, start: self.value.span().start, table })
    }

    /// The elements of the value, if it is a list.
    pub(super) fn elements(&self) -> Option<impl Iterator<Item = Said<'a>> + use<'a>> {
        let DeValue::Array(values) = self.value.get_ref() else { return None };
        let file = self.file;
        Some(values.iter().map(move |value| Said { file, value }))
    }

    /// The error of a value that the key does not accept.
    pub(super) fn error(&self, path: &str, message: String) -> ConfigError {
        ConfigError::Value {
            path: self.file.path.clone(),
            line: self.file.line(self.value.span().start),
            key: path.to_owned(),
            message,
        }
    }
}
