//! The errors of a configuration.

use crate::plain::io_error;
use std::path::PathBuf;

/// Why a configuration is not valid. Each error says which file, and where in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the config file: {}", path.display(), io_error(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The folder of the drop-ins cannot be listed.
    #[error("{}: cannot read the drop-in directory: {}", path.display(), io_error(source))]
    List {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The folder has more drop-ins than are read.
    #[error("{}: more than {max} drop-ins; merge some of them into one file", path.display())]
    TooManyDropIns {
        /// The folder.
        path: PathBuf,
        /// How many there may be.
        max: usize,
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
    #[error("{}:{line}: unknown key \"{key}\"{table}; {}", path.display(), did_you_mean(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key as it is written.
        key: String,
        /// The table that it is in, as ` in [[subscribe]]`; empty outside of tables.
        table: String,
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
        /// The key, with the tables that it is in before it, as "subscribe.names".
        key: String,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// A table lacks a key that has no default.
    #[error("{}:{line}: {table} needs the key \"{key}\"", path.display())]
    MissingKey {
        /// The file in which the table begins.
        path: PathBuf,
        /// The line in which it begins, counted from 1.
        line: usize,
        /// The table, as `[[subscribe]]`.
        table: String,
        /// The key.
        key: &'static str,
    },
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(key) => format!("did you mean \"{key}\"?"),
        None => "the example file lists all keys".to_owned(),
    }
}
