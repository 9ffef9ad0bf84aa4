//! The `Control` service: passes ttctl's requests to the driver, and does what belongs to one connection: manifests and
//! imports that arrive in parts, waiting, and lookups in catalogues.

use super::blocking::{adding, blocking};
use super::callers::Callers;
use super::common::ControlServer;
use super::diary::{self, WaitedFor, told};
use super::examine::examine;
use super::get::get_named;
use super::identity::{identity, join};
use super::imports::{self, Imports, Part};
use super::limit;
use super::look_up::shown;
use super::overview::overview;
use super::paths::with_paths;
use super::quota::{Permit, Quota};
use super::read::read;
use super::sign::{manifest_part, sign};
use super::tracker::Questions;
use super::users;
use crate::inbox::{Configured, Input, Manner, Requests, ToShare, Wanted, internal, store_error};
use crate::jobs;
use crate::snapshot::Snapshot;
use rustix::process::{Signal, getpid, kill_process};
use shared::chunk::ChunkIndex;
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::{Manifest, Parser};
use shared::name::ResourceName;
use shared::rpc::control::{
    Accepted, Control, ControlError, DaemonInfo, ErrorKind, EventPage, Examined, Foreign, GetRequest,
    GetWhat, IdentityReport, JoinRequest, Keep, LimitChange, LimitsKept, ManifestPart, Overview, Page,
    PeerInfo, Rejection, ResourceStatus, ShareRequest, SignRequest, SubscriptionStatus, TaskId, TaskState,
    TrackerAnswer, TrackerExamined, Unpublished, Watched,
};
use shared::rpc::local::Credentials;
use shared::rpc::tracker::{Fleet, FleetPlace, ListEntry, Lookup, PeerEntry, ResourceEntry};
use shared::rpc::wire::Greeted;
use shared::rpc::{PROTOCOL_VERSION, Payload, WrongVersion};
use shared::tree::TreeName;
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tarpc::context::Context as CallContext;
use tokio::sync::watch;

/// Limits the imports that one connection may have open; a further one is refused. ttctl sends one at a time.
const IMPORTS_MAX: usize = 16;
/// The longest wait of one `watch` call. A caller who wants to wait longer calls again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// One caller's connection.
#[derive(Clone)]
pub struct CallerSession {
    server: Arc<ControlServer>,
    requests: Requests,
    questions: Arc<Questions>,
    /// The state of all resources. The driver keeps it up to date while a caller is connected.
    snapshots: watch::Receiver<Arc<Snapshot>>,
    who: Credentials,
    greeted: Greeted,
    callers: Arc<Callers>,
    /// The quota of this connection's imports.
    own_imports: Arc<Quota>,
    /// A manifest of which some parts have arrived.
    manifest: Arc<Mutex<Option<(Parser, Permit)>>>,
    imports: Arc<Mutex<Imports>>,
    waited_for: Arc<WaitedFor>,
}

impl CallerSession {
    /// The connection of a caller who has said nothing yet.
    pub fn new(
        server: Arc<ControlServer>,
        questions: Arc<Questions>,
        callers: Arc<Callers>,
        who: Credentials,
        greeted: Greeted,
    ) -> CallerSession {
        let (requests, snapshots) = (Requests::new(&server.context), server.context.snapshots.subscribe());
        CallerSession {
            server,
            requests,
            questions,
            snapshots,
            who,
            greeted,
            callers,
            own_imports: Quota::new(IMPORTS_MAX),
            manifest: Arc::default(),
            imports: Arc::default(),
            waited_for: Arc::default(),
        }
    }
}

impl Control for CallerSession {
    async fn hello(self, _: CallContext, version: u16) -> Result<DaemonInfo, WrongVersion> {
        if version != PROTOCOL_VERSION {
            self.greeted.refuse();
            return Err(WrongVersion { ours: PROTOCOL_VERSION });
        }
        self.greeted.accept();
        let Configured { trackers, file_mode, file_group, .. } = self.server.configured.borrow().clone();
        Ok(DaemonInfo { trackers, file_mode, file_group, ..self.server.info.clone() })
    }

    async fn share(self, _: CallContext, request: ShareRequest) -> Result<TaskId, ControlError> {
        let request = ToShare::new(request, self.wanted_by().await);
        let (by, name) = (request.by.clone(), request.name.clone());
        self.requests.share(request).await.inspect_err(told(&by, name.as_str(), "not shared"))
    }

    async fn import(self, _: CallContext, request: ShareRequest) -> Result<TaskId, ControlError> {
        let request = ToShare::new(request, self.wanted_by().await);
        let (by, name) = (request.by.clone(), request.name.clone());
        self.begin_import(request).await.inspect_err(told(&by, name.as_str(), "not shared"))
    }

    async fn import_part(self, _: CallContext, task: TaskId, bytes: Payload) -> Result<(), ControlError> {
        self.import_next(task, Part::Data(bytes.bytes)).await
    }

    async fn import_zeros(self, _: CallContext, task: TaskId, bytes: u64) -> Result<(), ControlError> {
        self.import_next(task, Part::Zeros(bytes)).await
    }

    async fn import_cancel(self, _: CallContext, task: TaskId) -> Result<(), ControlError> {
        let import = self.imports().cancel(task)?;
        blocking(move || import.delete()).await
    }

    async fn import_end(self, _: CallContext, task: TaskId) -> Result<(), ControlError> {
        let (request, mut import, handle) = self.imports().end(task)?;
        let (is_tree, requests) = (request.tree.is_some(), self.requests.clone());
        let end = async move {
            let taken = match adding(move || import.finish().map(|()| import)).await {
                Ok(import) => requests.import_end(task, request, import).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &taken {
                handle.end_if_running(|| TaskState::Failed(error.clone()));
            }
            taken
        };
        if !is_tree {
            return end.await;
        }
        // A directory may have a million empty files and links to make: nobody waits for one call as long.
        jobs::spawn(end);
        Ok(())
    }

    async fn task(self, _: CallContext, task: TaskId, wait_ms: u32) -> Result<TaskState, ControlError> {
        self.requests.task(task, Duration::from_millis(wait_ms.into())).await
    }

    async fn manifest_part(self, _: CallContext, bytes: Payload) -> Result<(), ControlError> {
        let mut manifest = self.begun_manifest();
        let (mut parser, permit) = match manifest.take() {
            Some(begun) => begun,
            None => (Parser::default(), self.may_have_one(&self.callers.manifests)?),
        };
        parser.feed(&bytes.bytes).map_err(|error| bad_data(&error))?;
        *manifest = Some((parser, permit));
        Ok(())
    }

    async fn get(self, _: CallContext, request: GetRequest) -> Result<Accepted, ControlError> {
        let GetRequest { what, replace, as_file, reuse, links_outside, is_copied, allows_older } = request;
        let manner = Manner { replace, reuse, as_file, links_outside, is_copied, allows_older };
        let by = self.wanted_by().await;
        let (lookup, tracker) = match what {
            GetWhat::Manifest { signature } => {
                let manifest = self.sent_manifest().inspect_err(told(&by, "a manifest", "not fetched"))?;
                let name = manifest.name().clone();
                let wanted = Wanted { signature, ..Wanted::known(manifest, replace, by.clone()) };
                let wanted = wanted.in_manner(manner);
                let asked = self.requests.get(wanted).await;
                return asked.inspect_err(told(&by, name.as_str(), "not fetched"));
            }
            GetWhat::Name { name, tracker } => (Lookup::Name(name), tracker),
            GetWhat::Resource { resource, tracker } => (Lookup::Resource(resource), tracker),
        };
        let what = shown(&lookup);
        let got = get_named(&self.server, &self.requests, (lookup, tracker), manner, &by).await;
        got.inspect_err(|error| self.waited_for.refused(&by, &what, error))
    }

    async fn status(self, _: CallContext, what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError> {
        self.requests.status(what).await.map(|resources| with_paths(&self.server.home, resources))
    }

    async fn watch(
        self,
        _: CallContext,
        what: Option<String>,
        seen: u64,
        wait_ms: u32,
    ) -> Result<Watched, ControlError> {
        let wait = Duration::from_millis(wait_ms.into()).min(WAIT_MAX);
        let Watched { seen, resources } =
            self.requests.watch(self.snapshots.clone(), what, seen, wait).await?;
        Ok(Watched { seen, resources: with_paths(&self.server.home, resources) })
    }

    async fn inspect(self, _: CallContext, what: String) -> Result<Vec<ResourceStatus>, ControlError> {
        self.requests.inspect(what).await.map(|resources| with_paths(&self.server.home, resources))
    }

    async fn peers(self, _: CallContext, what: Option<String>) -> Result<Vec<PeerInfo>, ControlError> {
        self.requests.peers(what).await
    }

    async fn pause(self, _: CallContext, what: String) -> Result<Vec<ResourceName>, ControlError> {
        let asked = self.requests.pause(what.clone()).await;
        self.tell(&what, asked, "paused", "not paused").await
    }

    async fn resume(self, _: CallContext, what: String) -> Result<Vec<ResourceName>, ControlError> {
        let asked = self.requests.resume(what.clone()).await;
        self.tell(&what, asked, "resumed", "not resumed").await
    }

    async fn remove(
        self,
        _: CallContext,
        what: String,
        delete: bool,
    ) -> Result<Vec<ResourceName>, ControlError> {
        let by = self.wanted_by().await;
        let asked = self.requests.remove(what.clone(), delete, by.clone()).await;
        asked.inspect_err(told(&by, &what, "not removed"))
    }

    async fn foreign(self, _: CallContext, what: String) -> Result<Vec<Foreign>, ControlError> {
        self.requests.foreign(what).await
    }

    async fn verify(self, _: CallContext, what: String) -> Result<TaskId, ControlError> {
        let by = self.wanted_by().await;
        self.requests.verify(what.clone(), by.clone()).await.inspect_err(told(&by, &what, "not verified"))
    }

    async fn rejections(self, _: CallContext) -> Result<Vec<(Rejection, u64)>, ControlError> {
        Ok(self.server.context.rejections.all())
    }

    async fn limit(
        self,
        _: CallContext,
        change: LimitChange,
        keep: Keep,
    ) -> Result<LimitsKept, ControlError> {
        let book = &self.server.limits;
        if change != LimitChange::default() || keep != Keep::ForNow {
            limit::change(book, change, keep).await.map_err(|error| store_error(&error))?;
            let (by, now) = (self.wanted_by().await, book.now());
            let all = keep == Keep::Configured || change == LimitChange::default();
            for (direction, is_given, limit) in [
                ("download", change.download.is_some(), now.download),
                ("upload", change.upload.is_some(), now.upload),
            ] {
                if is_given || all {
                    diary::limited(&by, direction, &limit);
                }
            }
            self.server.context.tell(Input::Limited).await;
        }
        Ok(limit::kept(book))
    }

    async fn examine(self, _: CallContext) -> Result<Examined, ControlError> {
        let home = self.server.home.clone();
        blocking(move || Ok(examine(&home))).await
    }

    async fn tracker_list(
        self,
        _: CallContext,
        tracker: Option<TrackerUrl>,
        after: Option<ResourceName>,
    ) -> Result<TrackerAnswer<Page<ListEntry, ResourceName>>, ControlError> {
        self.questions.list(self.who.uid, tracker, after).await
    }

    async fn tracker_find(
        self,
        _: CallContext,
        tracker: Option<TrackerUrl>,
        what: Lookup,
    ) -> Result<TrackerAnswer<Vec<ListEntry>>, ControlError> {
        self.questions.find(self.who.uid, tracker, what).await
    }

    async fn tracker_peers(
        self,
        _: CallContext,
        tracker: Option<TrackerUrl>,
        resource: ResourceId,
    ) -> Result<TrackerAnswer<Vec<PeerEntry>>, ControlError> {
        self.questions.peers(self.who.uid, tracker, resource).await
    }

    async fn tracker_resources(
        self,
        _: CallContext,
        tracker: Option<TrackerUrl>,
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<TrackerAnswer<Page<ResourceEntry, SwarmKey>>, ControlError> {
        self.questions.resources(self.who.uid, tracker, peer, after).await
    }

    async fn tracker_fleet(
        self,
        _: CallContext,
        tracker: Option<TrackerUrl>,
        what: Lookup,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<TrackerAnswer<Fleet>, ControlError> {
        self.questions.fleet(self.who.uid, tracker, what, after, machines_max).await
    }

    async fn tracker_examine(
        self,
        _: CallContext,
        tracker: TrackerUrl,
    ) -> Result<TrackerExamined, ControlError> {
        self.questions.examine(self.who.uid, tracker).await
    }

    async fn unpublish(self, _: CallContext, what: String) -> Result<Unpublished, ControlError> {
        let by = self.wanted_by().await;
        let asked = self.requests.unpublish(what.clone(), by.clone()).await;
        asked.inspect_err(told(&by, &what, "not unpublished"))
    }

    async fn overview(self, _: CallContext) -> Result<Overview, ControlError> {
        let whole = self.requests.overview().await?;
        Ok(overview(&self.server, whole).await)
    }

    async fn events(
        self,
        _: CallContext,
        after: Option<u64>,
        wait_ms: u32,
    ) -> Result<EventPage, ControlError> {
        let wait = Duration::from_millis(wait_ms.into()).min(WAIT_MAX);
        Ok(self.server.context.events.read(after, wait).await)
    }

    async fn read(
        self,
        _: CallContext,
        resource: ResourceId,
        index: ChunkIndex,
    ) -> Result<Payload, ControlError> {
        let permit = self.callers.reads.turn(self.who.uid).await;
        read(&self.server.context, &self.requests, (resource, index), permit).await
    }

    async fn manifest(self, _: CallContext, what: String, part: u32) -> Result<ManifestPart, ControlError> {
        let _permit = self.callers.reads.turn(self.who.uid).await;
        manifest_part(&self.requests, what, part).await
    }

    async fn join(self, _: CallContext, request: JoinRequest) -> Result<IdentityReport, ControlError> {
        let by = self.wanted_by().await;
        join(&self.server.context, request, &by).await
    }

    async fn identity(self, _: CallContext) -> Result<IdentityReport, ControlError> {
        identity(&self.server.context).await
    }

    async fn subscriptions(self, _: CallContext) -> Result<Vec<SubscriptionStatus>, ControlError> {
        self.server.subscriptions.report().await
    }

    async fn reload(self, _: CallContext) -> Result<(), ControlError> {
        let signaled = kill_process(getpid(), Signal::HUP);
        signaled.map_err(|error| internal(&format!("cannot signal ttd itself: {error}")))
    }

    async fn sign(self, _: CallContext, request: SignRequest) -> Result<TaskId, ControlError> {
        let (by, name) = (self.wanted_by().await, request.name.clone());
        let _permit = self.callers.reads.turn(self.who.uid).await;
        let signed = sign(&self.requests, request, by.clone()).await;
        signed.inspect_err(told(&by, name.as_str(), "not signed"))
    }
}

impl CallerSession {
    /// Logs the outcome of a request that is done at once.
    async fn tell(
        &self,
        what: &str,
        asked: Result<Vec<ResourceName>, ControlError>,
        done: &str,
        not_done: &str,
    ) -> Result<Vec<ResourceName>, ControlError> {
        let by = self.wanted_by().await;
        match &asked {
            Ok(names) => {
                let snapshot = self.snapshots.borrow().clone();
                for name in names {
                    let id = snapshot.of(Some(name.as_str())).first().map(|status| status.resource);
                    diary::done(&by, name, id, done);
                }
            }
            Err(error) => diary::refused(&by, what, not_done, error),
        }
        asked
    }

    async fn begin_import(&self, request: ToShare) -> Result<TaskId, ControlError> {
        let callers = &self.callers;
        let quota = if request.tree.is_some() { &callers.tree_imports } else { &callers.imports };
        let permits = [self.may_have_one(&self.own_imports)?, self.may_have_one(quota)?];
        let no_name = || refused(format!("{} is not the name of a directory with .tar", request.name));
        let name = TreeName::of_resource(&request.name);
        let name = if request.tree.is_some() { Some(name.ok_or_else(no_name)?) } else { None };
        let (task, handle) = self.requests.import(request.clone()).await?;
        let (home, group) = (self.server.home.clone(), self.server.configured.borrow().file_group);
        let begin = move || match name {
            Some(name) => home.import_tree(task.0, name, group),
            None => home.import(task.0),
        };
        match blocking(begin).await {
            Ok(import) => self.imports().begin(task, request, handle, import, permits),
            Err(error) => {
                handle.end(TaskState::Failed(error.clone()));
                return Err(error);
            }
        }
        jobs::spawn(imports::watch(Arc::downgrade(&self.imports), task));
        Ok(task)
    }

    /// Adds the next part to an import.
    async fn import_next(&self, task: TaskId, part: Part) -> Result<(), ControlError> {
        let mut import = self.imports().lend(task, &part)?;
        match adding(move || part.add_to(&mut import).map(|()| import)).await {
            Ok(import) => {
                self.imports().give_back(task, import);
                Ok(())
            }
            Err(error) => {
                self.imports().fail(task, &error);
                Err(error)
            }
        }
    }

    fn imports(&self) -> MutexGuard<'_, Imports> {
        self.imports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun_manifest(&self) -> MutexGuard<'_, Option<(Parser, Permit)>> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_have_one(&self, quota: &Arc<Quota>) -> Result<Permit, ControlError> {
        quota.take(self.who.uid).ok_or_else(|| ControlError {
            kind: ErrorKind::Refused,
            message: format!("more than {} files are being sent at once", quota.each_max()),
            hint: Some("try again when some of them are complete".to_owned()),
        })
    }

    fn sent_manifest(&self) -> Result<Manifest, ControlError> {
        let sent = self.begun_manifest().take();
        let (parser, _permit) = sent.ok_or_else(|| refused("the manifest is empty".to_owned()))?;
        parser.finish().map_err(|error| bad_data(&error))
    }

    /// The caller's user as a [`WantedBy`].
    async fn wanted_by(&self) -> WantedBy {
        users::wanted_by(self.who.uid).await
    }
}

fn refused(message: String) -> ControlError {
    ControlError { kind: ErrorKind::Refused, message, hint: None }
}

fn bad_data(error: &dyn Display) -> ControlError {
    ControlError { kind: ErrorKind::BadData, message: error.to_string(), hint: None }
}
