//! One config file: its path, its text, and the table that it contains.

use super::error::ConfigError;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Limits the size of a config file in bytes; a larger file is an error. Somebody named the wrong file: the longest
/// config has a few KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The content of a config file.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<File, ConfigError> {
        let read = || {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > FILE_BYTES_MAX {
                return Err(std::io::Error::other("larger than 1 MiB"));
            }
            String::from_utf8(bytes).map_err(|_| std::io::Error::other("not valid UTF-8"))
        };
        let text = read().map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Ok(File { path: path.to_owned(), text })
    }

    /// The file's top-level table.
    pub(super) fn table(&self) -> Result<DeTable<'_>, ConfigError> {
        let table = DeTable::parse(&self.text).map_err(|error| ConfigError::Syntax {
            path: self.path.clone(),
            line: self.line(error.span().map_or(0, |span| span.start)),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        })?;
        Ok(table.into_inner())
    }

    /// The line of a byte offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}
