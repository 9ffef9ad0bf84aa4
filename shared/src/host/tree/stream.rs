//! A directory's tar as a stream, for whoever has to send it.

use super::error::{TreeError, go_on};
use super::hash::TreeBody;
use super::notes::Noted;
use super::open::TreeFiles;
use super::walk::Walked;
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::host::hashing::Body;
use std::ops::ControlFlow;

/// Reads the tar of a directory that was walked, each file once, and passes its chunks on in order. Returns the programs
/// that lose their capabilities. `take` stops the work by `Break`.
///
/// # Errors
/// When a file has changed since the walk, or may not be read.
pub fn read_tree(
    files: &TreeFiles,
    walked: &Walked,
    take: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
) -> Result<Noted, TreeError> {
    let body = TreeBody::new(files, walked);
    let read = |index: ChunkIndex| {
        let bytes = (body.bytes() - index.offset()).min(CHUNK_BYTES.into());
        let mut chunk = vec![0; bytes as usize];
        body.read_exact_at(&mut chunk, index.offset())?;
        if index < body.follow_end() {
            body.follow(index, &chunk)?;
        }
        Ok(chunk)
    };
    for index in walked.layout.count().indices() {
        go_on(take(read(index).map_err(TreeError::of_io)?))?;
    }
    Ok(body.into_learned().1)
}
