//! The documents that `--json` prints. Fields are only added, at the end; any other change increases `schema_version`.

use crate::error::{Error, Kind};
use serde::{Serialize, Serializer};
use shared::manifest::Manifest;
use shared::rpc::control::{
    Direction, Limit, Limits, PeerInfo, Rejection, ResourceStatus, SignedBy, State, TlsState, TrackerStatus,
};
use std::net::SocketAddr;

/// The version of all documents, in their field `schema_version`.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A document: first the version, then its own fields.
#[derive(Debug, Serialize)]
pub(crate) struct Document<T> {
    schema_version: u32,
    #[serde(flatten)]
    fields: T,
}

impl<T> Document<T> {
    pub(crate) fn new(fields: T) -> Document<T> {
        Document { schema_version: SCHEMA_VERSION, fields }
    }
}

/// The document of a command that failed and has nothing else to print.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) error: Failure,
}

/// What went wrong. It is the last field, `error`, of the document of a command that failed.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: &'static str,
    pub(crate) exit_code: u8,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure {
            kind: error.kind.word(),
            exit_code: error.exit_code(),
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// One of several things for which a command failed, and why.
#[derive(Debug, Serialize)]
pub(crate) struct FailureOf {
    /// The word on the command line.
    pub(crate) what: String,
    #[serde(flatten)]
    pub(crate) failure: Failure,
}

/// `list`, and `status` without WHAT.
#[derive(Debug, Serialize)]
pub(crate) struct Resources {
    pub(crate) resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FailureOf>,
    /// Only for `status` without WHAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
}

impl Resources {
    pub(crate) fn of<'a>(
        resources: impl IntoIterator<Item = &'a ResourceStatus>,
        errors: Vec<FailureOf>,
    ) -> Resources {
        Resources { resources: resources.into_iter().map(Resource::from).collect(), errors, tls: None }
    }
}

/// Whether connections are encrypted, and with which certificate.
#[derive(Debug, Serialize)]
pub(crate) struct Tls {
    /// `off`, `prefer` or `require`.
    mode: &'static str,
    /// The name in the certificate; `null` without a usable one.
    node: Option<String>,
    /// The end of its life, in seconds since 1970.
    not_after: Option<u64>,
    /// What is wrong; `null` if nothing is.
    fault: Option<String>,
}

impl From<&TlsState> for Tls {
    fn from(state: &TlsState) -> Tls {
        Tls {
            mode: state.mode.as_str(),
            node: state.node.as_ref().map(ToString::to_string),
            not_after: state.not_after,
            fault: state.fault.clone(),
        }
    }
}

/// `status WHAT`, and an entry of [`Resources`].
#[derive(Debug, Serialize)]
pub(crate) struct Resource {
    name: String,
    resource: String,
    state: State,
    reason: Option<String>,
    chunks_have: u32,
    chunks_total: u32,
    bytes_have: u64,
    bytes_total: Option<u64>,
    peers: u32,
    download_bytes_per_s: u64,
    upload_bytes_per_s: u64,
    eta_s: Option<u64>,
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    /// The kind of problem that `reason` describes: the exit code with which `get` would end.
    exit_code: Option<u8>,
    trackers: Vec<TrackerHealth>,
    /// How many peers fetch it from this machine.
    upload_peers: u32,
    /// Who wants it here: users by name or as "uid NUMBER", or a part of the daemon, in words.
    wanted_by: Vec<String>,
    /// The size as a publisher reported it, until `bytes_total` is known; `null` after that, or if nobody reported one.
    bytes_told: Option<u64>,
    /// The same as `resource`, under its usual name.
    id: String,
    /// Where the file is, or will be when it is complete; `null` while only the id is known.
    path: Option<String>,
    /// When it was shared or its download began, in milliseconds since 1970; `null` if unknown.
    added_at_ms: Option<u64>,
    /// Whether the name was taken back from the trackers, and not shared again since.
    taken_back: bool,
    /// The bytes that came from peers since ttd started, without what came twice.
    bytes_fetched: u64,
    /// The bytes that this machine had in other files or at other positions, or that are in chunks of zeros.
    bytes_reused: u64,
    chunks_reused: u32,
    /// The files that most of these came from, at most 8.
    reused_from: Vec<String>,
    /// What it is: "tree" for a directory, else "file".
    kind: &'static str,
    /// What the signature of its manifest says of itself; `null` if it has none.
    signed: Option<Signed>,
}

/// What a signature says of itself.
#[derive(Debug, Serialize)]
pub(crate) struct Signed {
    /// The id of the key, as minisign writes it.
    key_id: String,
    /// In seconds since 1970; `null` if it does not tell.
    timestamp: Option<u64>,
}

impl From<&SignedBy> for Signed {
    fn from(signed: &SignedBy) -> Signed {
        Signed { key_id: signed.key_id.clone(), timestamp: signed.timestamp }
    }
}

/// What a resource is, in the field `kind`.
pub(crate) fn kind(is_tree: bool) -> &'static str {
    if is_tree { "tree" } else { "file" }
}

/// The state of a resource at one of its trackers. `trouble` is `null` if there is none.
#[derive(Debug, Serialize)]
pub(crate) struct TrackerHealth {
    tracker: String,
    trouble: Option<String>,
    trouble_s: Option<u64>,
}

impl From<&TrackerStatus> for TrackerHealth {
    fn from(status: &TrackerStatus) -> TrackerHealth {
        TrackerHealth {
            tracker: status.url.to_string(),
            trouble: status.trouble.clone(),
            trouble_s: status.trouble_s,
        }
    }
}

impl From<&ResourceStatus> for Resource {
    fn from(status: &ResourceStatus) -> Resource {
        Resource {
            name: status.name.to_string(),
            resource: status.resource.to_string(),
            state: status.state,
            reason: status.reason.clone(),
            chunks_have: status.chunks_have,
            chunks_total: status.chunks_total,
            bytes_have: status.bytes_have,
            bytes_total: status.bytes_total,
            peers: status.peers,
            download_bytes_per_s: status.download_bytes_per_s,
            upload_bytes_per_s: status.upload_bytes_per_s,
            eta_s: status.eta_s,
            downloaded_bytes: status.downloaded_bytes,
            uploaded_bytes: status.uploaded_bytes,
            exit_code: status.kind.map(|kind| Kind::from(kind) as u8),
            trackers: status.trackers.iter().map(TrackerHealth::from).collect(),
            upload_peers: status.upload_peers,
            wanted_by: status.wanted_by.iter().map(ToString::to_string).collect(),
            bytes_told: status.bytes_told,
            id: status.resource.to_string(),
            path: status.path.as_ref().map(|path| path.display().to_string()),
            added_at_ms: status.added_at_ms,
            taken_back: status.taken_back,
            bytes_fetched: status.bytes_fetched,
            bytes_reused: status.bytes_reused,
            chunks_reused: status.chunks_reused,
            reused_from: status.reused_from.iter().map(ToString::to_string).collect(),
            kind: kind(status.is_tree),
            signed: status.signed.as_ref().map(Signed::from),
        }
    }
}

/// The limits that apply, in bytes per second; `null` is no limit, 0 is a pause.
#[derive(Debug, Serialize)]
pub(crate) struct LimitsDocument {
    download_limit_bytes_per_s: Option<u64>,
    upload_limit_bytes_per_s: Option<u64>,
    /// When the hours in ttd.toml change the limit, in milliseconds since 1970; `null` if they do not.
    download_limit_until_ms: Option<u64>,
    upload_limit_until_ms: Option<u64>,
}

impl From<Limits> for LimitsDocument {
    fn from(limits: Limits) -> LimitsDocument {
        let number = |limit| match limit {
            Limit::None => None,
            Limit::BytesPerS(bytes_per_s) => Some(bytes_per_s),
        };
        LimitsDocument {
            download_limit_bytes_per_s: number(limits.download),
            upload_limit_bytes_per_s: number(limits.upload),
            download_limit_until_ms: limits.download_until_ms,
            upload_limit_until_ms: limits.upload_until_ms,
        }
    }
}

/// `peers`
#[derive(Debug, Serialize)]
pub(crate) struct Peers {
    pub(crate) peers: Vec<Peer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FailureOf>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    addr: SocketAddr,
    connected: bool,
    chunks_have: u32,
    chunks_total: u32,
    in_flight: u32,
    chunks_received: u64,
    chunks_corrupt: u64,
    /// "download": this machine fetches from it; "upload": it fetches from this machine.
    direction: Direction,
    chunks_sent: u64,
    name: String,
    id: String,
    /// How fast it fetches from this machine; `null` for a peer that this machine fetches from.
    bytes_per_s: Option<u64>,
    /// Seconds since it began to ask for chunks; `null` for a peer that this machine fetches from.
    active_s: Option<u64>,
}

impl From<&PeerInfo> for Peer {
    fn from(peer: &PeerInfo) -> Peer {
        Peer {
            addr: peer.addr,
            connected: peer.connected,
            chunks_have: peer.chunks_have,
            chunks_total: peer.chunks_total,
            in_flight: peer.in_flight,
            chunks_received: peer.chunks_received,
            chunks_corrupt: peer.chunks_corrupt,
            direction: peer.direction,
            chunks_sent: peer.chunks_sent,
            name: peer.name.to_string(),
            id: peer.resource.to_string(),
            bytes_per_s: peer.bytes_per_s,
            active_s: peer.active_s,
        }
    }
}

/// `peers` without WHAT
#[derive(Debug, Serialize)]
pub(crate) struct Rejected {
    /// Each reason, with the number of peers that were turned away for it since the daemon started.
    rejected: Reasons,
}

/// A map that keeps its order.
#[derive(Debug)]
struct Reasons(Vec<(&'static str, u64)>);

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl From<&[(Rejection, u64)]> for Rejected {
    fn from(rejections: &[(Rejection, u64)]) -> Rejected {
        Rejected {
            rejected: Reasons(rejections.iter().map(|(why, times)| (why.explain().0, *times)).collect()),
        }
    }
}

/// `share`: one entry per file that was shared, in the order of the command line.
#[derive(Debug, Serialize)]
pub(crate) struct Shares {
    pub(crate) shared: Vec<Share>,
    pub(crate) errors: Vec<FailureOf>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) name: String,
    pub(crate) resource: String,
    pub(crate) manifest: String,
    pub(crate) warnings: Vec<String>,
    /// Why new machines cannot find it by its name, one message per tracker.
    pub(crate) refused: Vec<String>,
    /// What it is: "tree" for a directory, else "file".
    pub(crate) kind: &'static str,
    /// Where it is in the shared directory.
    pub(crate) path: String,
}

/// `get`
#[derive(Debug, Serialize)]
pub(crate) struct Got {
    pub(crate) name: String,
    pub(crate) resource: String,
    pub(crate) chunks_total: u32,
    /// `false` with `--detach`, unless it was there already.
    pub(crate) complete: bool,
    /// Where the file is, or will be.
    pub(crate) path: String,
    /// The bytes that came from peers; 0 if it was here already.
    pub(crate) bytes_fetched: u64,
    /// The bytes that this machine had in other files or at other positions, or that are in chunks of zeros.
    pub(crate) bytes_reused: u64,
    pub(crate) chunks_reused: u32,
    /// What is at `path`: "tree" for a directory, else "file", also while that is unknown.
    pub(crate) kind: &'static str,
}

/// `get` of several: those that are complete, or that were begun with `--detach`.
#[derive(Debug, Serialize)]
pub(crate) struct GotAll {
    pub(crate) got: Vec<Got>,
    pub(crate) errors: Vec<FailureOf>,
}

/// `pause`
#[derive(Debug, Serialize)]
pub(crate) struct Paused {
    pub(crate) paused: Vec<String>,
    pub(crate) errors: Vec<FailureOf>,
}

/// `resume`
#[derive(Debug, Serialize)]
pub(crate) struct Resumed {
    pub(crate) resumed: Vec<String>,
    pub(crate) errors: Vec<FailureOf>,
}

/// `unpublish`
#[derive(Debug, Default, Serialize)]
pub(crate) struct UnpublishedNames {
    pub(crate) unpublished: Vec<String>,
    pub(crate) errors: Vec<FailureOf>,
}

/// `remove`
#[derive(Debug, Serialize)]
pub(crate) struct Removed {
    pub(crate) removed: Vec<String>,
    pub(crate) errors: Vec<FailureOf>,
    /// What `--delete` left in directories; left out if nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<Kept>,
    /// What `--delete` was given of which nobody could look at what stays; left out if nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept_unknown: Vec<String>,
}

/// Files in a directory that were not deleted with it, because they do not belong to it or were edited.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    pub(crate) name: String,
    /// The path of the directory.
    pub(crate) directory: String,
    /// How many they are.
    pub(crate) files: u64,
    /// The path of one of them, below the directory.
    pub(crate) first: String,
}

/// `verify`
#[derive(Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) name: String,
    pub(crate) resource: String,
    pub(crate) chunks_good: u32,
    pub(crate) chunks_total: u32,
    /// The number of chunks that the daemon believed to be good before.
    pub(crate) chunks_had: u32,
    /// How many files of a directory were edited; left out if none was, or if it is not known which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files_edited: Option<u64>,
    /// The paths of the first of them, below the directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) first_edited: Vec<String>,
}

/// `verify` of several
#[derive(Debug, Serialize)]
pub(crate) struct VerifiedAll {
    pub(crate) verified: Vec<Verified>,
    pub(crate) errors: Vec<FailureOf>,
}

/// `create`
#[derive(Debug, Serialize)]
pub(crate) struct Created {
    pub(crate) name: String,
    /// "file", or "tree" for a directory.
    pub(crate) kind: &'static str,
    pub(crate) resource: String,
    pub(crate) manifest: String,
    pub(crate) bytes: u64,
    pub(crate) chunks_total: u32,
}

/// `check`
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    name: String,
    resource: String,
    list_digest: String,
    trackers: Vec<String>,
    chunks_total: u32,
    /// The file that was compared, if one was.
    file: Option<String>,
    bytes: Option<u64>,
    matches: Option<bool>,
    /// Every chunk that differs or is missing.
    chunks_bad: Option<Vec<u32>>,
}

/// The part of [`Check`] about a file.
pub(crate) struct CheckedFile {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) matches: bool,
    pub(crate) chunks_bad: Vec<u32>,
}

impl Check {
    pub(crate) fn new(manifest: &Manifest, checked: Option<CheckedFile>) -> Check {
        let mut document = Check {
            name: manifest.name().to_string(),
            resource: manifest.resource().to_string(),
            list_digest: manifest.digest().to_string(),
            trackers: manifest.trackers().iter().map(|url| url.to_string()).collect(),
            chunks_total: manifest.count().get(),
            file: None,
            bytes: None,
            matches: None,
            chunks_bad: None,
        };
        if let Some(checked) = checked {
            document.file = Some(checked.file);
            document.bytes = Some(checked.bytes);
            document.matches = Some(checked.matches);
            document.chunks_bad = Some(checked.chunks_bad);
        }
        document
    }
}
