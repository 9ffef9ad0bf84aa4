//! Says how things are. Touches neither network nor disk.

use super::Driver;
use super::manage::unknown;
use crate::library::{Phase, Resource};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, PeerInfo, ResourceStatus, State, Watched};
use shared::swarm::{SwarmStatus, Waiting};
use std::sync::atomic::Ordering;

impl Driver {
    pub(super) fn status(&self, what: Option<&str>) -> Result<Vec<ResourceStatus>, ControlError> {
        let Some(what) = what else {
            return Ok(self.library.names().filter_map(|(name, key)| self.status_of(name, key)).collect());
        };
        let found = self.library.find(what);
        if found.is_empty() {
            return Err(unknown(what));
        }
        Ok(found.iter().filter_map(|(name, key)| self.status_of(name, *key)).collect())
    }

    pub(super) fn watched(&self, what: Option<&str>) -> Result<Watched, ControlError> {
        Ok(Watched { seen: *self.revision.borrow(), resources: self.status(what)? })
    }

    pub(super) fn peers(&self, what: &str) -> Result<Vec<PeerInfo>, ControlError> {
        let (_, key) = self.one(what)?;
        let chunks_total = self.library.get(key).map_or(0, |resource| resource.count().get());
        let info = |peer: shared::swarm::PeerStatus| PeerInfo {
            addr: peer.peer,
            connected: peer.connected,
            chunks_have: peer.have,
            chunks_total,
            in_flight: peer.in_flight,
            chunks_received: peer.chunks_received,
            chunks_corrupt: peer.chunks_corrupt,
        };
        Ok(self.machine.peers(key).into_iter().map(info).collect())
    }

    fn status_of(&self, name: &ResourceName, key: SwarmKey) -> Option<ResourceStatus> {
        let resource = self.library.get(key)?;
        let swarm = self.machine.status(key);
        let (state, reason, kind) = self.state_of(name, resource, swarm.as_ref());
        let have = resource.have();
        let bytes_total = resource.source().and_then(|source| source.bytes());
        let download = resource.rates.download();
        let is_moving = matches!(state, State::Downloading);
        let rest = u64::from(resource.count().get() - have) * u64::from(CHUNK_BYTES);
        Some(ResourceStatus {
            name: name.clone(),
            resource: key.resource,
            state,
            reason,
            kind,
            chunks_have: have,
            chunks_total: resource.count().get(),
            bytes_have: bytes_have(resource, bytes_total),
            bytes_total,
            peers: swarm.map_or(0, |swarm| swarm.peers),
            download_bytes_per_s: download,
            upload_bytes_per_s: resource.rates.upload(),
            downloaded_bytes: resource.traffic.received.load(Ordering::Relaxed),
            uploaded_bytes: resource.traffic.sent.load(Ordering::Relaxed),
            eta_s: (is_moving && download > 0).then(|| rest.div_ceil(download)),
        })
    }

    fn state_of(
        &self,
        name: &ResourceName,
        resource: &Resource,
        swarm: Option<&SwarmStatus>,
    ) -> (State, Option<String>, Option<ErrorKind>) {
        if let Some(trouble) = resource.troubles.get(name) {
            let kind = match &resource.phase {
                Phase::Failed(failure) => failure.kind,
                _ => ErrorKind::Refused,
            };
            return (State::Error, Some(trouble.clone()), Some(kind));
        }
        if resource.record.paused {
            return (State::Paused, Some("paused by an operator".to_owned()), None);
        }
        if let Some(reason) = &self.away {
            return (State::Waiting, Some(reason.clone()), Some(ErrorKind::Refused));
        }
        let conflict = || {
            let text = "a tracker knows the same resource with another list of chunks: one of the two manifests is false";
            resource.conflict.then(|| text.to_owned())
        };
        match &resource.phase {
            Phase::Checking(checking) => {
                let done = checking.done.load(Ordering::Relaxed);
                let percent = (done * 100).checked_div(checking.total).unwrap_or(0);
                (State::Checking, Some(format!("checking {percent} %")), None)
            }
            Phase::Accepted(blocked) => (State::Waiting, Some(blocked.reason.clone()), Some(blocked.kind)),
            Phase::Failed(failure) => (State::Error, Some(failure.reason.clone()), Some(failure.kind)),
            Phase::Seeding(_) => {
                let is_there = |name: &ResourceName| {
                    resource
                        .record
                        .names
                        .iter()
                        .any(|record| record.name == *name && record.published.is_some())
                };
                if is_there(name) {
                    (State::Seeding, conflict(), None)
                } else {
                    (State::Checking, Some("being copied from its other name".to_owned()), None)
                }
            }
            Phase::Fetching(fetching) => match &fetching.blocked {
                // Whatever the disk says may pass; a name that is taken does not by itself.
                Some(blocked) if blocked.kind != ErrorKind::Refused => {
                    (State::Waiting, Some(blocked.reason.clone()), Some(blocked.kind))
                }
                Some(blocked) => (State::Error, Some(blocked.reason.clone()), Some(blocked.kind)),
                None if fetching.have.is_full() => {
                    (State::Checking, Some("checking the whole and publishing".to_owned()), None)
                }
                None => self.fetching_state(resource, swarm, conflict()),
            },
        }
    }

    fn fetching_state(
        &self,
        resource: &Resource,
        swarm: Option<&SwarmStatus>,
        conflict: Option<String>,
    ) -> (State, Option<String>, Option<ErrorKind>) {
        let Some(swarm) = swarm else { return (State::Waiting, Some("joining the swarm".to_owned()), None) };
        let Some(waiting) = &swarm.waiting else { return (State::Downloading, conflict, None) };
        let mut reason = reason(waiting);
        if let Waiting::NoPeers { .. } | Waiting::NoSource { .. } = waiting {
            for url in resource.trackers() {
                if let Some((since, why)) = self.trackers.health(&url).trouble {
                    reason =
                        format!("{reason}; {url} unreachable for {} s ({why})", since.elapsed().as_secs());
                }
            }
            if let Some(conflict) = conflict {
                reason = format!("{reason}; {conflict}");
            }
        }
        // A moment between two requests is no standstill.
        let state = match waiting {
            Waiting::Busy { .. } | Waiting::Zone if resource.rates.download() > 0 => State::Downloading,
            _ => State::Waiting,
        };
        (state, Some(reason), None)
    }
}

fn reason(waiting: &Waiting) -> String {
    let list = |chunks: &[ChunkIndex], total: u32| {
        let shown: Vec<String> = chunks.iter().take(5).map(ToString::to_string).collect();
        let more = if total as usize > shown.len() { ", …" } else { "" };
        let word = if total == 1 { "chunk" } else { "chunks" };
        format!("{word} {}{more}", shown.join(", "))
    };
    match waiting {
        Waiting::NoPeers { known: 0 } => "no peer is known".to_owned(),
        Waiting::NoPeers { known: 1 } => "the only known peer cannot be reached".to_owned(),
        Waiting::NoPeers { known } => format!("none of {known} known peers can be reached"),
        Waiting::NoSource { chunks, total } => format!("no peer has {}", list(chunks, *total)),
        Waiting::OnlyCorrupt { chunks, peers } => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            let total = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
            format!(
                "{} came corrupt from the only peers that have it: {}",
                list(chunks, total),
                peers.join(", ")
            )
        }
        Waiting::Zone => "other machines of this zone fetch what is missing".to_owned(),
        Waiting::Busy { peers: 1 } => "the only peer is busy".to_owned(),
        Waiting::Busy { peers } => format!("{peers} peers, all busy"),
    }
}

fn bytes_have(resource: &Resource, bytes_total: Option<u64>) -> u64 {
    let full = u64::from(resource.have()) * u64::from(CHUNK_BYTES);
    // the last chunk may be short, and its length is known once we have it
    match bytes_total {
        Some(bytes) => full.saturating_sub(resource.count().bytes_max() - bytes),
        None => full,
    }
}
