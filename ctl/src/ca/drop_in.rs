//! The tracker's drop-in, with which it uses the authority: `50-ca.toml` beside its configuration.

use super::owner;
use crate::error::Error;
use crate::files::{NewFile, write_error};
use ::ca::Authority;
use shared::host::paths::Places;
use shared::tls_mode::TlsMode;
use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The first line of a file that we wrote, and may write again.
const FIRST: &str = "# Written by `ttctl ca init`.";

/// Where the drop-in is, if it may be written.
///
/// # Errors
/// If somebody else wrote a file of this name.
pub(super) fn place() -> Result<PathBuf, Error> {
    let path = Places::of_process().tracker_config().with_extension("d").join("50-ca.toml");
    match fs::read(&path) {
        Ok(present) if !present.starts_with(FIRST.as_bytes()) => {
            Err(Error::refused(format!("{} was not written by this command", path.display()))
                .hint("move the file away, or leave it as it is with --no-config"))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io(format!("cannot read {}", path.display()), &error))
        }
        _ => Ok(path),
    }
}

/// Writes the drop-in for an authority in this directory.
pub(super) fn write(path: &Path, dir: &Path, authority: &Authority, mode: TlsMode) -> Result<(), Error> {
    let dir =
        fs::canonicalize(dir).map_err(|error| Error::io(format!("cannot read {}", dir.display()), &error))?;
    let named = |file: PathBuf| dir.join(file.file_name().unwrap_or_default());
    let text = format!(
        "{FIRST} The tracker uses the authority. What a file with a later name\n\
         # says here counts instead.\n\
         ca = {}\ntls = \"{mode}\"\ntls_identity = {}\ntls_ca = {}\n",
        quoted(&dir)?,
        quoted(&named(authority.tracker_identity()))?,
        quoted(&named(authority.certificates_file()))?,
    );
    let folder = crate::files::parent(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|error| owner::denied(Error::io(format!("cannot make {}", folder.display()), &error)))?;
    let mut new = NewFile::create_with_mode(path, 0o644)?;
    new.file().write_all(text.as_bytes()).map_err(|error| write_error(path, &error))?;
    new.publish(true)
}

/// A path as a string of TOML.
fn quoted(path: &Path) -> Result<String, Error> {
    let text =
        path.to_str().filter(|text| !text.chars().any(|char| char.is_control() || "\"\\".contains(char)));
    text.map(|text| format!("\"{text}\"")).ok_or_else(|| {
        Error::usage(format!("the path {} cannot be written into a configuration", path.display()))
            .hint("choose another directory, or use --no-config")
    })
}
