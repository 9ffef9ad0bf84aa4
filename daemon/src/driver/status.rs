//! Reports the state of resources and peers. Touches neither network nor disk.

use super::Driver;
use super::edited::edits;
use super::reasons::{
    Reason, checking_reason, conflict, following_reason, joined, limit, newer_version, reason, reuse_reason,
    told, unusable, words_of,
};
use super::wanted::record_of;
use crate::inbox::unknown;
use crate::library::{Blocked, Phase, Resource, Reused, Shaping, Why};
use crate::tracker::{Trouble, seconds};
use shared::chunk::CHUNK_BYTES;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, ResourceStatus, SignedBy, State, TrackerStatus};
use shared::shell;
use shared::swarm::{SwarmStatus, Waiting};
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Driver {
    pub(super) fn status(&self, what: Option<&str>) -> Result<Vec<ResourceStatus>, ControlError> {
        let before = self.checks.before();
        let status_of = |name: &ResourceName, key: SwarmKey| self.status_of(name, key, &before);
        let Some(what) = what else {
            let known = self.library.names().filter_map(|(name, key)| status_of(name, key));
            return Ok(known.chain(self.loading.left().filter_map(not_looked_at)).collect());
        };
        let found = self.library.find(what);
        if found.is_empty() {
            return Err(unknown(what));
        }
        Ok(found.iter().filter_map(|(name, key)| status_of(name, *key)).collect())
    }

    /// The state of a resource; `before` is the number of checks before those that wait.
    pub(super) fn status_of(
        &self,
        name: &ResourceName,
        key: SwarmKey,
        before: &BTreeMap<SwarmKey, u32>,
    ) -> Option<ResourceStatus> {
        let resource = self.library.get(key)?;
        let swarm = self.machine.status(key);
        let (state, reason, kind) = self.state_of(name, resource, swarm.as_ref(), before.get(&key).copied());
        let trackers = self.troubles(resource).map(|(url, trouble)| TrackerStatus {
            url,
            trouble: trouble.as_ref().map(|(_, trouble)| trouble.to_string()),
            trouble_s: trouble.as_ref().map(|(lasting, _)| lasting.as_secs()),
            lasting: trouble.map(|(lasting, trouble)| trouble.lasting(lasting)),
        });
        let have = chunks_right(resource);
        let bytes_total = resource.source().and_then(|source| source.bytes());
        let download = resource.rates.download();
        let nothing = Reused::default();
        let (bytes_fetched, reused) = match (&resource.phase, &resource.fetched) {
            (Phase::Seeding(_), Some(fetched)) if fetched.name == *name => {
                (fetched.bytes_fetched, &fetched.reused)
            }
            (Phase::Seeding(_), _) => (0, &nothing),
            _ => (resource.sources.bytes(), resource.sources.reused()),
        };
        let is_moving = matches!(state, State::Downloading);
        let rest = u64::from(resource.count().get() - have) * u64::from(CHUNK_BYTES);
        Some(ResourceStatus {
            name: name.clone(),
            resource: key.resource,
            state,
            reason: reason.whole(),
            reason_here: reason.here,
            kind,
            chunks_have: have,
            chunks_total: resource.count().get(),
            bytes_have: bytes_have(resource, have, bytes_total),
            bytes_total,
            bytes_told: resource.bytes_told.filter(|_| bytes_total.is_none()),
            peers: swarm.map_or(0, |swarm| swarm.peers),
            download_bytes_per_s: download,
            upload_bytes_per_s: resource.rates.upload(),
            downloaded_bytes: resource.traffic.received.load(Ordering::Relaxed),
            uploaded_bytes: resource.traffic.sent.load(Ordering::Relaxed),
            eta_s: (is_moving && download > 0).then(|| rest.div_ceil(download)),
            trackers: trackers.collect(),
            upload_peers: self.machine.takers_count(self.now(), key),
            wanted_by: self.wanting(name, None),
            added_at_ms: record_of(resource, name).map(|record| record.added_at_ms).filter(|&ms| ms != 0),
            path: None,
            is_tree: resource.is_tree,
            taken_back: record_of(resource, name).is_some_and(|record| record.taken_back),
            signed: record_of(resource, name).and_then(|record| record.signature()).map(SignedBy::from),
            bytes_fetched,
            bytes_reused: reused.bytes,
            chunks_reused: reused.chunks,
            reused_from: reused.largest(),
            chunks_from_files: reused.chunks_from_files,
        })
    }

    fn state_of(
        &self,
        name: &ResourceName,
        resource: &Resource,
        swarm: Option<&SwarmStatus>,
        before: Option<u32>,
    ) -> (State, Reason, Option<ErrorKind>) {
        if let Some(why) = resource.troubles.get(name) {
            let kind = match &resource.phase {
                Phase::Failed(failure) => failure.why.kind(),
                _ if why.is_for_room() => ErrorKind::NoSpace,
                _ => ErrorKind::Refused, // only this name has a problem, not the resource
            };
            return (State::Error, words_of(why).into(), Some(kind));
        }
        if resource.record.paused {
            return (State::Paused, "paused by a user".into(), None);
        }
        if let Some(why) = self.folder_trouble() {
            return told_as(State::Waiting, &why);
        }
        match &resource.phase {
            Phase::Checking(checking) => (State::Checking, checking_reason(checking, before).into(), None),
            Phase::Opening(_) => (State::Checking, "creating its files".into(), None),
            Phase::Accepted(blocked) => told_as(State::Waiting, &blocked.why),
            Phase::Failed(_) if resource.is_disproved() && self.lists.is_looking(resource.key().resource) => {
                let reason = "the manifest is wrong; asking the trackers for another one";
                (State::Waiting, reason.into(), None)
            }
            Phase::Failed(failure) => told_as(State::Error, &failure.why),
            Phase::Seeding(_) => {
                let is_there = |name: &ResourceName| {
                    resource
                        .record
                        .names
                        .iter()
                        .any(|record| record.name == *name && record.published.is_some())
                };
                if is_there(name) {
                    let (newer, reason) = (newer_versions(resource, name), self.seeding_reason(resource));
                    let state = if newer.is_some() { State::Outdated } else { State::Seeding };
                    let unsigned = to_be_signed(resource, name);
                    (state, Reason { here: joined([newer, unsigned, reason.here]), ..reason }, None)
                } else {
                    (State::Checking, "copying it from its other name".into(), None)
                }
            }
            Phase::Fetching(fetching) => match &fetching.blocked {
                // A trouble of the disk may pass; a name that is taken stays taken.
                Some(Blocked { why, probing: true, .. }) if stays(why) => {
                    (State::Checking, "looking whether its name is free".into(), None)
                }
                Some(blocked) if stays(&blocked.why) => told_as(State::Error, &blocked.why),
                Some(blocked) => told_as(State::Waiting, &blocked.why),
                None if let Some(words) = reuse_reason(resource, &fetching.reuse) => {
                    (State::Checking, words.into(), None)
                }
                None if fetching.zeros_left > 0 => {
                    (State::Checking, "making its chunks of zeros".into(), None)
                }
                None if fetching.have.is_full() && fetching.shaping == Shaping::Working => {
                    (State::Checking, "laying out its directory, when those before it are done".into(), None)
                }
                None if fetching.have.is_full() => (State::Checking, "verifying the whole file".into(), None),
                None if self.context.down.is_paused() => (State::Waiting, self.download_limit().into(), None),
                None => self.fetching_state(resource, swarm),
            },
        }
    }

    /// The state of a download that is in its swarm, or about to join it.
    pub(super) fn fetching_state(
        &self,
        resource: &Resource,
        swarm: Option<&SwarmStatus>,
    ) -> (State, Reason, Option<ErrorKind>) {
        let Some(swarm) = swarm else { return (State::Waiting, "joining the swarm".into(), None) };
        // A moment between two requests is not a standstill, and its reason would come and go.
        let is_moment = |waiting: &Waiting| {
            matches!(waiting, Waiting::Busy { .. } | Waiting::Zone | Waiting::Turn)
                && resource.rates.download() > 0
        };
        let Some(waiting) = swarm.waiting_at(self.now()).filter(|waiting| !is_moment(waiting)) else {
            return (State::Downloading, joined([conflict(resource), self.download_limit()]).into(), None);
        };
        let for_peers = matches!(
            waiting,
            Waiting::NoPeers { .. }
                | Waiting::NoSource { .. }
                | Waiting::Connecting { .. }
                | Waiting::Dropped { .. }
        );
        let mut reasons = vec![Some(reason(&waiting))];
        if matches!(waiting, Waiting::Withheld { .. })
            && let Phase::Fetching(fetching) = &resource.phase
        {
            reasons[0] = following_reason(fetching, resource.count().get()).or_else(|| reasons[0].take());
        }
        if matches!(waiting, Waiting::Silent { .. }) {
            let quiet = self.now().since(swarm.moved_at);
            reasons[0] = reasons[0].take().map(|reason| format!("{reason} for {}", seconds(quiet)));
            reasons.push(self.download_limit());
        }
        let mut trackers = None;
        if for_peers {
            trackers = joined(self.troubles(resource).map(|(url, trouble)| Some(unusable(&url, &trouble?))));
            reasons.push(conflict(resource));
        }
        let state =
            if matches!(waiting, Waiting::Withheld { .. }) { State::Downloading } else { State::Waiting };
        (state, Reason { here: joined(reasons), trackers }, None)
    }

    /// What is wrong with a finished resource: without a tracker nobody new finds it.
    fn seeding_reason(&self, resource: &Resource) -> Reason {
        let troubles: Option<Vec<String>> =
            self.troubles(resource).map(|(url, trouble)| Some(unusable(&url, &trouble?))).collect();
        let unknown = troubles.filter(|troubles| !troubles.is_empty()).map(|troubles| troubles.join("; "));
        let unknown = unknown.map(|troubles| format!("new machines cannot find it: {troubles}"));
        let standings =
            resource.standings.iter().map(|(url, (standing, at))| told(url, standing, at.elapsed()));
        let names = joined(standings.map(Some));
        let edits = resource
            .edited
            .as_ref()
            .map(|edited| edits(resource.manifest.name(), edited, resource.record.origin));
        let here = joined([edits, names, conflict(resource), limit("upload", &self.context.up)]);
        Reason { here, trackers: unknown }
    }

    fn download_limit(&self) -> Option<String> {
        limit("download", &self.context.down)
    }

    /// A resource's troubled trackers, with how long each trouble has lasted.
    fn troubles(
        &self,
        resource: &Resource,
    ) -> impl Iterator<Item = (TrackerUrl, Option<(Duration, Trouble)>)> {
        let (key, trackers) = (resource.key(), resource.trackers());
        // A resource that is not announced has no state at its trackers.
        let is_announced = self.machine.status(key).is_some();
        trackers.into_iter().map(move |url| {
            let trouble = is_announced.then(|| self.trackers.trouble(&url, key)).flatten();
            (url, trouble)
        })
    }
}

/// What the trackers of a resource say of newer versions of one of its names.
fn newer_versions(resource: &Resource, name: &ResourceName) -> Option<String> {
    let trackers = resource.trackers();
    let told = resource.newer.iter().filter(|(tracker, _)| trackers.contains(tracker));
    joined(told.filter_map(|(tracker, newer)| {
        Some(Some(newer_version(tracker, newer.of(name)?, newer.heard.elapsed(), &resource.record)))
    }))
}

/// What is missing if a name was shared to be signed and is not signed yet.
fn to_be_signed(resource: &Resource, name: &ResourceName) -> Option<String> {
    record_of(resource, name).filter(|record| record.to_be_signed)?;
    let sign = format!("`ttctl sign {} -s KEY`", shell::word(name.as_str()));
    Some(format!("it is not published yet, because it is to be signed; to sign it: {sign}"))
}

/// Whether a reason stays until somebody does something.
fn stays(why: &Why) -> bool {
    matches!(
        why,
        Why::NotTrusted(_) | Why::NameTaken(_) | Why::DirectoryTaken { .. } | Why::NoDirectoryName(_)
    )
}

/// The state of a resource that is held up for this reason.
fn told_as(state: State, why: &Why) -> (State, Reason, Option<ErrorKind>) {
    (state, words_of(why).into(), Some(why.kind()))
}

/// The state of a resource of the last run of which only the id is known yet.
pub(super) fn not_looked_at(resource: ResourceId) -> Option<ResourceStatus> {
    let reason = "not examined yet: ttd has just started";
    Some(ResourceStatus {
        reason: Some(reason.to_owned()),
        reason_here: Some(reason.to_owned()),
        ..ResourceStatus::new(short_name(resource)?, resource, State::Checking)
    })
}

/// A substitute for a name that is not known yet, made from the id; an id itself is not a valid name.
fn short_name(resource: ResourceId) -> Option<ResourceName> {
    format!("{}…", &resource.to_string()[..16]).parse().ok()
}

/// The chunks that are verified and written; of a file that differs, those that its check found to be right.
fn chunks_right(resource: &Resource) -> u32 {
    match &resource.phase {
        Phase::Failed(failure) => failure.why.chunks_right().unwrap_or(0),
        _ => resource.have(),
    }
}

fn bytes_have(resource: &Resource, have: u32, bytes_total: Option<u64>) -> u64 {
    let full = u64::from(have) * u64::from(CHUNK_BYTES);
    // The last chunk may be short, and its length is known once we have it.
    match bytes_total {
        Some(bytes) => full.saturating_sub(resource.count().bytes_max().saturating_sub(bytes)),
        None => full,
    }
}
