//! Directories of the caller: hashed as trees, with the caller's rights.

use crate::error::{Error, Kind};
use crate::human;
use crate::output::Output;
use crate::progress::{Now, Progress};
use shared::host::tree::{Noted, Notes, TreeError, TreeProgress, open_top};
use shared::tree::TreeName;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A directory that is to be a tree.
pub(crate) struct Directory {
    /// Its path, with a name at its end.
    pub(crate) path: PathBuf,
    pub(crate) name: TreeName,
}

impl Directory {
    /// The directory at a path, which may be `.` or end in a slash.
    pub(crate) fn new(path: &Path) -> Result<Directory, Error> {
        let path = named(path)?;
        let refused = |why: String| {
            Error::refused(format!("cannot share {}: {why}", shown(&path))).hint("rename the directory")
        };
        let name = path.file_name().unwrap_or(OsStr::new("/"));
        let name = name.to_str().ok_or_else(|| refused("the name is not UTF-8".to_owned()))?;
        let name = name.parse().map_err(|why| refused(format!("{why}")))?;
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
    doing: &'static str,
    output: &Output,
    work: impl FnOnce(&TreeProgress<'_>) -> Result<T, TreeError>,
) -> Result<T, Error> {
    let progress = Mutex::new(Progress::new(output, &path.display().to_string()));
    let result = work(&|bytes_done, bytes_total| {
        if bytes_total > 0 {
            let now = Now { bytes_done, bytes_total, doing, ..Now::default() };
            progress.lock().unwrap_or_else(PoisonError::into_inner).update(&now);
        }
        ControlFlow::Continue(())
    });
    result.map_err(|error| failed(path, error))
}

/// The error of a directory that cannot be a tree.
pub(crate) fn failed(directory: &Path, error: TreeError) -> Error {
    let place = |path: &str| match path {
        "" => shown(directory),
        path => format!("{}/{path}", shown(directory)),
    };
    let hint = error.hint();
    let error = match &error {
        TreeError::Refused { path, why, .. } => {
            Error::refused(format!("cannot share {}: {why}", place(path)))
        }
        TreeError::Changed { path } => {
            Error::refused(format!("cannot share {}: it changed while it was being read", place(path)))
        }
        TreeError::Io { path, error } => Error::io(format!("cannot read {}", place(path)), error),
        TreeError::Stopped => Error::new(Kind::Interrupted, "it was stopped"),
    };
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Warns of what is not carried.
pub(crate) fn warn(directory: &Path, notes: &Notes, output: &Output) {
    let Notes { special, links, bits, capabilities } = notes;
    let told = |noted: &Noted, one: &str, many: &str| {
        let first = if noted.first.is_empty() {
            shown(directory)
        } else {
            format!("{}/{}", shown(directory), noted.first)
        };
        match noted.count {
            0 => {}
            1 => output.warning(&one.replace("{}", &first)),
            count => output.warning(&format!("{count} {many}, such as {first}")),
        }
    };
    told(special, "{} is left out: it is not a file", "FIFOs, sockets and devices are left out");
    told(links, "{} is left out: the link leads outside", "links that lead outside are left out");
    told(
        bits,
        "{} loses its setuid, setgid or sticky bit",
        "entries lose their setuid, setgid or sticky bits",
    );
    told(
        capabilities,
        "{} loses its capabilities (security.capability)",
        "programs lose their capabilities (security.capability)",
    );
}

fn shown(path: &Path) -> String {
    human::clean(&path.display().to_string())
}
