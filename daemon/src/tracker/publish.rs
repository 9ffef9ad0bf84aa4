//! Publishing manifests in a tracker's catalogue.

use super::dates::Dates;
use super::entry::{AnnouncedEntry, NamedManifest};
use super::health::Trouble;
use super::publications::Cost;
use super::session::CALL_TIMEOUT;
use bytes::{Bytes, BytesMut};
use shared::date::Clocks;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::tracker::{
    Namesake, Offer, PAGE_HASHES, Publication, PublishReply, Role, TrackerCaller, TrackerError,
};

/// A tracker's answer to a resource's publication; of several names, the worst.
pub(super) type Outcome = Result<Option<Namesake>, TrackerError>;

/// The size of an entry's publication.
pub(super) fn cost(entry: &AnnouncedEntry) -> Cost {
    let bytes = |named: &NamedManifest| {
        let urls = named.manifest.trackers().iter().map(|url| 4 + url.as_str().len());
        let signature = named.signature.as_ref().map_or(0, |signature| signature.as_str().len());
        128 + named.name().as_str().len() + urls.sum::<usize>() + signature
    };
    let chunks = entry.manifests.first().map_or(0, |named| named.manifest.count().get());
    Cost { names: entry.to_publish().count(), chunks, bytes: entry.to_publish().map(bytes).sum() }
}

/// Publishes these under each of their names: either several small ones, or a single one. An error ends the connection.
pub(super) async fn publish(
    caller: TrackerCaller,
    dates: Dates,
    entries: Vec<(SwarmKey, AnnouncedEntry)>,
) -> Result<Vec<(SwarmKey, Outcome)>, Trouble> {
    let clocks = dates.compare(&caller).await?;
    match &entries[..] {
        [(key, entry)] if !cost(entry).is_small() => {
            Ok(vec![(*key, in_pages(&caller, clocks, entry).await?)])
        }
        entries => together(&caller, clocks, entries).await,
    }
}

/// Publishes small ones in one call, with their hashes.
async fn together(
    caller: &TrackerCaller,
    clocks: Clocks,
    entries: &[(SwarmKey, AnnouncedEntry)],
) -> Result<Vec<(SwarmKey, Outcome)>, Trouble> {
    let (mut offers, mut hashes) = (Vec::new(), BytesMut::new());
    for (_, entry) in entries {
        for named in entry.to_publish() {
            offers.push(offer(clocks, entry, named));
            named.manifest.hashes().iter().for_each(|hash| hashes.extend_from_slice(&hash.0));
        }
    }
    let count = offers.len();
    let replies = caller.publish_whole(offers, hashes.freeze().into(), CALL_TIMEOUT).await??;
    if replies.len() != count {
        return Err(Trouble::Nonsense("its answer does not fit what we published".to_owned()));
    }
    let mut replies = replies.into_iter();
    let mut outcomes = Vec::with_capacity(entries.len());
    for (key, entry) in entries {
        let mut outcome = Ok(None);
        for reply in replies.by_ref().take(entry.to_publish().count()) {
            outcome = worse(outcome, published(reply)?);
        }
        outcomes.push((*key, outcome));
    }
    Ok(outcomes)
}

/// Publishes a large one in pages.
async fn in_pages(
    caller: &TrackerCaller,
    clocks: Clocks,
    entry: &AnnouncedEntry,
) -> Result<Outcome, Trouble> {
    let mut outcome = Ok(None);
    for named in entry.to_publish() {
        let manifest = &named.manifest;
        let pages_max = manifest.count().get().div_ceil(PAGE_HASHES);
        let mut reply = caller.publish(offer(clocks, entry, named), CALL_TIMEOUT).await?;
        for _ in 0..pages_max {
            let Ok(PublishReply::NeedPage(page)) = reply else { break };
            if page >= pages_max {
                return Err(Trouble::Nonsense(format!("it wants page {page}, which does not exist")));
            }
            let bytes = page_of(manifest, page);
            reply = caller.publish_page(manifest.key(), page, bytes.into(), CALL_TIMEOUT).await?;
        }
        outcome = worse(outcome, published(reply)?);
    }
    Ok(outcome)
}

fn offer(clocks: Clocks, entry: &AnnouncedEntry, named: &NamedManifest) -> Offer {
    let manifest = &named.manifest;
    let publication = Publication {
        name: manifest.name().clone(),
        key: manifest.key(),
        count: manifest.count(),
        trackers: manifest.trackers().to_vec(),
        shared_at_ms: clocks.theirs(entry.shared_at_ms),
        bytes: entry.bytes,
        signature: named.signature.clone(),
    };
    let role = match (entry.origin, entry.claims) {
        (true, true) => Role::Claims,
        (true, false) => Role::Shares,
        (false, _) => Role::Holds,
    };
    Offer { publication, role }
}

fn published(reply: Result<PublishReply, TrackerError>) -> Result<Outcome, Trouble> {
    match reply {
        Ok(PublishReply::Published(instead)) => Ok(Ok(instead)),
        Ok(PublishReply::NeedPage(page)) => {
            Err(Trouble::Nonsense(format!("it wants page {page}, which does not exist, or which it has")))
        }
        Err(error) => Ok(Err(error)),
    }
}

fn worse(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Err(error), _) | (_, Err(error)) => Err(error),
        (one, other) => Ok(one?.or(other?)),
    }
}

fn page_of(manifest: &Manifest, page: u32) -> Bytes {
    let hashes = manifest.hashes().chunks(PAGE_HASHES as usize).nth(page as usize).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(hashes.len() * 32);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes.freeze()
}
