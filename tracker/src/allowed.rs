//! What the rules of `[[allow]]` do to the calls: which entries of an announce count, and what of an answer a caller is
//! shown. Pure.

use crate::memory::{Refusal, Registry, Who};
use crate::rights::Granted;
use shared::id::{ResourceId, SwarmKey};
use shared::rpc::tracker::{
    Announce, AnnounceAnswer, ListEntry, Lookup, NotAllowed, ResourceEntry, Right, TrackerError,
};
use shared::swarm::Time;

/// When a caller may announce again what it is not allowed to take part in, in milliseconds: the rules may change.
const REFUSED_AGAIN_MS: u32 = 60_000;

/// [`Registry::announce`] for the entries that the caller may announce. The others are answered with the reason, in the
/// same order.
///
/// # Errors
/// As [`Registry::announce`].
pub(crate) fn announce(
    granted: &Granted,
    registry: &mut Registry,
    now: Time,
    who: &Who,
    entries: &[Announce],
) -> Result<Vec<AnnounceAnswer>, Refusal> {
    if granted.is_everything() {
        return registry.announce(now, who, entries);
    }
    let may =
        |entry: &Announce| granted.may_join(registry.names_of_resource(entry.key.resource), &entry.names);
    let verdicts: Vec<Result<(), NotAllowed>> = entries.iter().map(may).collect();
    let with_verdicts = entries.iter().zip(&verdicts);
    let allowed: Vec<Announce> =
        with_verdicts.filter(|(_, verdict)| verdict.is_ok()).map(|(entry, _)| entry.clone()).collect();
    let mut answers = registry.announce(now, who, &allowed)?.into_iter();
    let merged = entries.iter().zip(verdicts).filter_map(|(entry, verdict)| match verdict {
        Ok(()) => answers.next().map(|answer| shown(granted, entry, answer)),
        Err(why) => Some(refused(why)),
    });
    Ok(merged.collect())
}

/// An answer without what the caller may not know, or could not do.
fn shown(granted: &Granted, entry: &Announce, mut answer: AnnounceAnswer) -> AnnounceAnswer {
    answer.newer.retain(|other| granted.may_take_part(&other.name));
    answer.want_manifest &= entry.names.iter().any(|name| granted.may(Right::Publish, name).is_ok());
    answer
}

fn refused(why: NotAllowed) -> AnnounceAnswer {
    AnnounceAnswer {
        peers: Vec::new(),
        interval_ms: REFUSED_AGAIN_MS,
        want_manifest: false,
        conflict: false,
        shared_at_ms: None,
        seeders: 0,
        leechers: 0,
        newer: Vec::new(),
        bytes: None,
        not_allowed: Some(why),
    }
}

/// Refuses a question about a name that the caller may not ask about. Whether there is such a name makes no difference.
///
/// # Errors
/// The reason.
pub(crate) fn may_ask(granted: &Granted, right: Right, what: &Lookup) -> Result<(), TrackerError> {
    match what {
        Lookup::Name(name) => granted.may(right, name).map_err(TrackerError::NotAllowed),
        Lookup::Resource(_) => Ok(()), // the answer has what the caller may see
    }
}

/// Whether the caller may see who has a resource, or how far each machine is with it.
///
/// # Errors
/// When it may not. An unknown resource counts as one without a name.
pub(crate) fn may_see(
    granted: &Granted,
    registry: &Registry,
    right: Right,
    resource: ResourceId,
) -> Result<(), TrackerError> {
    granted.may_any(right, registry.names_of_resource(resource)).map_err(TrackerError::NotAllowed)
}

/// Whether the caller may read a list of chunk hashes.
///
/// # Errors
/// When it may not.
pub(crate) fn may_read(granted: &Granted, registry: &Registry, key: SwarmKey) -> Result<(), TrackerError> {
    granted.may_any(Right::Fetch, registry.names_of(key)).map_err(TrackerError::NotAllowed)
}

/// Leaves out the publications that the caller may not fetch.
pub(crate) fn only_fetchable(granted: &Granted, entries: &mut Vec<ListEntry>) {
    entries.retain(|entry| granted.may(Right::Fetch, &entry.publication.name).is_ok());
}

/// Leaves out the resources of a peer that the caller may not fetch.
pub(crate) fn only_fetchable_resources(granted: &Granted, entries: &mut Vec<ResourceEntry>) {
    entries.retain(|entry| granted.may_any(Right::Fetch, entry.name.iter()).is_ok());
}
