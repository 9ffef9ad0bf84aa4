//! Looking up a manifest in the trackers' catalogues.

use super::{CALL_TIMEOUT, Session, Trouble};
use crate::context::Context;
use futures::stream::{FuturesUnordered, StreamExt};
use shared::id::{ChunkHash, SwarmKey};
use shared::manifest::Manifest;
use shared::rpc::tracker::{Lookup, PAGE_HASHES, Publication};
use shared::url::TrackerUrl;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long all trackers together may take to answer.
const ASK_MAX: Duration = Duration::from_secs(60);
/// How long the others may take once one has answered.
const GRACE: Duration = Duration::from_secs(2);
/// How far ahead of ours a sharer's clock may be.
const AHEAD_MAX: Duration = Duration::from_secs(300);

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

/// Asks all trackers at once; the newest publication wins. Those that are silent are not waited for long once another
/// one has answered, and what a tracker cannot give is taken from the next one that knows it.
///
/// # Errors
/// When no tracker has it, or none answers, or what it has is no manifest.
pub async fn find(context: &Arc<Context>, trackers: &[TrackerUrl], what: &Lookup) -> Result<Hit, Miss> {
    let (mut known, silent, answered) = ask_all(context, trackers, what).await;
    known.sort_by_key(|known| std::cmp::Reverse(known.publication.shared_at_ms));
    let mut bad = None;
    for Known { tracker, session, publication } in known {
        let shared_at_ms = publication.shared_at_ms;
        match fetch(&session, publication).await {
            Ok(manifest) => return Ok(Hit { manifest, shared_at_ms, tracker }),
            Err(why) => _ = bad.get_or_insert((tracker, why)),
        }
    }
    Err(match bad {
        Some((tracker, why)) => Miss::Bad(tracker, why),
        None if answered => Miss::Unknown,
        None => Miss::Unreachable(silent),
    })
}

/// A publication, and where to get it.
struct Known {
    tracker: TrackerUrl,
    session: Session,
    publication: Publication,
}

/// What the trackers know, which of them did not answer and why, and whether any did.
async fn ask_all(
    context: &Arc<Context>,
    trackers: &[TrackerUrl],
    what: &Lookup,
) -> (Vec<Known>, Vec<(TrackerUrl, String)>, bool) {
    let asked = trackers.iter().map(|url| async move { (url, find_at(context, url, what).await) });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let (mut known, mut silent, mut answered) = (Vec::new(), Vec::new(), false);
    let mut grace = std::pin::pin!(tokio::time::sleep(ASK_MAX));
    loop {
        let (url, answer) = tokio::select! {
            next = asked.next() => match next {
                Some(next) => next,
                None => break,
            },
            () = &mut grace => break,
        };
        match answer {
            Ok((session, publication)) => {
                if let Some(publication) = publication {
                    // The others may know a newer one.
                    grace.as_mut().reset(tokio::time::Instant::now() + GRACE);
                    known.push(Known { tracker: url.clone(), session, publication });
                }
                answered = true;
            }
            Err(trouble) => silent.push((url.clone(), trouble.to_string())),
        }
    }
    (known, silent, answered)
}

async fn find_at(
    context: &Context,
    url: &TrackerUrl,
    what: &Lookup,
) -> Result<(Session, Option<Publication>), Trouble> {
    let session = Session::open(context, url).await?;
    let publication = session.caller.find(what.clone(), CALL_TIMEOUT).await??;
    let fits = |publication: &Publication| match what {
        Lookup::Name(name) => publication.name == *name,
        Lookup::Resource(id) => publication.key.resource == *id,
    };
    match publication {
        Some(publication) if !fits(&publication) => {
            Err(Trouble::Nonsense("it answered with something else".to_owned()))
        }
        Some(publication) => Ok((session, Some(not_ahead(publication)))),
        None => Ok((session, None)),
    }
}

/// What was shared in the future would be the newest of its name for ever: nobody knows when it was shared.
#[expect(clippy::disallowed_methods, reason = "publications bear the time of day")]
fn not_ahead(mut publication: Publication) -> Publication {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = u64::try_from((now + AHEAD_MAX).as_millis()).unwrap_or(u64::MAX);
    if publication.shared_at_ms > latest {
        publication.shared_at_ms = 0;
    }
    publication
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
