//! Reads chunks of complete resources for ttctl.

use super::quota::Permit;
use crate::inbox::{Context, Input, Requests, internal};
use crate::jobs;
use crate::store::PublishedFile;
use bytes::Bytes;
use shared::chunk::ChunkIndex;
use shared::id::{ChunkHash, ResourceId};
use shared::plain::edited_files;
use shared::rpc::Payload;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::shell;
use std::sync::Arc;

/// A chunk that ttctl takes. Its reader's permit lasts until its last byte was sent.
struct Sent<B> {
    bytes: B,
    _permit: Permit,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Sent<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// The bytes of a chunk, compared with the manifest.
///
/// # Errors
/// When the resource is not here and complete, it has no such chunk, or its file was changed.
pub async fn read(
    context: &Arc<Context>,
    requests: &Requests,
    (resource, index): (ResourceId, ChunkIndex),
    permit: Permit,
) -> Result<Payload, ControlError> {
    let published = requests.complete(resource).await?;
    let Some(hash) = published.manifest.hash(index).copied() else {
        let message = format!("{} has no chunk {index}", published.manifest.name());
        return Err(ControlError { kind: ErrorKind::Refused, message, hint: None });
    };
    let reading = published.clone();
    let read = move || match reading.read(index).filter(|bytes| ChunkHash::of(bytes) == hash) {
        Some(bytes) => Ok(bytes),
        None => Err(changed(&reading)),
    };
    match jobs::run(read).await {
        Ok(Ok(bytes)) => Ok(Bytes::from_owner(Sent { bytes: bytes.freeze(), _permit: permit }).into()),
        Ok(Err(changed)) => {
            let key = published.manifest.key();
            context.tell(Input::SourceChanged { key, published, chunk: index }).await;
            Err(changed)
        }
        Err(panicked) => Err(internal(&panicked)),
    }
}

/// What was changed. Looks at all files of a directory.
fn changed(published: &PublishedFile) -> ControlError {
    let shown = published.path.display();
    let what = match published.edited().ok().flatten() {
        Some(edited) => {
            let first = edited.first.iter().map(|file| format!("{shown}/{}", file.escape_debug()));
            edited_files(edited.files() as u64, &first.collect::<Vec<_>>())
        }
        None => format!("{shown} was edited or replaced, or the disk has damaged it"),
    };
    let (name, path) = (shell::word(published.manifest.name().as_str()), published.path.to_string_lossy());
    ControlError {
        kind: ErrorKind::BadData,
        message: what,
        hint: Some(format!(
            "to share it as it is now: `ttctl share --replace {}`; \
             to have it as it was: `ttctl get --replace {name}`",
            shell::word(&path)
        )),
    }
}
