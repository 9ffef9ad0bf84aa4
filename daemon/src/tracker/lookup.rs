//! Looks manifests up in the trackers' catalogues.

use super::dates;
use super::health::Trouble;
use super::session::{CALL_TIMEOUT, Session};
use crate::inbox::{Context, Hit};
use crate::jobs;
use crate::trust::Refused;
use futures::stream::{FuturesUnordered, StreamExt};
use shared::id::{ChunkHash, SwarmKey};
use shared::manifest::Manifest;
use shared::rpc::tracker::{CANDIDATES_MAX, Lookup, NotAllowed, PAGE_HASHES, Publication, TrackerError};
use shared::url::TrackerUrl;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long the lookup may take in all. A tracker that has not answered by then counts as unreachable.
const ASK_MAX: Duration = Duration::from_secs(60);
/// How long to wait for the other trackers after the first has answered, because they may know something newer. Those
/// that take longer are ignored: a dead tracker must not delay each download.
const GRACE: Duration = Duration::from_secs(2);

/// Why nothing was found.
#[derive(Debug)]
pub enum Miss {
    /// Trackers answered, and none knows it.
    Unknown,
    /// No tracker answered; the reason of each.
    Unreachable(Vec<(TrackerUrl, Trouble)>),
    /// A tracker's manifest for it is invalid.
    Bad(TrackerUrl, String),
    /// None of the manifests for it has the signature that its name needs; what is wrong with the first one.
    NotTrusted(Refused),
    /// A tracker does not allow it to this machine, for this reason, and no other tracker knows it.
    NotAllowed(TrackerUrl, String),
}

/// Asks all trackers at once and returns the newest publication, by their dates, that has the signature which its name needs;
/// lists that are known to be false are left out. After the first answer, silent trackers have [`GRACE`]. If a tracker fails to deliver the manifest, the
/// next one that knows it is asked.
///
/// # Errors
/// When no tracker knows it, none answers, or its manifest is invalid.
pub async fn find(
    context: &Arc<Context>,
    trackers: &[TrackerUrl],
    what: &Lookup,
    is_false: &BTreeSet<SwarmKey>,
    allows_older: bool,
) -> Result<Hit, Miss> {
    let Answers { known, silent, not_allowed, answered } = ask_all(context, trackers, what).await;
    let (mut bad, mut refused) = (None, None);
    for (known, Candidate { publication, .. }) in in_order(&known, is_false) {
        let shared_at_ms = publication.shared_at_ms;
        let (trust, signature) = (context.trust.clone(), publication.signature.clone());
        if let Err(why) = trust.foresee(&publication.name, signature.as_ref(), allows_older) {
            refused.get_or_insert(why);
            continue;
        }
        match fetch(&known.session, publication.clone()).await {
            Ok(manifest) => {
                let (judged, signed) = (manifest.clone(), signature.clone());
                let judge = move || trust.judge(&judged, signed.as_ref(), allows_older);
                if let Ok(Err(why)) = jobs::run(judge).await {
                    refused.get_or_insert(why);
                    continue;
                }
                let tracker = known.tracker.clone();
                return Ok(Hit { manifest, signature, shared_at_ms, tracker });
            }
            Err(why) => _ = bad.get_or_insert((known.tracker.clone(), why)),
        }
    }
    Err(match (bad, refused) {
        (_, Some(why)) => Miss::NotTrusted(why),
        (Some((tracker, why)), None) => Miss::Bad(tracker, why),
        (None, None) => match not_allowed {
            Some((tracker, why)) => Miss::NotAllowed(tracker, why),
            None if answered => Miss::Unknown,
            None => Miss::Unreachable(silent),
        },
    })
}

/// What the trackers answered.
#[derive(Default)]
struct Answers {
    /// Those that know it.
    known: Vec<AskedTracker>,
    /// The reasons of those that did not answer.
    silent: Vec<(TrackerUrl, Trouble)>,
    /// The first that does not allow it to this machine, and why.
    not_allowed: Option<(TrackerUrl, String)>,
    /// Whether any said what it knows.
    answered: bool,
}

/// Why a tracker did not say what it knows.
enum NotSaid {
    NotAllowed(NotAllowed),
    Trouble(Trouble),
}

impl<T: Into<Trouble>> From<T> for NotSaid {
    fn from(trouble: T) -> NotSaid {
        NotSaid::Trouble(trouble.into())
    }
}

/// A tracker's answer, the best publication first.
struct AskedTracker {
    tracker: TrackerUrl,
    session: Session,
    candidates: Vec<Candidate>,
}

/// A publication that may be the one to fetch.
struct Candidate {
    publication: Publication,
    /// Its position in its tracker's answer.
    place: usize,
}

/// The order in which publications are tried: first those that come first in their tracker's answer, and among these
/// the newer before the older.
fn in_order<'a>(
    known: &'a [AskedTracker],
    is_false: &BTreeSet<SwarmKey>,
) -> Vec<(&'a AskedTracker, &'a Candidate)> {
    let all = known.iter().flat_map(|known| known.candidates.iter().map(move |candidate| (known, candidate)));
    let mut all: Vec<_> =
        all.filter(|(_, candidate)| !is_false.contains(&candidate.publication.key)).collect();
    all.sort_by_key(|(_, Candidate { publication, place })| {
        (*place, std::cmp::Reverse(publication.shared_at_ms))
    });
    all
}

/// Asks all trackers.
async fn ask_all(context: &Arc<Context>, trackers: &[TrackerUrl], what: &Lookup) -> Answers {
    let asked = trackers.iter().map(|url| async move { (url, find_at(context, url, what).await) });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut answers = Answers::default();
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
            Ok((session, candidates)) => {
                if !candidates.is_empty() {
                    // The other trackers may know a newer publication.
                    grace.as_mut().reset(tokio::time::Instant::now() + GRACE);
                    answers.known.push(AskedTracker { tracker: url.clone(), session, candidates });
                }
                answers.answered = true;
            }
            Err(NotSaid::NotAllowed(why)) => {
                answers.not_allowed.get_or_insert_with(|| (url.clone(), why.to_string()));
            }
            Err(NotSaid::Trouble(trouble)) => answers.silent.push((url.clone(), trouble)),
        }
    }
    answers
}

async fn find_at(
    context: &Context,
    url: &TrackerUrl,
    what: &Lookup,
) -> Result<(Session, Vec<Candidate>), NotSaid> {
    let session = Session::open(context, url).await?;
    let mut found = match session.caller.find(what.clone(), CALL_TIMEOUT).await? {
        Err(TrackerError::NotAllowed(why)) => return Err(NotSaid::NotAllowed(why)),
        found => found?,
    };
    found.truncate(CANDIDATES_MAX);
    let fits = |publication: &Publication| match what {
        Lookup::Name(name) => publication.name == *name,
        Lookup::Resource(id) => publication.key.resource == *id,
    };
    if found.iter().any(|entry| !fits(&entry.publication)) {
        return Err(Trouble::Nonsense("it answered with something else".to_owned()).into());
    }
    if found.is_empty() {
        return Ok((session, Vec::new()));
    }
    // The tracker's dates are by its own clock.
    let clocks = dates::Dates::default().compare(&session.caller).await?;
    let candidate = |(place, mut publication): (usize, Publication)| {
        publication.shared_at_ms = clocks.ours(publication.shared_at_ms);
        Candidate { publication, place }
    };
    let publications = found.into_iter().map(|entry| entry.publication).enumerate();
    Ok((session, publications.map(candidate).collect()))
}

/// Fetches a manifest's pages, and checks that its digest is the published one.
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
