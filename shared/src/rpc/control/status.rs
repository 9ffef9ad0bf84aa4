//! The status of resources.

use super::error::ErrorKind;
use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::signature::SignatureText;
use crate::url::TrackerUrl;
use crate::wanted::Wanting;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The status of a resource under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub state: State,
    /// Why it makes no progress, or what is wrong; `None` when all is well.
    pub reason: Option<String>,
    /// The reason without the problems of its trackers, for readers that report these once for all resources.
    pub reason_here: Option<String>,
    /// The kind of error in state `Error`, from which ttctl derives its exit code.
    pub kind: Option<ErrorKind>,
    pub chunks_have: u32,
    pub chunks_total: u32,
    pub bytes_have: u64,
    /// The size; `None` until the last chunk was fetched, since the manifest does not contain it.
    pub bytes_total: Option<u64>,
    /// The size that a tracker reported, for people until `bytes_total` is known. It is a publisher's claim: it matches
    /// the number of chunks, so it is wrong by less than 1 MiB.
    pub bytes_told: Option<u64>,
    pub peers: u32,
    pub download_bytes_per_s: u64,
    pub upload_bytes_per_s: u64,
    /// Bytes received and sent for this resource since the daemon started.
    pub downloaded_bytes: u64,
    pub uploaded_bytes: u64,
    pub eta_s: Option<u64>,
    /// The status of its trackers, in every state.
    pub trackers: Vec<TrackerStatus>,
    /// The number of peers that fetch it from this machine.
    pub upload_peers: u32,
    /// The parts of the system that want it to be here.
    pub wanted_by: Wanting,
    /// When the name was shared or first wanted here, in milliseconds since 1970; `None` if unknown.
    pub added_at_ms: Option<u64>,
    /// The path of its file, now or once it is complete; `None` while only the id is known, and inside the daemon.
    pub path: Option<PathBuf>,
    /// Whether the name was taken back from the trackers with `ttctl unpublish`: nobody finds the file by it until it is
    /// shared again.
    pub taken_back: bool,
    /// Bytes of the file that came from peers in this run of the daemon, without what came twice.
    pub bytes_fetched: u64,
    /// Bytes of the chunks that were not fetched, because this machine had them in other files or at other positions, or
    /// because they are all zeros.
    pub bytes_reused: u64,
    /// How many chunks these are.
    pub chunks_reused: u32,
    /// The files that most of them came from, at most 8, the one with the most first.
    pub reused_from: Vec<ResourceName>,
    /// How many of the reused chunks came from files; the others are zeros, or occur several times.
    pub chunks_from_files: u32,
    /// Whether it is known to be a directory: `path` is the directory's.
    pub is_tree: bool,
    /// Who signed its manifest, as the signature says.
    pub signed: Option<SignedBy>,
}

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    /// The id of the key, as minisign writes it.
    pub key_id: String,
    /// When it was made, in seconds since 1970.
    pub timestamp: Option<u64>,
}

impl From<&SignatureText> for SignedBy {
    fn from(signature: &SignatureText) -> SignedBy {
        SignedBy { key_id: signature.key_id().to_string(), timestamp: signature.timestamp() }
    }
}

impl ResourceStatus {
    /// Whether the name is only the beginning of its id with "…": the resource is from an earlier run of the daemon and
    /// its record was not read yet.
    pub fn is_name_unknown(&self) -> bool {
        let id = self.resource.to_string();
        self.name.as_str().strip_suffix('…').is_some_and(|begin| begin.len() == 16 && id.starts_with(begin))
    }

    /// A status in which every number is 0, every option `None` and every list empty.
    pub fn new(name: ResourceName, resource: ResourceId, state: State) -> ResourceStatus {
        ResourceStatus {
            name,
            resource,
            state,
            reason: None,
            reason_here: None,
            kind: None,
            chunks_have: 0,
            chunks_total: 0,
            bytes_have: 0,
            bytes_total: None,
            bytes_told: None,
            peers: 0,
            download_bytes_per_s: 0,
            upload_bytes_per_s: 0,
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            eta_s: None,
            trackers: Vec::new(),
            upload_peers: 0,
            wanted_by: Wanting::default(),
            added_at_ms: None,
            path: None,
            taken_back: false,
            bytes_fetched: 0,
            bytes_reused: 0,
            chunks_reused: 0,
            reused_from: Vec::new(),
            chunks_from_files: 0,
            is_tree: false,
            signed: None,
        }
    }
}

/// The status of a tracker for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerStatus {
    pub url: TrackerUrl,
    /// What is wrong with it; `None` when all is well.
    pub trouble: Option<String>,
    /// For how many seconds this has lasted.
    pub trouble_s: Option<u64>,
    /// Both as part of a sentence: "unreachable for 40 s (connection refused)".
    pub lasting: Option<String>,
}

/// The state of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its data on disk is being hashed.
    Checking,
    /// It needs chunks and gets none; the reason says why.
    Waiting,
    /// Chunks arrive.
    Downloading,
    /// It is complete, published and served.
    Seeding,
    /// As `Seeding`, but a tracker has a newer version of its name; the reason says which.
    Outdated,
    /// A user paused it.
    Paused,
    /// It cannot continue without a user's help; the reason says why.
    Error,
}

/// The answer to `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The value to pass to the next `watch`.
    pub seen: u64,
    pub resources: Vec<ResourceStatus>,
}
