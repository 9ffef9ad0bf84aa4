//! Signs the manifest of a file that is shared from this machine: ttd gives its parts and gets the signature. The key
//! stays here.

use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::error::Error;
use crate::progress::Progress;
use crate::signing_key::SigningKey;
use crate::tasks;
use shared::host::clock;
use shared::id::ChunkHash;
use shared::manifest::Manifest;
use shared::rpc::control::{PART_HASHES, Shared, SignRequest};
use shared::signature::SignatureText;
use std::time::Duration;

/// How long ttd may take to check a signature, which it does by hashing the text of the manifest.
const SIGN_TIMEOUT: Duration = Duration::from_secs(60);

/// Signs what has this name, and waits until the trackers have the signature.
pub(crate) async fn sign_shared(
    daemon: &Daemon,
    key: &SigningKey,
    what: &str,
    progress: Progress,
) -> Result<(Shared, SignatureText), Error> {
    let manifest = manifest(daemon, what).await?;
    let signature = key.sign(&manifest, clock::time_of_day().as_secs())?;
    let (name, public_key) = (manifest.name().clone(), key.public()?);
    let request = SignRequest { name, signature: signature.clone(), public_key };
    let task = daemon.caller.sign(request, SIGN_TIMEOUT).await??;
    Ok((tasks::shared(daemon, task, progress).await?, signature))
}

/// The manifest that ttd has under a name, put together of its parts.
async fn manifest(daemon: &Daemon, what: &str) -> Result<Manifest, Error> {
    let mut hashes: Vec<ChunkHash> = Vec::new();
    for number in 0.. {
        let part = daemon.caller.manifest(what.to_owned(), number, CALL_TIMEOUT).await??;
        let (bytes, count) = (&part.hashes.bytes, part.count.get() as usize);
        let hash = |bytes: &[u8]| ChunkHash(bytes.try_into().expect("a hash has 32 bytes"));
        hashes.extend(bytes.chunks_exact(32).map(hash));
        let is_last = hashes.len() >= count || bytes.len() < PART_HASHES as usize * 32;
        if is_last {
            let manifest = Manifest::new(part.name, part.resource, part.trackers, hashes);
            return manifest.map_err(|why| {
                Error::refused(format!("{what} was shared anew while it was being signed ({why})"))
                    .hint("sign it again")
            });
        }
    }
    Err(Error::internal(format!("ttd sent no end of the manifest of {what}")))
}
