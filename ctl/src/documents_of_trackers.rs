//! The documents of `ttctl tracker --json`; what holds for all of them is in `documents`.

use crate::documents::Signed;
use serde::Serialize;
use shared::rpc::control::SignedBy;
use shared::rpc::tracker::{ListEntry, PeerEntry, ResourceEntry, Stage};
use std::net::SocketAddr;

/// `tracker list`
#[derive(Debug, Serialize)]
pub(crate) struct Publications {
    pub(crate) tracker: String,
    pub(crate) publications: Vec<Publication>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Publication {
    name: String,
    resource: String,
    list_digest: String,
    chunks_total: u32,
    trackers: Vec<String>,
    /// Milliseconds since 1970; `null` if unknown.
    shared_at_ms: Option<u64>,
    seeders: u32,
    leechers: u32,
    /// The size as reported by a machine that has all of it; `null` if none reported one.
    bytes: Option<u64>,
    /// What its signature says of itself; `null` if it has none. Whoever fetches it checks it.
    signed: Option<Signed>,
}

impl From<&ListEntry> for Publication {
    fn from(entry: &ListEntry) -> Publication {
        let publication = &entry.publication;
        Publication {
            name: publication.name.to_string(),
            resource: publication.key.resource.to_string(),
            list_digest: publication.key.digest.to_string(),
            chunks_total: publication.count.get(),
            trackers: publication.trackers.iter().map(|url| url.to_string()).collect(),
            shared_at_ms: Some(publication.shared_at_ms).filter(|&ms| ms != 0),
            seeders: entry.seeders,
            leechers: entry.leechers,
            bytes: publication.bytes,
            signed: publication.signature.as_ref().map(|signature| Signed::from(&SignedBy::from(signature))),
        }
    }
}

/// `tracker peers`
#[derive(Debug, Serialize)]
pub(crate) struct TrackedPeers {
    pub(crate) tracker: String,
    pub(crate) resource: String,
    pub(crate) peers: Vec<TrackedPeer>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TrackedPeer {
    addr: SocketAddr,
    peer_id: String,
    list_digest: String,
    stage: &'static str,
    chunks_have: u32,
    chunks_total: u32,
    zone: Option<String>,
    /// The host name that it reports; `null` if it reports none.
    host: Option<String>,
    /// The node in its certificate; `null` if it showed the tracker none.
    node: Option<String>,
}

impl From<&PeerEntry> for TrackedPeer {
    fn from(entry: &PeerEntry) -> TrackedPeer {
        TrackedPeer {
            addr: entry.addr,
            peer_id: entry.peer_id.to_string(),
            list_digest: entry.key.digest.to_string(),
            stage: stage(entry.stage),
            chunks_have: entry.have,
            chunks_total: entry.count.get(),
            zone: Some(entry.zone.clone()).filter(|zone| !zone.is_empty()),
            host: Some(entry.host.clone()).filter(|host| !host.is_empty()),
            node: entry.node.as_ref().map(ToString::to_string),
        }
    }
}

/// `tracker resources`
#[derive(Debug, Serialize)]
pub(crate) struct TrackedResources {
    pub(crate) tracker: String,
    pub(crate) peer: SocketAddr,
    pub(crate) resources: Vec<TrackedResource>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TrackedResource {
    name: Option<String>,
    resource: String,
    list_digest: String,
    stage: &'static str,
    chunks_have: u32,
    chunks_total: u32,
}

impl From<&ResourceEntry> for TrackedResource {
    fn from(entry: &ResourceEntry) -> TrackedResource {
        TrackedResource {
            name: entry.name.as_ref().map(|name| name.to_string()),
            resource: entry.key.resource.to_string(),
            list_digest: entry.key.digest.to_string(),
            stage: stage(entry.stage),
            chunks_have: entry.have,
            chunks_total: entry.count.get(),
        }
    }
}

/// The word for a stage, for people and for scripts.
pub(crate) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Leeching => "leeching",
        Stage::Seeding => "seeding",
    }
}
