//! The parts of a manifest for whoever signs it, and the check of its signature.

use super::blocking::blocking;
use crate::inbox::Requests;
use bytes::{Bytes, BytesMut};
use shared::rpc::control::{ControlError, ErrorKind, ManifestPart, PART_HASHES, SignRequest, TaskId};
use shared::wanted::WantedBy;

/// A part of the manifest of a name.
pub async fn manifest_part(
    requests: &Requests,
    what: String,
    part: u32,
) -> Result<ManifestPart, ControlError> {
    let manifest = requests.manifest(what).await?;
    let hashes = manifest.hashes().chunks(PART_HASHES as usize).nth(part as usize).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(hashes.len() * 32);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    Ok(ManifestPart {
        name: manifest.name().clone(),
        resource: manifest.resource(),
        trackers: manifest.trackers().to_vec(),
        count: manifest.count(),
        hashes: Bytes::from(bytes).into(),
    })
}

/// Adds a signature to a name, if it is that of its manifest.
pub async fn sign(requests: &Requests, request: SignRequest, by: WantedBy) -> Result<TaskId, ControlError> {
    let SignRequest { name, signature, public_key } = request;
    let manifest = requests.manifest(name.to_string()).await?;
    let work = move || public_key.verify(&manifest, &signature).map(|()| (manifest, signature));
    let (manifest, signature) = blocking(move || Ok(work())).await?.map_err(|why| ControlError {
        kind: ErrorKind::BadData,
        message: format!("{name} was not signed: {why}"),
        hint: Some("it may have been shared anew meanwhile: sign it again".to_owned()),
    })?;
    requests.sign(manifest, signature, by).await
}
