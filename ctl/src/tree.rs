//! Directories of the caller: hashed as trees, with the caller's rights.

use crate::error::{Error, Kind};
use crate::human;
use crate::output::Output;
use crate::progress::{Now, Progress};
use shared::host::tree::{Notes, TreeError, TreeProgress, open_top};
use shared::tree::{BadTreeName, TreeName};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a directory is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To make its manifest.
    Create,
    /// To share it.
    Share,
    /// To compare it with a manifest. What cannot be in a tree does not match.
    Check,
}

impl Purpose {
    fn doing(self) -> &'static str {
        match self {
            Purpose::Create => "hashing",
            Purpose::Share => "importing",
            Purpose::Check => "checking",
        }
    }

    fn refused(self, directory: &Path, path: &str, why: &str) -> Error {
        let place = place(directory, path);
        match self {
            Purpose::Create => Error::refused(format!("cannot make a manifest of {place}: {why}")),
            Purpose::Share => Error::refused(format!("cannot share {place}: {why}")),
            Purpose::Check if path.is_empty() => Error::bad_data(format!("{place} does not match: {why}")),
            Purpose::Check => Error::bad_data(format!("{} does not match: {place}: {why}", shown(directory))),
        }
    }

    fn changed(self, place: &str) -> Error {
        let cannot = match self {
            Purpose::Create => "cannot make a manifest of",
            Purpose::Share => "cannot share",
            Purpose::Check => "cannot check",
        };
        Error::refused(format!("{cannot} {place}: it changed while it was being read"))
    }
}

/// A directory that is to be a tree.
pub(crate) struct Directory {
    /// Its path, with a name at its end.
    pub(crate) path: PathBuf,
    pub(crate) name: TreeName,
}

impl Directory {
    /// The directory at a path, which may be `.` or end in a slash.
    pub(crate) fn new(path: &Path, purpose: Purpose) -> Result<Directory, Error> {
        let path = named(path)?;
        let refused = |why: &str| purpose.refused(&path, "", why);
        let name = path.file_name();
        let name = name.ok_or_else(|| refused("it has no name").hint("name a directory below it"))?;
        let rename = |why: &str| refused(why).hint("rename the directory");
        let name = name.to_str().ok_or_else(|| rename("the name is not UTF-8"))?;
        let name = name.parse().map_err(|why: BadTreeName| rename(&why.to_string()))?;
        Ok(Directory { path, name })
    }
}

/// The path with a name at its end, if it has one at all.
pub(crate) fn named(path: &Path) -> Result<PathBuf, Error> {
    match path.file_name() {
        // Without a slash or `/.` at the end.
        Some(name) => Ok(path.with_file_name(name)),
        None => {
            path.canonicalize().map_err(|error| Error::io(format!("cannot open {}", path.display()), &error))
        }
    }
}

/// Opens the directory at a path.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Error> {
    open_top(path).map_err(|error| Error::io(format!("cannot open {}", shown(path)), &error))
}

/// Calls a function with a progress function that shows how much of a directory's tar is done.
pub(crate) fn with_progress<T>(
    path: &Path,
    purpose: Purpose,
    output: &Output,
    work: impl FnOnce(&TreeProgress<'_>) -> Result<T, TreeError>,
) -> Result<T, Error> {
    let progress = Mutex::new(Progress::new(output, &path.display().to_string()));
    let result = work(&|bytes_done, bytes_total| {
        if bytes_total > 0 {
            let now = Now { bytes_done, bytes_total, doing: purpose.doing(), ..Now::default() };
            progress.lock().unwrap_or_else(PoisonError::into_inner).update(&now);
        }
        ControlFlow::Continue(())
    });
    result.map_err(|error| failed(path, error, purpose))
}

/// The error of a directory that cannot be a tree.
pub(crate) fn failed(directory: &Path, error: TreeError, purpose: Purpose) -> Error {
    let hint = error.hint();
    let error = match &error {
        TreeError::Refused { path, why, .. } => purpose.refused(directory, path, why),
        TreeError::Changed { path } => purpose.changed(&place(directory, path)),
        TreeError::Io { path, error } => Error::io(format!("cannot read {}", place(directory, path)), error),
        TreeError::Stopped => Error::new(Kind::Interrupted, "it was stopped"),
    };
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Warns of what is not carried.
pub(crate) fn warn(directory: &Path, notes: &Notes, output: &Output) {
    sentences(directory, notes).iter().for_each(|sentence| output.warning(sentence));
}

/// What is not carried, as sentences.
pub(crate) fn sentences(directory: &Path, notes: &Notes) -> Vec<String> {
    notes.sentences(&shown(directory))
}

/// The place of an entry below a directory, safe to show. The empty path is the directory itself.
fn place(directory: &Path, path: &str) -> String {
    match path {
        "" => shown(directory),
        path => format!("{}/{path}", shown(directory)),
    }
}

fn shown(path: &Path) -> String {
    human::clean(&path.display().to_string())
}
