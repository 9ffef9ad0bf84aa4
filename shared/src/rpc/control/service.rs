//! The calls of the service, and the limits of their frames.

use super::error::ControlError;
use super::events::EventPage;
use super::examine::Examined;
use super::foreign::Foreign;
use super::get::{Accepted, GetRequest};
use super::identity::{IdentityReport, JoinRequest};
use super::info::{DaemonInfo, Overview};
use super::limit::{Keep, LimitChange, LimitsKept};
use super::peers::PeerInfo;
use super::rejection::Rejection;
use super::share::ShareRequest;
use super::sign::{ManifestPart, SignRequest};
use super::status::{ResourceStatus, Watched};
use super::subscriptions::SubscriptionStatus;
use super::task::TaskId;
use super::task_state::TaskState;
use super::tracker::{Page, TrackerAnswer, TrackerExamined};
use super::unpublish::Unpublished;
use crate::chunk::ChunkIndex;
use crate::id::{ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::rpc::message::{Message, Payload, WrongVersion};
use crate::rpc::tracker::{Fleet, FleetPlace, ListEntry, Lookup, PeerEntry, ResourceEntry};
use crate::rpc::wire::calls;
use crate::url::TrackerUrl;
use std::net::SocketAddr;

/// Limits the bytes of a file or of a manifest's text in one request or answer: a chunk. A larger one is malformed and
/// ends the connection.
pub const PART_BYTES_MAX: usize = 1 << 20;

/// Limits the zeros of a file in one request, in bytes. A larger request is refused. Hashing them takes less than a
/// second, so progress is shown and ^C is noticed.
pub const ZEROS_BYTES_MAX: u64 = 256 << 20;

#[tarpc::service]
pub trait Control {
    /// Must be the first call on a connection. Before it no other call is answered.
    async fn hello(version: u16) -> Result<DaemonInfo, WrongVersion>;

    // -- share
    /// Shares a file that is in the shared directory already. Returns a task, since hashing takes time.
    async fn share(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// Begins to share a file from elsewhere. Its bytes follow in `import_part` calls, in order.
    async fn import(request: ShareRequest) -> Result<TaskId, ControlError>;
    /// The next bytes of an import. If the connection ends before `import_end`, the import is canceled.
    async fn import_part(task: TaskId, bytes: Payload) -> Result<(), ControlError>;
    /// All bytes of an import were sent; the task continues.
    async fn import_end(task: TaskId) -> Result<(), ControlError>;
    /// Waits for a task. Returns when it has ended, or after about `wait_ms` with its progress.
    async fn task(task: TaskId, wait_ms: u32) -> Result<TaskState, ControlError>;

    // -- get
    /// The next bytes of a manifest's text, for a later `get` on this connection.
    async fn manifest_part(bytes: Payload) -> Result<(), ControlError>;
    /// Accepts a download and returns at once. The answer says whether the resource is complete already.
    async fn get(request: GetRequest) -> Result<Accepted, ControlError>;

    // -- everything else
    /// One entry per name, in order of names. `what` restricts it to a name or a resource id.
    async fn status(what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError>;
    /// Like `status`, but returns when something has changed since `seen`, or after about `wait_ms`.
    async fn watch(what: Option<String>, seen: u64, wait_ms: u32) -> Result<Watched, ControlError>;
    /// Like `status`, after checking the files on disk. The information in `status` may be two seconds old.
    async fn inspect(what: String) -> Result<Vec<ResourceStatus>, ControlError>;
    /// The peers of a resource; without `what`, those of all resources.
    async fn peers(what: Option<String>) -> Result<Vec<PeerInfo>, ControlError>;
    async fn pause(what: String) -> Result<Vec<ResourceName>, ControlError>;
    async fn resume(what: String) -> Result<Vec<ResourceName>, ControlError>;
    /// Stops sharing a resource and forgets it. A finished file stays unless `delete` is set.
    async fn remove(what: String, delete: bool) -> Result<Vec<ResourceName>, ControlError>;
    /// Hashes the data on disk again and compares it with the manifest. Returns a task.
    async fn verify(what: String) -> Result<TaskId, ControlError>;
    /// How many peers and strangers were turned away since the daemon started, for every reason in order.
    async fn rejections() -> Result<Vec<(Rejection, u64)>, ControlError>;
    /// Changes the given limits, for as long as `keep` says. Returns the current limits and those that are saved.
    async fn limit(change: LimitChange, keep: Keep) -> Result<LimitsKept, ControlError>;
    /// Examines the daemon's environment on its machine. It writes a few bytes to test the directory.
    async fn examine() -> Result<Examined, ControlError>;

    // -- what trackers know; where no tracker is named, the first of the daemon's own that answers is asked
    /// What is published, in order of names, after `after`.
    async fn tracker_list(
        tracker: Option<TrackerUrl>,
        after: Option<ResourceName>,
    ) -> Result<TrackerAnswer<Page<ListEntry, ResourceName>>, ControlError>;
    /// The publications of a name or of a resource id, best first; empty if the tracker knows none.
    async fn tracker_find(
        tracker: Option<TrackerUrl>,
        what: Lookup,
    ) -> Result<TrackerAnswer<Vec<ListEntry>>, ControlError>;
    /// The peers that have some or all of a resource, drawn at random.
    async fn tracker_peers(
        tracker: Option<TrackerUrl>,
        resource: ResourceId,
    ) -> Result<TrackerAnswer<Vec<PeerEntry>>, ControlError>;
    /// The resources of which a peer has some or all, in order of their ids, after `after`.
    async fn tracker_resources(
        tracker: Option<TrackerUrl>,
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<TrackerAnswer<Page<ResourceEntry, SwarmKey>>, ControlError>;
    /// The machines that were seen within the last hour with a resource, or with what a name means, after `after`: one
    /// page of at most `machines_max` machines. With 0 the tracker returns only the counts.
    async fn tracker_fleet(
        tracker: Option<TrackerUrl>,
        what: Lookup,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<TrackerAnswer<Fleet>, ControlError>;
    /// Whether a tracker answers, how fast, and the time on its clock.
    async fn tracker_examine(tracker: TrackerUrl) -> Result<TrackerExamined, ControlError>;

    // -- what this machine has published
    /// Takes back names of files that were shared here: the trackers no longer publish them. The file stays, and is
    /// still served to peers that have begun to fetch it. Returns when the trackers have answered, or after five
    /// seconds.
    async fn unpublish(what: String) -> Result<Unpublished, ControlError>;

    // -- the daemon as a whole
    /// The state of the daemon as a whole.
    async fn overview() -> Result<Overview, ControlError>;
    /// The events after the one with the number `after`: at once if there are any, or when one happens, or none after
    /// about `wait_ms`. Without `after`, only the number of the newest event, at once.
    async fn events(after: Option<u64>, wait_ms: u32) -> Result<EventPage, ControlError>;

    // -- the rest of share
    /// The next bytes of an import, which are zeros: at most [`ZEROS_BYTES_MAX`], and whole chunks unless they are the
    /// last.
    async fn import_zeros(task: TaskId, bytes: u64) -> Result<(), ControlError>;

    // -- the rest of get
    /// The bytes of a chunk of a complete resource: for copies of files that the caller may not read, and of the tar of
    /// a directory, which is not on the disk. They are compared with the manifest first.
    async fn read(resource: ResourceId, index: ChunkIndex) -> Result<Payload, ControlError>;

    // -- the rest of share
    /// Cancels an import that was not ended. When this returns, what was sent of it is deleted, and its room is free.
    async fn import_cancel(task: TaskId) -> Result<(), ControlError>;

    // -- the rest of remove
    /// What is in directories and does not belong to them, so that `remove` leaves it. All their files are looked at.
    async fn foreign(what: String) -> Result<Vec<Foreign>, ControlError>;

    // -- signatures
    /// A part of the manifest of a name, counted from 0: [`PART_HASHES`](super::sign::PART_HASHES) of its chunk hashes.
    async fn manifest(what: String, part: u32) -> Result<ManifestPart, ControlError>;
    /// Adds a signature to what is shared here. Returns a task, which ends as that of a share when the trackers have the
    /// signature.
    async fn sign(request: SignRequest) -> Result<TaskId, ControlError>;

    // -- who this machine is
    /// Joins a closed fleet: makes a key, and has the tracker's authority certify it. Returns when the certificate is in use.
    async fn join(request: JoinRequest) -> Result<IdentityReport, ControlError>;
    /// Who this machine is by its certificate, and what is wrong with that.
    async fn identity() -> Result<IdentityReport, ControlError>;

    // -- what comes by itself
    /// What this machine subscribes to, and how far it is, in the order of the rules.
    async fn subscriptions() -> Result<Vec<SubscriptionStatus>, ControlError>;
    /// Has the daemon read its configuration again, as SIGHUP does. Returns at once; the log says what became of it.
    async fn reload() -> Result<(), ControlError>;
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
    peers / Peers(what: Option<String>) -> Result<Vec<PeerInfo>, ControlError>;
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
    limit / Limit(change: LimitChange, keep: Keep) -> Result<LimitsKept, ControlError>;
    /// See [`Control::examine`].
    examine / Examine() -> Result<Examined, ControlError>;
    /// See [`Control::tracker_list`].
    tracker_list / TrackerList(tracker: Option<TrackerUrl>, after: Option<ResourceName>)
        -> Result<TrackerAnswer<Page<ListEntry, ResourceName>>, ControlError>;
    /// See [`Control::tracker_find`].
    tracker_find / TrackerFind(tracker: Option<TrackerUrl>, what: Lookup)
        -> Result<TrackerAnswer<Vec<ListEntry>>, ControlError>;
    /// See [`Control::tracker_peers`].
    tracker_peers / TrackerPeers(tracker: Option<TrackerUrl>, resource: ResourceId)
        -> Result<TrackerAnswer<Vec<PeerEntry>>, ControlError>;
    /// See [`Control::tracker_resources`].
    tracker_resources / TrackerResources(tracker: Option<TrackerUrl>, peer: SocketAddr, after: Option<SwarmKey>)
        -> Result<TrackerAnswer<Page<ResourceEntry, SwarmKey>>, ControlError>;
    /// See [`Control::tracker_fleet`].
    tracker_fleet / TrackerFleet(
        tracker: Option<TrackerUrl>,
        what: Lookup,
        after: Option<FleetPlace>,
        machines_max: u32
    ) -> Result<TrackerAnswer<Fleet>, ControlError>;
    /// See [`Control::tracker_examine`].
    tracker_examine / TrackerExamine(tracker: TrackerUrl) -> Result<TrackerExamined, ControlError>;
    /// See [`Control::unpublish`].
    unpublish / Unpublish(what: String) -> Result<Unpublished, ControlError>;
    /// See [`Control::overview`].
    overview / Overview() -> Result<Overview, ControlError>;
    /// See [`Control::events`].
    events / Events(after: Option<u64>, wait_ms: u32) -> Result<EventPage, ControlError>;
    /// See [`Control::import_zeros`].
    import_zeros / ImportZeros(task: TaskId, bytes: u64) -> Result<(), ControlError>;
    /// See [`Control::read`].
    read / Read(resource: ResourceId, index: ChunkIndex) -> Result<Payload, ControlError>;
    /// See [`Control::import_cancel`].
    import_cancel / ImportCancel(task: TaskId) -> Result<(), ControlError>;
    /// See [`Control::foreign`].
    foreign / Foreign(what: String) -> Result<Vec<Foreign>, ControlError>;
    /// See [`Control::manifest`].
    manifest / Manifest(what: String, part: u32) -> Result<ManifestPart, ControlError>;
    /// See [`Control::sign`].
    sign / Sign(request: SignRequest) -> Result<TaskId, ControlError>;
    /// See [`Control::join`].
    join / Join(request: JoinRequest) -> Result<IdentityReport, ControlError>;
    /// See [`Control::identity`].
    identity / Identity() -> Result<IdentityReport, ControlError>;
    /// See [`Control::subscriptions`].
    subscriptions / Subscriptions() -> Result<Vec<SubscriptionStatus>, ControlError>;
    /// See [`Control::reload`].
    reload / Reload() -> Result<(), ControlError>;
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
    const BODY_BYTES_MAX: usize = PART_BYTES_MAX;
    const HEAD_BYTES_MAX: usize = 64 << 20; // the status of every resource

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            ControlResponse::Read(Ok(bytes)) => Some(bytes),
            ControlResponse::Manifest(Ok(part)) => Some(&mut part.hashes),
            _ => None,
        }
    }
}
