//! The kinds of keys: a value, a table, or an array of tables. Each kind is read from the files, and shown in the
//! example file.

use super::error::ConfigError;
use super::files::Files;
use super::key::{Key, Shape};
use super::layers::{Document, Layer, Layers, Said};
use super::setting::{Setting, kind};

/// Limits the tables of one `[[…]]` in all files together. More are an error.
pub(super) const TABLES_MAX: usize = 1_000;

/// A type that a key may have. `settings!` implements it for each table, for an `Option` of it and for a `Vec` of it.
pub(super) trait Field: Sized {
    /// Whether it is a value or a table.
    const SHAPE: Shape;

    /// Reads the field from the files, in their order. A later value replaces an earlier one, a table has the keys of
    /// all files, and each file adds its own tables to an array. Returns `None` if no file has the key. `path` is the
    /// key's name with its tables.
    fn read(path: &str, said: &[Said<'_>]) -> Result<Option<Self>, ConfigError>;

    /// Adds it to the example file as a default.
    fn show(&self, key: &Shown<'_>, example: &mut Example);
}

/// A table whose keys were declared with `settings!`, or a configuration as a whole.
pub(super) trait Table: Sized {
    /// Its keys in the order of the example file.
    const KEYS: &'static [Key];

    /// Reads the table. An unknown key is an error.
    fn read(layers: &Layers<'_>) -> Result<Self, ConfigError>;

    /// The text of the example file: every key with its description and its default, commented out. `path` is the
    /// table's name, or empty.
    fn example(path: &str) -> String;
}

/// Reads a whole configuration.
pub(super) fn read_config<T: Table>(files: &Files) -> Result<T, ConfigError> {
    let documents = Document::parse(files.all())?;
    T::read(&Layers::of_documents(&documents))
}

/// Reads a key of a table; `None` if no file sets it.
pub(super) fn read_key<T: Field>(layers: &Layers<'_>, key: &str) -> Result<Option<T>, ConfigError> {
    T::read(&layers.path(key), &layers.said(key))
}

/// Reads `[path]`.
pub(super) fn read_table<T: Table>(path: &str, said: &[Said<'_>]) -> Result<Option<T>, ConfigError> {
    let mut layers = Vec::new();
    for said in said {
        let layer = said.layer().ok_or_else(|| {
            said.error(
                path,
                format!("expected a table that begins with [{path}], not {}", kind(said.value())),
            )
        });
        layers.push(layer?);
    }
    if layers.is_empty() { Ok(None) } else { T::read(&Layers::of_table(path, layers)).map(Some) }
}

/// Reads all `[[path]]`.
pub(super) fn read_tables<T: Table>(path: &str, said: &[Said<'_>]) -> Result<Option<Vec<T>>, ConfigError> {
    let mut tables = Vec::new();
    for said in said {
        let wrong = |said: &Said<'_>| {
            said.error(
                path,
                format!("expected tables, each of which begins with [[{path}]], not {}", kind(said.value())),
            )
        };
        for entry in said.elements().ok_or_else(|| wrong(said))? {
            if tables.len() == TABLES_MAX {
                return Err(entry.error(path, format!("more than {TABLES_MAX} such tables")));
            }
            let layer: Layer<'_> = entry.layer().ok_or_else(|| wrong(&entry))?;
            tables.push(T::read(&Layers::of_entry(path, layer))?);
        }
    }
    Ok(if said.is_empty() { None } else { Some(tables) })
}

impl<T: Setting> Field for T {
    const SHAPE: Shape = Shape::Value;

    fn read(path: &str, said: &[Said<'_>]) -> Result<Option<Self>, ConfigError> {
        let mut last = None;
        for said in said {
            last = Some(T::read(said.value()).map_err(|message| said.error(path, message))?);
        }
        Ok(last)
    }

    fn show(&self, key: &Shown<'_>, example: &mut Example) {
        example.value(key, &self.write());
    }
}

/// A key as the example file shows it.
pub(super) struct Shown<'a> {
    /// The table that contains it, or empty.
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    /// The lines of its description.
    pub(super) description: &'a [&'a str],
}

/// The text of an example file. Tables come last, because a key after a table's header would belong to that table.
#[derive(Default)]
pub(super) struct Example {
    values: String,
    tables: String,
}

impl Example {
    /// Adds `#key = value`.
    pub(super) fn value(&mut self, key: &Shown<'_>, value: &str) {
        describe(&mut self.values, key.description);
        self.values += &format!("\n#{} = {value}\n", key.name);
    }

    /// Adds `#[path]`.
    pub(super) fn table<T: Table>(&mut self, key: &Shown<'_>) {
        let path = key.full_path();
        describe(&mut self.tables, key.description);
        self.tables += &format!("\n#[{path}]\n{}", T::example(&path));
    }

    /// Adds `#[[path]]`.
    pub(super) fn tables<T: Table>(&mut self, key: &Shown<'_>) {
        let path = key.full_path();
        describe(&mut self.tables, key.description);
        self.tables += &format!("\n#[[{path}]]\n{}", T::example(&path));
    }

    pub(super) fn text(self) -> String {
        self.values + &self.tables
    }
}

impl Shown<'_> {
    fn full_path(&self) -> String {
        if self.path.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.path, self.name) }
    }
}

fn describe(text: &mut String, description: &[&str]) {
    for line in description {
        *text += &format!("\n#{line}");
    }
}
