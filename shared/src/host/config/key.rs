//! Descriptions of the keys of a configuration, for programs that list them.

/// A key of a config file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The lines of its description.
    pub description: &'static [&'static str],
    /// Whether its table must contain it. A key that is not required has a default.
    pub is_required: bool,
    /// Whether it is a value or a table.
    pub shape: Shape,
}

/// Whether a key is a value, a table, or an array of tables.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `key = …`
    Value,
    /// `[key]`, with these keys.
    Table(&'static [Key]),
    /// `[[key]]`, any number of times, each with these keys.
    Tables(&'static [Key]),
}
