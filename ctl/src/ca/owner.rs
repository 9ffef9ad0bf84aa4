//! Who owns what root makes: the user of the tracker, so that the tracker can read and change it.

use crate::error::Error;
use crate::files;
use shared::host::accounts;
use shared::host::paths::TRACKER_STATE;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown, fchown};
use std::path::{Path, PathBuf};

/// The tracker's user, as its package makes it.
const TRACKER_USER: &str = "tt-tracker";

/// Makes a directory that is private, and those above it that are missing. What root makes belongs to the user of the
/// tracker where that user's state is, and elsewhere to the owner of the directory that it is made in.
pub(super) fn make_directory(dir: &Path) -> Result<(), Error> {
    let failed = |error| Error::io(format!("cannot make {}", dir.display()), &error);
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut above = dir;
    while let Err(error) = fs::metadata(above) {
        if error.kind() != ErrorKind::NotFound {
            return Err(denied(failed(error)));
        }
        missing.push(above.to_owned());
        above = files::parent(above);
    }
    let owner = owner_in(above, dir)?;
    for dir in missing.iter().rev() {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue, // another process was faster
            made => made.map_err(|error| denied(failed(error)))?,
        }
        if let Some((user, group)) = owner {
            chown(dir, Some(user), Some(group)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Gives a file that root made to the owner of its directory.
pub(super) fn give(file: &File, dir: &Path) -> io::Result<()> {
    let owner = fs::metadata(dir)?;
    match rustix::process::geteuid().is_root() && owner.uid() != 0 {
        true => fchown(file, Some(owner.uid()), Some(owner.gid())),
        false => Ok(()),
    }
}

/// Whom to give what is made in `above`; `None` to keep it.
fn owner_in(above: &Path, dir: &Path) -> Result<Option<(u32, u32)>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    if dir.starts_with(TRACKER_STATE)
        && let Some(ids) = accounts::user_ids(TRACKER_USER)
            .map_err(|error| Error::internal(error.to_string()).hint("try again later"))?
    {
        return Ok(Some(ids));
    }
    let owner =
        fs::metadata(above).map_err(|error| Error::io(format!("cannot read {}", above.display()), &error))?;
    Ok((owner.uid() != 0).then_some((owner.uid(), owner.gid())))
}

pub(super) fn denied(error: Error) -> Error {
    error.hint("run the command with sudo, or name a directory of yours with --dir")
}
