//! The files of one configuration: the config file and its drop-ins.

use super::drop_ins;
use super::error::ConfigError;
use super::file::File;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The config file and its drop-ins, in the order in which they are read: `X.toml`, then `X.d/*.toml`. A later file
/// overrides an earlier one.
#[derive(Debug, Clone)]
pub struct Files {
    config: PathBuf,
    /// The files that exist.
    read: Vec<File>,
}

impl Files {
    /// Reads a config file that was named explicitly, and its drop-ins.
    ///
    /// # Errors
    /// When one of the files cannot be read, or when none exists.
    pub fn read(config: &Path) -> Result<Files, ConfigError> {
        let files = Files::read_if_any(config)?;
        match files.is_empty() {
            // says why: no such file
            true => File::read(config).map(|file| Files { read: vec![file], ..files }),
            false => Ok(files),
        }
    }

    /// Reads the config file at its default path, and its drop-ins. None of them need exist.
    ///
    /// # Errors
    /// When one of the files exists and cannot be read.
    pub fn read_if_any(config: &Path) -> Result<Files, ConfigError> {
        let mut read = Vec::new();
        match File::read(config) {
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            file => read.push(file?),
        }
        for path in drop_ins::find(config)? {
            read.extend(drop_ins::unless_gone(&path, File::read(&path))?);
        }
        Ok(Files { config: config.to_owned(), read })
    }

    /// Makes files of texts that were read already, each with its path for error messages. The first is the config
    /// file.
    pub fn of_texts<P: Into<PathBuf>, T: Into<String>>(texts: impl IntoIterator<Item = (P, T)>) -> Files {
        let texts = texts.into_iter().map(|(path, text)| File { path: path.into(), text: text.into() });
        let read: Vec<File> = texts.collect();
        Files { config: read.first().map(|file| file.path.clone()).unwrap_or_default(), read }
    }

    /// Whether there is neither a config file nor a drop-in.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// The paths of the files that exist, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(|file| file.path.as_path())
    }

    /// The output of `--check-config` for a valid configuration: one line per file.
    pub fn verdict(&self) -> String {
        let has_config = self.paths().any(|path| path == self.config);
        let missing = match (has_config, self.is_empty()) {
            (true, _) => String::new(),
            (false, false) => format!("{}: no such file\n", self.config.display()),
            (false, true) => {
                format!("{}: no such file; using defaults\n", self.config.display())
            }
        };
        self.paths().fold(missing, |lines, path| lines + &format!("{}: OK\n", path.display()))
    }

    /// The position, as `FILE:LINE`, of a key in the last file that sets it; the path of the config file if none does.
    /// A key in a table is given with the table's name, as in "tls.ca".
    pub fn place_of(&self, key: &str) -> String {
        let line_in = |file: &File| Some(file.line(start_of(&file.table().ok()?, key)?));
        let place = |file: &File| Some(format!("{}:{}", file.path.display(), line_in(file)?));
        self.read.iter().rev().find_map(place).unwrap_or_else(|| self.config.display().to_string())
    }

    /// The positions, as `FILE:LINE`, of all `[[key]]`, in the order in which they are read.
    pub fn places_of_tables(&self, key: &str) -> Vec<String> {
        let mut places = Vec::new();
        for file in &self.read {
            let Ok(table) = file.table() else { continue };
            let named =
                |(found, _): &(&Spanned<_>, &Spanned<_>)| AsRef::<str>::as_ref(found.get_ref()) == key;
            if let Some((_, value)) = table.iter().find(named)
                && let DeValue::Array(tables) = value.get_ref()
            {
                let place =
                    |table: &Spanned<_>| format!("{}:{}", file.path.display(), file.line(table.span().start));
                places.extend(tables.iter().map(place));
            }
        }
        places
    }

    pub(super) fn all(&self) -> &[File] {
        &self.read
    }
}

/// As in "/etc/tinytorrent/ttd.toml with 2 drop-ins".
impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.config.display())?;
        match self.read.iter().filter(|file| file.path != self.config).count() {
            0 => Ok(()),
            1 => f.write_str(" with 1 drop-in"),
            number => write!(f, " with {number} drop-ins"),
        }
    }
}

/// The byte offset of a key in the text.
fn start_of(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let named = |(found, _): &(&Spanned<_>, &Spanned<_>)| AsRef::<str>::as_ref(found.get_ref()) == first;
    let (found, value) = table.iter().find(named)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(found.span().start),
        (Some(rest), DeValue::Table(table)) => start_of(table, rest),
        (Some(_), _) => None,
    }
}
