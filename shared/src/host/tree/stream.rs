//! A directory's tar as a stream, for whoever has to send it.

use super::error::{TreeError, go_on};
use super::hash::read_contents;
use super::notes::Noted;
use super::open::TreeFiles;
use super::walk::Walked;
use crate::chunk::CHUNK_BYTES;
use std::ops::ControlFlow;

/// Reads the tar of a directory that was walked, each file once, and passes its chunks on in order, up to the header of
/// the sums: whoever receives the files makes the rest. Returns the programs that lose their capabilities. `take` stops
/// the work by `Break`.
///
/// # Errors
/// When a file has changed since the walk, or may not be read.
pub fn read_tree(
    files: &TreeFiles,
    walked: &Walked,
    take: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
) -> Result<Noted, TreeError> {
    let (layout, mut noted, mut offset) = (&walked.layout, Noted::default(), 0);
    while offset < layout.contents_end() {
        let bytes = (layout.contents_end() - offset).min(CHUNK_BYTES.into());
        let mut chunk = vec![0; bytes as usize];
        read_contents(files, walked, offset, &mut chunk, |piece| {
            if piece.loses_capabilities {
                noted.add(piece.entry.path.as_str());
            }
        })?;
        offset += bytes;
        go_on(take(chunk))?;
    }
    Ok(noted)
}
