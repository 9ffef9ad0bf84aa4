//! How resources are doing.

use super::error::ErrorKind;
use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use crate::wanted::Wanting;
use serde::{Deserialize, Serialize};

/// How a resource is doing, under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub state: State,
    /// Why it does not progress, or what is wrong; `None` when all is well.
    pub reason: Option<String>,
    /// How bad the reason is when the state is `Error`: what ttctl makes its exit code of.
    pub kind: Option<ErrorKind>,
    pub chunks_have: u32,
    pub chunks_total: u32,
    pub bytes_have: u64,
    /// `None` until the last chunk was fetched: the manifest has no size.
    pub bytes_total: Option<u64>,
    pub peers: u32,
    pub download_bytes_per_s: u64,
    pub upload_bytes_per_s: u64,
    /// Bytes received and sent for this resource since the daemon started.
    pub downloaded_bytes: u64,
    pub uploaded_bytes: u64,
    pub eta_s: Option<u64>,
    /// How its trackers are doing, whatever its state.
    pub trackers: Vec<TrackerStatus>,
    /// Peers that fetch it from this machine.
    pub upload_peers: u32,
    /// Who wants it to be here.
    pub wanted_by: Wanting,
}

impl ResourceStatus {
    /// A resource of which nothing else is known yet: each number is 0, each option `None`, each list empty.
    pub fn new(name: ResourceName, resource: ResourceId, state: State) -> ResourceStatus {
        ResourceStatus {
            name,
            resource,
            state,
            reason: None,
            kind: None,
            chunks_have: 0,
            chunks_total: 0,
            bytes_have: 0,
            bytes_total: None,
            peers: 0,
            download_bytes_per_s: 0,
            upload_bytes_per_s: 0,
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            eta_s: None,
            trackers: Vec::new(),
            upload_peers: 0,
            wanted_by: Wanting::default(),
        }
    }
}

/// How a tracker is doing for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerStatus {
    pub url: TrackerUrl,
    /// What is wrong with it; `None` when all is well.
    pub trouble: Option<String>,
    /// For how long that has been so, in seconds.
    pub trouble_s: Option<u64>,
}

/// What a resource is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// What is on disk is being hashed.
    Checking,
    /// It wants chunks and gets none; the reason says why.
    Waiting,
    /// Chunks arrive.
    Downloading,
    /// It is complete, published and served.
    Seeding,
    /// An operator paused it.
    Paused,
    /// It cannot go on without help; the reason says why.
    Error,
}

/// What a watcher gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// To be handed in with the next `watch`.
    pub seen: u64,
    pub resources: Vec<ResourceStatus>,
}
