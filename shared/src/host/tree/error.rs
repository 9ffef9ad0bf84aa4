//! Why a directory cannot be a tree.

use crate::plain::io_error;
use crate::tree::{BadTree, TooLarge};
use std::fmt;
use std::io;
use std::ops::ControlFlow;

/// Why a directory cannot be a tree, or cannot be read. Paths are those below the directory.
#[derive(Debug)]
pub enum TreeError {
    /// The entry at a path cannot be part of a tree.
    Refused {
        /// Its path, safe to show.
        path: String,
        /// Why, as a fragment of a sentence about it.
        why: String,
        /// What can be done about it.
        hint: Option<&'static str>,
    },
    /// The entry at a path was changed while it was being read.
    Changed {
        /// Its path, safe to show.
        path: String,
    },
    /// The system refused something.
    Io {
        /// The path, safe to show.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The caller's progress function stopped it.
    Stopped,
}

impl TreeError {
    pub(super) fn refused(path: &str, why: impl fmt::Display, hint: Option<&'static str>) -> TreeError {
        TreeError::Refused { path: shown(path.as_bytes()), why: why.to_string(), hint }
    }

    pub(super) fn changed(path: &str) -> TreeError {
        TreeError::Changed { path: shown(path.as_bytes()) }
    }

    pub(super) fn io(path: &str, error: impl Into<io::Error>) -> TreeError {
        TreeError::Io { path: shown(path.as_bytes()), error: error.into() }
    }

    /// The same as an [`io::Error`], from which [`of_io`](TreeError::of_io) takes it again.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            TreeError::Io { error, .. } if error.kind() != io::ErrorKind::NotFound => error.kind(),
            TreeError::Stopped => io::ErrorKind::Interrupted,
            // Of this kind it always ends the hashing.
            TreeError::Refused { .. } | TreeError::Changed { .. } | TreeError::Io { .. } => {
                io::ErrorKind::InvalidData
            }
        };
        io::Error::new(kind, self)
    }

    pub(super) fn of_io(error: io::Error) -> TreeError {
        match error.downcast::<TreeError>() {
            Ok(error) => error,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => TreeError::Stopped,
            Err(error) => TreeError::io("", error),
        }
    }

    /// The kind of the system's error that is nearest to it.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            TreeError::Refused { .. } => io::ErrorKind::InvalidInput,
            TreeError::Changed { .. } => io::ErrorKind::ResourceBusy,
            TreeError::Io { error, .. } => error.kind(),
            TreeError::Stopped => io::ErrorKind::Interrupted,
        }
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TreeError::Refused { hint, .. } => *hint,
            TreeError::Changed { .. } => Some("try again when nothing writes to the directory"),
            TreeError::Io { .. } | TreeError::Stopped => None,
        }
    }
}

impl TreeError {
    /// The path below the directory of what it is about, safe to show; `None` if it is about the directory itself.
    pub fn place(&self) -> Option<&str> {
        match self {
            TreeError::Refused { path, .. } | TreeError::Changed { path } | TreeError::Io { path, .. } => {
                Some(path.as_str()).filter(|path| !path.is_empty())
            }
            TreeError::Stopped => None,
        }
    }

    /// What is wrong, without the path.
    pub fn why(&self) -> String {
        match self {
            TreeError::Refused { why, .. } => why.clone(),
            TreeError::Changed { .. } => "it changed while it was being read".to_owned(),
            TreeError::Io { error, .. } => io_error(error),
            TreeError::Stopped => "it was stopped".to_owned(),
        }
    }
}

/// The path is that below the directory.
impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some(place) => write!(f, "{place}: {}", self.why()),
            None => f.write_str(&self.why()),
        }
    }
}

impl std::error::Error for TreeError {}

impl From<BadTree> for TreeError {
    fn from(BadTree { path, why }: BadTree) -> TreeError {
        TreeError::refused(&path, why, None)
    }
}

impl From<TooLarge> for TreeError {
    fn from(why: TooLarge) -> TreeError {
        TreeError::refused("", why, None)
    }
}

/// An entry's path as it can be shown: what is not UTF-8, and control characters, escaped.
pub fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char.is_control() {
                true => text.extend(char.escape_default()),
                false => text.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    text
}

/// The error of a progress function that said so.
pub(super) fn go_on(flow: ControlFlow<()>) -> Result<(), TreeError> {
    if flow.is_break() { Err(TreeError::Stopped) } else { Ok(()) }
}
