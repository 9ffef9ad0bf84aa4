//! The files of one configuration: the config file and its drop-ins.

use super::drop_ins;
use super::error::ConfigError;
use super::file::File;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The config file, and after it the drop-ins that lie beside it, in the order in which they are read: `X.d/*.toml` for
/// `X.toml`. What a later file says comes before what an earlier one says.
#[derive(Debug, Clone)]
pub struct Files {
    config: PathBuf,
    /// Those that were there and were read.
    read: Vec<File>,
}

impl Files {
    /// Reads a config file that somebody named, and its drop-ins.
    ///
    /// # Errors
    /// When one of the files cannot be read, or when there is none at all.
    pub fn read(config: &Path) -> Result<Files, ConfigError> {
        let files = Files::read_if_any(config)?;
        match files.is_empty() {
            // says why: no such file
            true => File::read(config).map(|file| Files { read: vec![file], ..files }),
            false => Ok(files),
        }
    }

    /// Reads the config file at its usual place, and its drop-ins. None of them need be there.
    ///
    /// # Errors
    /// When one of the files is there and cannot be read.
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

    /// Files that were read already: each with its path, for the errors, and its text. The first is the config file.
    pub fn of_texts<P: Into<PathBuf>, T: Into<String>>(texts: impl IntoIterator<Item = (P, T)>) -> Files {
        let texts = texts.into_iter().map(|(path, text)| File { path: path.into(), text: text.into() });
        let read: Vec<File> = texts.collect();
        Files { config: read.first().map(|file| file.path.clone()).unwrap_or_default(), read }
    }

    /// Whether there is neither a config file nor a drop-in.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// The files that were read, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(|file| file.path.as_path())
    }

    /// What `--check-config` says when all of it is good: a line for each file.
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

    /// Where a key has the value that holds, as `FILE:LINE`: the last file that sets it. The config file alone, if none does.
    /// A key in a table has the table's name before it: "tls.ca".
    pub fn place_of(&self, key: &str) -> String {
        let line_in = |file: &File| Some(file.line(start_of(&file.table().ok()?, key)?));
        let place = |file: &File| Some(format!("{}:{}", file.path.display(), line_in(file)?));
        self.read.iter().rev().find_map(place).unwrap_or_else(|| self.config.display().to_string())
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

/// Where a key stands in the text.
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
