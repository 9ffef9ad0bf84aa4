//! The `Control` service: what ttctl asks of its daemon, over the Unix socket.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

use super::wire::calls;
use super::{Message, Payload, WrongVersion};
use crate::chunk::ChunkCount;
use crate::id::{PeerId, ResourceId};
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The most bytes of a file or of a manifest's text in one request.
pub const PART_BYTES_MAX: usize = 1 << 20;

#[tarpc::service]
pub trait Control {
    /// Must be the first call on a connection; nothing else is answered before.
    async fn hello(version: u16) -> Result<DaemonInfo, WrongVersion>;

    // -- share
    /// Shares a file that lies in the shared folder. The answer is a task: hashing takes its time.
    async fn share(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// Begins to share a file from elsewhere, whose bytes follow in `import_part`s, in order.
    async fn import(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// The next bytes of an import. An import ends unfinished when its connection does.
    async fn import_part(task: TaskId, bytes: Payload) -> Result<(), ControlError>;
    /// All bytes of an import were sent: it goes on as a task.
    async fn import_end(task: TaskId) -> Result<(), ControlError>;
    /// Waits for a task: answered when it ended, or after about `wait_ms` with how far it is.
    async fn task(task: TaskId, wait_ms: u32) -> Result<TaskState, ControlError>;

    // -- get
    /// The next bytes of a manifest's text that a `get` on this connection will refer to.
    async fn manifest_part(bytes: Payload) -> Result<(), ControlError>;
    /// Accepts a download (or finds that it is there already) and returns at once.
    async fn get(request: GetRequest) -> Result<Accepted, ControlError>;

    // -- everything else
    /// One entry per name, in order of names; with `what`, only those of that name or resource id.
    async fn status(what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError>;
    /// As `status`, but answered when something changed since `seen`, or after about `wait_ms`.
    async fn watch(what: Option<String>, seen: u64, wait_ms: u32) -> Result<Watched, ControlError>;
    /// As `status`, after a look at the files themselves: what `status` remembers of them may be two seconds old.
    async fn inspect(what: String) -> Result<Vec<ResourceStatus>, ControlError>;
    async fn peers(what: String) -> Result<Vec<PeerInfo>, ControlError>;
    async fn pause(what: String) -> Result<Vec<ResourceName>, ControlError>;
    async fn resume(what: String) -> Result<Vec<ResourceName>, ControlError>;
    /// Stops sharing and forgets. A finished file stays unless `delete`.
    async fn remove(what: String, delete: bool) -> Result<Vec<ResourceName>, ControlError>;
    /// Hashes what is on disk again and compares it with the manifest. The answer is a task.
    async fn verify(what: String) -> Result<TaskId, ControlError>;
    /// How often peers and strangers were turned away since the daemon started: every reason, in order.
    async fn rejections() -> Result<Vec<(Rejection, u64)>, ControlError>;
    /// Changes the limits that are given, until the daemon ends or reads its configuration again; says what holds
    /// now.
    async fn limit(change: LimitChange) -> Result<Limits, ControlError>;
    /// Looks at the daemon's place on the machine; writes a few bytes for it.
    async fn examine() -> Result<Examined, ControlError>;
}

calls! {
    ControlCaller = ControlRequest => ControlResponse;
    /// See [`Control::hello`].
    hello / Hello(version: u16) -> Result<DaemonInfo, WrongVersion>;
    /// See [`Control::share`].
    share / Share(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// See [`Control::import`].
    import / Import(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// See [`Control::import_part`].
    import_part / ImportPart(task: TaskId, bytes: Payload) -> Result<(), ControlError>;
    /// See [`Control::import_end`].
    import_end / ImportEnd(task: TaskId) -> Result<(), ControlError>;
    /// See [`Control::task`].
    task / Task(task: TaskId, wait_ms: u32) -> Result<TaskState, ControlError>;
    /// See [`Control::manifest_part`].
    manifest_part / ManifestPart(bytes: Payload) -> Result<(), ControlError>;
    /// See [`Control::get`].
    get / Get(request: GetRequest) -> Result<Accepted, ControlError>;
    /// See [`Control::status`].
    status / Status(what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError>;
    /// See [`Control::watch`].
    watch / Watch(what: Option<String>, seen: u64, wait_ms: u32) -> Result<Watched, ControlError>;
    /// See [`Control::inspect`].
    inspect / Inspect(what: String) -> Result<Vec<ResourceStatus>, ControlError>;
    /// See [`Control::peers`].
    peers / Peers(what: String) -> Result<Vec<PeerInfo>, ControlError>;
    /// See [`Control::pause`].
    pause / Pause(what: String) -> Result<Vec<ResourceName>, ControlError>;
    /// See [`Control::resume`].
    resume / Resume(what: String) -> Result<Vec<ResourceName>, ControlError>;
    /// See [`Control::remove`].
    remove / Remove(what: String, delete: bool) -> Result<Vec<ResourceName>, ControlError>;
    /// See [`Control::verify`].
    verify / Verify(what: String) -> Result<TaskId, ControlError>;
    /// See [`Control::rejections`].
    rejections / Rejections() -> Result<Vec<(Rejection, u64)>, ControlError>;
    /// See [`Control::limit`].
    limit / Limit(change: LimitChange) -> Result<Limits, ControlError>;
    /// See [`Control::examine`].
    examine / Examine() -> Result<Examined, ControlError>;
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonInfo {
    /// The daemon's protocol version.
    pub version: u16,
    /// Its software version, for people.
    pub software: String,
    /// Its shared folder.
    pub folder: PathBuf,
    /// The folder's device and inode, so that ttctl can tell whether a path leads into it.
    pub folder_device: u64,
    pub folder_inode: u64,
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// Its id, drawn at its start.
    pub peer_id: PeerId,
    /// Its process id.
    pub pid: u32,
    /// The trackers that it was configured with.
    pub trackers: Vec<TrackerUrl>,
    /// The mode of files that it publishes, and their group if one is configured, so that ttctl can make files alike.
    pub file_mode: u32,
    pub file_group: Option<u32>,
}

/// A piece of work in the daemon that takes its time. Forgotten some minutes after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// It goes on.
    Running {
        bytes_done: u64,
        bytes_total: u64,
        /// What it does now, for people: "hashing", "announcing".
        doing: String,
    },
    /// A share ended well.
    Shared(Shared),
    /// A verify ended.
    Verified {
        /// How many chunks are as the manifest says.
        chunks_good: u32,
        /// How many there are.
        chunks_total: u32,
    },
    /// The file under a wanted name was compared: it is what was wanted, or it is gone and the download begins.
    Found(Accepted),
    /// It failed.
    Failed(ControlError),
}

/// What a share made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    pub name: ResourceName,
    pub resource: ResourceId,
    /// Where the manifest was written.
    pub manifest: PathBuf,
    /// What the user should know: a tracker that was not reached, a loopback address in the manifest.
    pub warnings: Vec<String>,
    /// Why new machines cannot find it under its name, although it is shared: trackers that do not publish it, or where
    /// the name means other content.
    pub refused: Vec<String>,
}

/// What to share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRequest {
    /// The file's name, in the shared folder.
    pub name: ResourceName,
    /// The manifest's trackers; empty: those that the daemon was configured with.
    pub trackers: Vec<TrackerUrl>,
    /// Whether an import may take the place of another resource of this name.
    pub replace: bool,
    /// The size of an import in bytes, to reserve room; 0 for a share in place.
    pub bytes: u64,
}

/// What to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRequest {
    pub what: GetWhat,
    /// Whether other content of this name may be replaced when the new one is complete.
    pub replace: bool,
}

/// How the wanted resource is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GetWhat {
    /// By the manifest whose text was sent with `manifest_part` on this connection.
    Manifest,
    /// By a name, from the catalogue of this tracker, or of those that the daemon was configured with.
    Name { name: ResourceName, tracker: Option<TrackerUrl> },
    /// By its id, from the catalogue of this tracker, or of those that the daemon was configured with.
    Resource { resource: ResourceId, tracker: Option<TrackerUrl> },
}

/// A download was accepted, or is there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub count: ChunkCount,
    /// It is complete and published already.
    pub complete: bool,
    /// A file that ttd does not know lies under the name. It is compared with what is wanted before anything else
    /// happens: this task ends as [`TaskState::Found`], or says why the file stands in the way.
    pub comparing: Option<TaskId>,
}

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

/// Which way chunks go between this machine and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// They are fetched from it.
    Download,
    /// It fetches them from here.
    Upload,
}

/// A peer of a resource. One that chunks go to and come from is two entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    pub addr: SocketAddr,
    pub connected: bool,
    pub chunks_have: u32,
    pub chunks_total: u32,
    pub in_flight: u32,
    pub chunks_received: u64,
    pub chunks_corrupt: u64,
    pub direction: Direction,
    /// Chunks that it got from here since it began to ask; 0 of one that is fetched from.
    pub chunks_sent: u64,
}

/// Why a peer, or a stranger on the peers' port, was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    Corrupt,
    Nonsense,
    Stalled,
    Empty,
    Flood,
    Protocol,
    Cut,
    Unread,
    NoHello,
    Crowded,
    Full,
    Version,
    Malformed,
    Banned,
    Ourselves,
    Twin,
}

impl Rejection {
    /// All of them, in order.
    pub const ALL: [Rejection; 16] = [
        Rejection::Corrupt,
        Rejection::Nonsense,
        Rejection::Stalled,
        Rejection::Empty,
        Rejection::Flood,
        Rejection::Protocol,
        Rejection::Cut,
        Rejection::Unread,
        Rejection::NoHello,
        Rejection::Crowded,
        Rejection::Full,
        Rejection::Version,
        Rejection::Malformed,
        Rejection::Banned,
        Rejection::Ourselves,
        Rejection::Twin,
    ];

    /// Its name, for scripts, and what it means, for people.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Rejection::Corrupt => ("corrupt", "sent corrupt chunks"),
            Rejection::Nonsense => ("nonsense", "answered with what was not asked for"),
            Rejection::Stalled => ("stalled", "accepted requests and sent nothing, or next to nothing"),
            Rejection::Empty => ("empty", "claimed chunks that it does not have"),
            Rejection::Flood => ("flood", "asked, or told, more than any peer needs to"),
            Rejection::Protocol => ("protocol", "sent what is no message of the protocol"),
            Rejection::Cut => ("cut", "broke off in the middle of a message"),
            Rejection::Unread => ("unread", "did not take what it had asked for"),
            Rejection::NoHello => ("no_hello", "did not say hello in time"),
            Rejection::Crowded => ("crowded", "had to make room for others: too many connections"),
            Rejection::Full => ("full", "came when there were too many connections"),
            Rejection::Version => ("version", "speaks another version of the protocol"),
            Rejection::Malformed => ("malformed", "introduced itself wrongly"),
            Rejection::Banned => ("banned", "came back while it was refused"),
            Rejection::Ourselves => ("ourselves", "was this daemon itself"),
            Rejection::Twin => ("twin", "is connected under another address already"),
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlError {
    /// What ttctl makes its exit code of.
    pub kind: ErrorKind,
    /// What happened and where, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for ControlError {}

/// What kind of error it is. The numbers are ttctl's exit codes, but for [`exit_code`](ErrorKind::exit_code)'s one
/// exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The daemon failed.
    Internal = 1,
    /// The request makes no sense.
    Usage = 2,
    /// Not found, or not allowed.
    Refused = 4,
    /// It took too long.
    TimedOut = 5,
    /// A manifest or a file does not verify.
    BadData = 6,
    /// The disk has no room.
    NoSpace = 7,
    /// No tracker or server could be reached: trying again may help.
    Unreachable = 8,
    /// Nobody knows what was looked for, yet. It is a [`Refused`](ErrorKind::Refused) that waiting may end.
    Unknown = 9,
}

impl ErrorKind {
    /// What ttctl ends with.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Unknown => ErrorKind::Refused as u8,
            kind => kind as u8,
        }
    }
}

impl Message for ControlRequest {
    const BODY_BYTES_MAX: usize = PART_BYTES_MAX;
    const HEAD_BYTES_MAX: usize = 64 << 10;

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            ControlRequest::ImportPart { bytes, .. } | ControlRequest::ManifestPart { bytes } => Some(bytes),
            _ => None,
        }
    }

    fn is_hello(&self) -> bool {
        matches!(self, ControlRequest::Hello { .. })
    }
}

impl Message for ControlResponse {
    const BODY_BYTES_MAX: usize = 0;
    const HEAD_BYTES_MAX: usize = 64 << 20; // the status of every resource

    fn payload(&mut self) -> Option<&mut Payload> {
        None
    }
}

/// How fast bytes may move in one direction, over all peers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// As fast as they can.
    None,
    /// So many bytes per second; 0 is a pause.
    BytesPerS(u64),
}

/// Which limits are to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitChange {
    pub download: Option<Limit>,
    pub upload: Option<Limit>,
}

/// The limits that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub download: Limit,
    pub upload: Limit,
}

/// The daemon's place on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Why it cannot write into its shared folder; `None` if it can.
    pub folder_trouble: Option<String>,
    /// Room for ordinary users on the folder's file system, and its size; 0 if it does not tell.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Files and sockets that it has open, and how many it may have.
    pub descriptors: u64,
    pub descriptors_max: u64,
    /// Its user.
    pub uid: u32,
}
