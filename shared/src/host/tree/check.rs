//! Compares a directory with a manifest.

use super::error::TreeError;
use super::hash::{HashedTree, TreeBody, TreeProgress, hash_walked};
use super::open::TreeFiles;
use super::walk::{Walked, walk};
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::host::hashing::Body;
use crate::id::ChunkHash;
use crate::manifest::Manifest;
use crate::tree::{TreeLayout, TreeName, TreeOptions};
use rustix::fd::OwnedFd;

/// Hashes a directory so that it can be compared with a manifest. The manifest does not say whether its tree has times
/// and which name its top directory has: of what `options` and `names` allow, that is taken whose first chunk is right.
/// `None` if no first chunk is right: then the directory was changed, or it is not what the manifest describes.
/// `progress` and the errors are those of [`hash_tree`](super::hash_tree).
///
/// # Panics
///
/// If there are no names.
pub fn hash_tree_for(
    manifest: &Manifest,
    top: OwnedFd,
    names: &[TreeName],
    options: TreeOptions,
    progress: &TreeProgress<'_>,
) -> Result<Option<HashedTree>, TreeError> {
    let files = TreeFiles::new(top);
    let hash = || hash_once(manifest, &files, names, options, progress);
    match hash() {
        Err(TreeError::Changed { .. }) => hash(),
        result => result,
    }
}

fn hash_once(
    manifest: &Manifest,
    files: &TreeFiles,
    names: &[TreeName],
    options: TreeOptions,
    progress: &TreeProgress<'_>,
) -> Result<Option<HashedTree>, TreeError> {
    let walked = walk(files.top(), names[0].clone(), options, &|_| progress(0, 0))?;
    let with_times: &[bool] = if options.has_times { &[true, false] } else { &[false] };
    for name in names {
        for &has_times in with_times {
            // A name may be too long for the paths below it; then it is not the right one.
            let Ok(listing) = walked.layout.listing().in_form(name.clone(), has_times) else { continue };
            let form = Walked { layout: TreeLayout::new(listing)?, ..walked.clone() };
            if first_chunk_is_right(manifest, files, &form)? {
                return hash_walked(files, form, progress).map(Some);
            }
        }
    }
    Ok(None)
}

fn first_chunk_is_right(manifest: &Manifest, files: &TreeFiles, walked: &Walked) -> Result<bool, TreeError> {
    let body = TreeBody::new(files, walked);
    let Some(wanted) = manifest.hashes().first() else { return Ok(false) };
    let mut chunk = vec![0; body.bytes().min(CHUNK_BYTES.into()) as usize];
    body.read_exact_at(&mut chunk, ChunkIndex(0).offset()).map_err(TreeError::of_io)?;
    Ok(ChunkHash::of(&chunk) == *wanted)
}
