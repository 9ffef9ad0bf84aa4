//! Hashes what lies in the shared directory and is to be shared: a file or a directory.

use crate::inbox::{ToShare, internal, store_error};
use crate::store::{FileIdentity, Home, PublishedTree, open_directory, open_regular};
use shared::host::hashing::{Hashed, hash_file};
use shared::host::tree::{TreeError, hash_tree};
use shared::id::{ListDigest, SwarmKey};
use shared::plain::io_error;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::tree::{TreeName, TreeOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// Told the bytes that are done and all bytes.
pub(super) type Told<'a> = dyn Fn(u64, u64) -> ControlFlow<()> + Sync + 'a;

/// Hashes what is to be shared. If it is a directory, its slot has everything then that is needed to serve it, and the
/// request says what the directory loses.
pub(super) fn hash_shared(
    home: &Home,
    request: &mut ToShare,
    progress: &Told<'_>,
) -> Result<(Hashed, FileIdentity), ControlError> {
    match request.tree {
        Some(options) => hash_directory(home, request, options, progress),
        None => {
            let path = home.file(&request.name);
            hash_path(&path, progress)
                .map_err(|error| refused(format!("cannot share {}: {error}", path.display())))
        }
    }
}

fn hash_path(path: &Path, progress: &Told<'_>) -> io::Result<(Hashed, FileIdentity)> {
    let file = open_regular(path).map_err(|error| error.source)?;
    let identity = FileIdentity::of(&file)?;
    let hashed = hash_file(&file, &|bytes| progress(bytes, identity.bytes))?;
    Ok((hashed, identity))
}

fn hash_directory(
    home: &Home,
    request: &mut ToShare,
    options: TreeOptions,
    progress: &Told<'_>,
) -> Result<(Hashed, FileIdentity), ControlError> {
    let no_name = || refused(format!("{} is not the name of a directory with .tar", request.name));
    let name = TreeName::of_resource(&request.name).ok_or_else(no_name)?;
    let path = home.folder().join(name.as_str());
    let top = open_directory(&path)
        .map_err(|error| refused(format!("cannot share {}: {}", path.display(), io_error(&error.source))))?;
    let opened = top.try_clone().map_err(|error| internal(&error))?;
    let tree = hash_tree(top, &name, options, progress).map_err(|error| not_shared(&path, error))?;
    request.lost = tree.walked.notes.sentences(&path.display().to_string());
    let key = SwarmKey { resource: tree.hashed.resource, digest: ListDigest::of(&tree.hashed.hashes) };
    home.slot(key).keep_tree(&tree).map_err(|error| store_error(&error))?;
    // Of the directory that was hashed: another one may have its name by now.
    let identity = PublishedTree::identity_of(&opened.into(), tree.hashed.bytes)
        .map_err(|error| refused(format!("cannot share {}: {}", path.display(), io_error(&error))))?;
    Ok((tree.hashed, identity))
}

fn not_shared(path: &Path, error: TreeError) -> ControlError {
    let hint = error.hint().map(str::to_owned);
    let path = path.display();
    let message = match error.place() {
        Some(below) => format!("cannot share {path}/{below}: {}", error.why()),
        None => format!("cannot share {path}: {}", error.why()),
    };
    ControlError { hint, ..refused(message) }
}

fn refused(message: String) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message, hint: None }
}
