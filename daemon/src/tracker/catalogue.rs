//! Looking up a manifest in the trackers' catalogues.

use super::{CALL_TIMEOUT, Session};
use crate::context::Context;
use shared::id::{ChunkHash, SwarmKey};
use shared::manifest::Manifest;
use shared::rpc::tracker::{Lookup, PAGE_HASHES, Publication};
use shared::url::TrackerUrl;
use std::sync::Arc;

/// What a catalogue has under a name or an id.
#[derive(Debug)]
pub struct Hit {
    /// The manifest.
    pub manifest: Manifest,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Which tracker's catalogue it was.
    pub tracker: TrackerUrl,
}

/// Why nothing was found.
#[derive(Debug)]
pub enum Miss {
    /// Trackers answered, and none has it.
    Unknown,
    /// No tracker answered; each with its reason.
    Unreachable(Vec<(TrackerUrl, String)>),
    /// A tracker has it, but its manifest is not right.
    Bad(TrackerUrl, String),
}

/// Asks all trackers at once; the newest publication wins.
///
/// # Errors
/// When no tracker has it, or none answers, or what it has is no manifest.
pub async fn find(context: &Arc<Context>, trackers: &[TrackerUrl], what: &Lookup) -> Result<Hit, Miss> {
    let asked = trackers.iter().map(|url| find_at(context, url, what));
    let answers = futures::future::join_all(asked).await;
    let (mut best, mut silent, mut answered): (Option<(TrackerUrl, Session, Publication)>, _, _) =
        (None, Vec::new(), false);
    for (url, answer) in trackers.iter().zip(answers) {
        match answer {
            Ok((session, Some(publication))) => {
                answered = true;
                if best.as_ref().is_none_or(|(_, _, other)| other.shared_at_ms < publication.shared_at_ms) {
                    best = Some((url.clone(), session, publication));
                }
            }
            Ok((_, None)) => answered = true,
            Err(why) => silent.push((url.clone(), why)),
        }
    }
    let Some((tracker, session, publication)) = best else {
        return Err(if answered { Miss::Unknown } else { Miss::Unreachable(silent) });
    };
    let shared_at_ms = publication.shared_at_ms;
    match fetch(&session, publication).await {
        Ok(manifest) => Ok(Hit { manifest, shared_at_ms, tracker }),
        Err(why) => Err(Miss::Bad(tracker, why)),
    }
}

async fn find_at(
    context: &Context,
    url: &TrackerUrl,
    what: &Lookup,
) -> Result<(Session, Option<Publication>), String> {
    let session = Session::open(context, url).await?;
    let answer = session.caller.find(what.clone(), CALL_TIMEOUT).await.map_err(|error| error.to_string())?;
    let publication = answer.map_err(|error| error.to_string())?;
    let fits = |publication: &Publication| match what {
        Lookup::Name(name) => publication.name == *name,
        Lookup::Resource(id) => publication.key.resource == *id,
    };
    match publication {
        Some(publication) if !fits(&publication) => Err("it answered with something else".to_owned()),
        publication => Ok((session, publication)),
    }
}

/// Fetches a manifest's pages. It counts only when its digest is the one that was published.
async fn fetch(session: &Session, publication: Publication) -> Result<Manifest, String> {
    let (key, count): (SwarmKey, u32) = (publication.key, publication.count.get());
    let mut hashes: Vec<ChunkHash> = Vec::new();
    for page in 0..count.div_ceil(PAGE_HASHES) {
        let answer =
            session.caller.manifest(key, page, CALL_TIMEOUT).await.map_err(|error| error.to_string())?;
        let bytes = answer.map_err(|error| error.to_string())?.hashes.bytes;
        let expected = (count - page * PAGE_HASHES).min(PAGE_HASHES) as usize * 32;
        if bytes.len() != expected {
            return Err(format!("page {page} of the manifest has {} bytes, not {expected}", bytes.len()));
        }
        let hash = |bytes: &[u8]| ChunkHash(bytes.try_into().expect("a hash has 32 bytes"));
        hashes.extend(bytes.chunks_exact(32).map(hash));
    }
    let manifest = Manifest::new(publication.name, key.resource, publication.trackers, hashes);
    let manifest = manifest.map_err(|error| error.to_string())?;
    if manifest.key() == key {
        Ok(manifest)
    } else {
        Err("its chunk list is not the one that was published".to_owned())
    }
}
