//! Finds the drop-ins of a config file.

use super::error::ConfigError;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Limits the drop-ins of one config file; more are an error. Configuration management writes a handful.
pub(super) const DROP_INS_MAX: usize = 256;

/// The directory of a config file's drop-ins: `X.d` for `X.toml`, and `X.d` for an `X` with another extension or none.
pub(super) fn folder_of(config: &Path) -> PathBuf {
    if config.extension() == Some(OsStr::new("toml")) {
        return config.with_extension("d");
    }
    let mut folder = config.as_os_str().to_owned();
    folder.push(".d");
    PathBuf::from(folder)
}

/// The drop-ins of a config file in the order in which they are read: by the bytes of their names.
///
/// A drop-in is a file `*.toml` whose name does not begin with a dot. Everything else in the directory is ignored, and
/// so is a file that is deleted meanwhile.
///
/// # Errors
/// When the directory cannot be listed, when it has too many drop-ins, or when one of them exists and cannot be
/// examined or is neither a file nor a directory.
pub(super) fn find(config: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = folder_of(config);
    let failed = |source| ConfigError::List { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if !is_drop_in(&name) {
            continue;
        }
        let path = folder.join(name);
        if unless_gone(&path, is_folder(&path))? == Some(false) {
            found.push(path);
        }
        if found.len() > DROP_INS_MAX {
            return Err(ConfigError::TooManyDropIns { path: folder, max: DROP_INS_MAX });
        }
    }
    found.sort();
    Ok(found)
}

fn is_drop_in(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && Path::new(name).extension() == Some(OsStr::new("toml"))
}

/// Turns the error of a listed drop-in into `None` if the file was deleted meanwhile. A dangling link still exists, so
/// it stays an error.
pub(super) fn unless_gone<T>(path: &Path, looked: Result<T, ConfigError>) -> Result<Option<T>, ConfigError> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match looked {
        Err(ConfigError::Read { source, .. })
            if is_missing(&source) && path.symlink_metadata().is_err_and(|error| is_missing(&error)) =>
        {
            Ok(None)
        }
        looked => looked.map(Some),
    }
}

/// Whether the path is a directory. A pipe or a device is an error, since reading it may never end.
fn is_folder(path: &Path) -> Result<bool, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    Ok(metadata.is_dir())
}
