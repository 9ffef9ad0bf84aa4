//! A fake daemon: it records the calls and gives prepared answers.

#[path = "room.rs"] // also where this file is included from elsewhere
mod room;
#[path = "trouble.rs"]
pub(crate) mod trouble;
#[path = "values.rs"]
mod values;

use bytes::Bytes;
use room::Room;
use shared::chunk::ChunkIndex;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::*;
use shared::rpc::tracker::{Fleet, FleetMachine, FleetPlace, ListEntry, Lookup, PeerEntry, ResourceEntry};
use shared::rpc::wire::{Greeted, ServerOptions, serve};
use shared::rpc::{PROTOCOL_VERSION, Payload, WrongVersion, local};
use shared::url::TrackerUrl;
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Duration;
use tarpc::context::Context;
use tempfile::TempDir;
pub(crate) use trouble::Trouble;
pub(super) use values::{State_, accepted, identity, refused, status};
use values::{info, listed, subscriptions};

/// The fake daemon with a directory of its own.
pub(super) struct Fake {
    pub(super) folder: TempDir,
    state: Arc<Mutex<State>>,
}

/// The recorded calls and the prepared answers.
#[derive(Default)]
pub(super) struct State {
    pub(super) trackers: Vec<&'static str>,
    pub(super) shared: Vec<ShareRequest>,
    pub(super) imported: Vec<ShareRequest>,
    pub(super) room: Room,
    pub(super) bytes: Vec<u8>,
    /// How many of them came as zeros.
    pub(super) zeros: u64,
    pub(super) manifest: Vec<u8>,
    /// The bytes of what is complete, for `read`.
    pub(super) content: Vec<u8>,
    /// The chunk that `read` refuses.
    pub(super) edited: Option<u32>,
    pub(super) got: Vec<GetRequest>,
    pub(super) accepted: Option<Result<Accepted, ControlError>>,
    /// One answer per `watch`; the last one is repeated slowly.
    pub(super) watched: VecDeque<ResourceStatus>,
    /// The files that are here, for commands that ask for all; if empty, the first of `watched`.
    pub(super) here: Vec<ResourceStatus>,
    /// An error that `watch` returns once.
    pub(super) lost: Option<ControlError>,
    pub(super) tasks: VecDeque<TaskState>,
    pub(super) limits: Option<(Limit, Limit)>,
    pub(super) folder_trouble: Option<String>,
    /// The socket that it reports as listening for peers; a fixed address without one.
    pub(super) listener: Option<TcpListener>,
    /// The directory that it reports, if that is not the real one.
    pub(super) folder_told: Option<PathBuf>,
    /// The names that a tracker lists, two on a page.
    pub(super) published: Vec<&'static str>,
    /// The machines that a tracker has seen with a resource.
    pub(super) machines: Vec<FleetMachine>,
    pub(super) tracked_peers: Vec<PeerEntry>,
    pub(super) tracked_resources: Vec<ResourceEntry>,
    /// The error if no tracker answers.
    pub(super) no_tracker: Option<ControlError>,
    /// The number of machines that have all of a resource: one answer per question, then always three.
    pub(super) counted: VecDeque<Result<u32, ControlError>>,
    /// The tracker of each question.
    pub(super) asked: Vec<Option<TrackerUrl>>,
    pub(super) trouble: Trouble,
    pub(super) joins: Vec<JoinRequest>,
    pub(super) identity: Option<Result<IdentityReport, ControlError>>,
}

impl Fake {
    pub(super) fn start() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".tinytorrent")).unwrap();
        let state =
            Arc::new(Mutex::new(State { trackers: vec!["tt://tracker.example"], ..State::default() }));
        let service =
            Service { folder: folder.path().to_owned(), state: state.clone(), greeted: Greeted::new() };
        let (listening, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = service.folder.join(".tinytorrent/ttd.sock");
                let listener = local::listen(&socket, 0o600).await.unwrap();
                listening.send(()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let service = Service { greeted: Greeted::new(), ..service.clone() };
                    let options =
                        ServerOptions { greeted: service.greeted.clone(), ..ServerOptions::default() };
                    let state = service.state.clone();
                    let served = tokio::spawn(serve(stream, options, service.serve()));
                    state.lock().unwrap().trouble.connected(served.abort_handle());
                }
            });
        });
        wait.recv().unwrap();
        Fake { folder, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }
}

#[derive(Clone)]
struct Service {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
    greeted: Greeted,
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One more call that changes something: the connection may end with it.
    async fn one_more(&self) {
        if self.state().trouble.count_call() {
            std::future::pending::<()>().await;
        }
    }

    fn published(&self) -> Vec<ListEntry> {
        self.state().published.iter().map(|name| listed(name)).collect()
    }

    /// Answers as the tracker of the question, or as the last of the daemon's trackers if it names none.
    fn answer<T>(&self, tracker: Option<TrackerUrl>, answer: T) -> Result<TrackerAnswer<T>, ControlError> {
        let mut state = self.state();
        state.asked.push(tracker.clone());
        if let Some(error) = &state.no_tracker {
            return Err(error.clone());
        }
        let own = state.trackers.last().map(|url| url.parse().unwrap());
        let tracker = tracker.or(own).ok_or_else(|| refused("there is no tracker"))?;
        Ok(TrackerAnswer { tracker, answer })
    }

    /// The files that are here with that name or id; all if `what` is `None`.
    fn here(&self, what: Option<&str>) -> Vec<ResourceStatus> {
        let is_meant = |status: &&ResourceStatus| {
            what.is_none_or(|what| status.name.as_str() == what || status.resource.to_string() == what)
        };
        self.state().here.iter().filter(is_meant).cloned().collect()
    }

    fn names(&self, what: &str) -> Result<Vec<ResourceName>, ControlError> {
        let names: Vec<ResourceName> = self.here(Some(what)).into_iter().map(|it| it.name).collect();
        if names.is_empty() {
            return what.parse().map(|name| vec![name]).map_err(|_| refused("no such resource"));
        }
        Ok(names)
    }
}

impl Control for Service {
    async fn hello(self, _: Context, _version: u16) -> Result<DaemonInfo, WrongVersion> {
        self.greeted.accept();
        self.state().trouble.hello()?;
        let folder_told = self.state().folder_told.clone();
        let listens = self.state().listener.as_ref().map(|listener| listener.local_addr().unwrap());
        let info = info(&self.folder);
        Ok(DaemonInfo {
            folder: folder_told.unwrap_or_else(|| self.folder.clone()),
            listen: listens.unwrap_or(info.listen),
            trackers: self.state().trackers.iter().map(|url| url.parse().unwrap()).collect(),
            ..info
        })
    }

    async fn share(self, _: Context, request: ShareRequest) -> Result<TaskId, ControlError> {
        self.one_more().await;
        self.state().shared.push(request);
        Ok(TaskId(1))
    }

    async fn import(self, _: Context, request: ShareRequest) -> Result<TaskId, ControlError> {
        let mut state = self.state();
        state.room.begin()?;
        state.bytes.clear();
        state.imported.push(request);
        Ok(TaskId(1))
    }

    async fn import_cancel(self, _: Context, _: TaskId) -> Result<(), ControlError> {
        self.state().room.cancel();
        Ok(())
    }

    async fn import_part(self, _: Context, _: TaskId, bytes: Payload) -> Result<(), ControlError> {
        assert!(bytes.bytes.len() <= PART_BYTES_MAX);
        self.state().bytes.extend_from_slice(&bytes.bytes);
        Ok(())
    }

    async fn import_zeros(self, _: Context, _: TaskId, bytes: u64) -> Result<(), ControlError> {
        assert!(bytes <= ZEROS_BYTES_MAX);
        let mut state = self.state();
        let len = state.bytes.len() + bytes as usize;
        state.bytes.resize(len, 0);
        state.zeros += bytes;
        Ok(())
    }

    async fn import_end(self, _: Context, _: TaskId) -> Result<(), ControlError> {
        Ok(())
    }

    async fn task(self, _: Context, _: TaskId, _wait_ms: u32) -> Result<TaskState, ControlError> {
        self.state().tasks.pop_front().ok_or_else(|| refused("no such task"))
    }

    async fn manifest_part(self, _: Context, bytes: Payload) -> Result<(), ControlError> {
        self.state().manifest.extend_from_slice(&bytes.bytes);
        Ok(())
    }

    async fn get(self, _: Context, request: GetRequest) -> Result<Accepted, ControlError> {
        if self.state().trouble.is_silent(&request) {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        let named = match &request.what {
            GetWhat::Name { name, .. } => Some(name.clone()),
            GetWhat::Manifest { .. } | GetWhat::Resource { .. } => None,
        };
        state.got.push(request);
        let accepted = state.accepted.clone().unwrap_or_else(|| Err(refused("nobody knows it")))?;
        Ok(Accepted { name: named.unwrap_or(accepted.name), ..accepted })
    }

    async fn read(self, _: Context, _: ResourceId, index: ChunkIndex) -> Result<Payload, ControlError> {
        let state = self.state();
        if state.edited == Some(index.0) {
            let message = "a file in it was edited".to_owned();
            return Err(ControlError { kind: ErrorKind::BadData, message, hint: None });
        }
        let begin = index.offset() as usize;
        let end = state.content.len().min(begin + PART_BYTES_MAX);
        Ok(Bytes::copy_from_slice(&state.content[begin..end]).into())
    }

    async fn status(self, _: Context, what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError> {
        self.state().trouble.wait_for_loading(what.as_deref())?;
        if !self.state().here.is_empty() {
            let shown = if self.state().trouble.loading.is_some() { 1 } else { usize::MAX };
            let Some(what) = what else { return Ok(self.here(None).into_iter().take(shown).collect()) };
            let names = self.names(&what)?;
            let here = self.state().here.clone().into_iter();
            return Ok(here.filter(|status| names.contains(&status.name)).collect());
        }
        Ok(self.state().watched.front().cloned().into_iter().collect())
    }

    async fn watch(
        self,
        _: Context,
        what: Option<String>,
        seen: u64,
        _: u32,
    ) -> Result<Watched, ControlError> {
        self.state().trouble.watched += 1;
        if !self.state().here.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(lost) = self.state().lost.take() {
                return Err(lost);
            }
            return Ok(Watched { seen: seen + 1, resources: self.here(what.as_deref()) });
        }
        let slow = self.state().watched.len() <= 1;
        if slow && seen > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut state = self.state();
        let next = if slow { state.watched.front().cloned() } else { state.watched.pop_front() };
        if next.is_none() {
            return Err(refused("no such resource"));
        }
        Ok(Watched { seen: seen + 1, resources: next.into_iter().collect() })
    }

    async fn inspect(self, _: Context, what: String) -> Result<Vec<ResourceStatus>, ControlError> {
        if !self.state().here.is_empty() {
            return Ok(self.here(Some(&what)));
        }
        Ok(self.state().watched.front().cloned().into_iter().collect())
    }

    async fn peers(self, _: Context, what: Option<String>) -> Result<Vec<PeerInfo>, ControlError> {
        let here = self.here(what.as_deref());
        if what.is_some() && here.is_empty() && !self.state().here.is_empty() {
            return Err(refused("no such resource"));
        }
        let known = here.first().map(|one| (one.name.clone(), one.resource));
        let (name, resource) = known.unwrap_or_else(|| ("lab.img".parse().unwrap(), ResourceId::of(b"lab")));
        Ok(values::peers(name, resource))
    }

    async fn pause(self, _: Context, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.one_more().await;
        self.names(&what)
    }

    async fn resume(self, _: Context, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.one_more().await;
        self.names(&what)
    }

    async fn foreign(self, _: Context, _: String) -> Result<Vec<Foreign>, ControlError> {
        self.state.lock().unwrap().trouble.unreadable.clone().map_or(Ok(Vec::new()), Err)
    }

    async fn remove(self, _: Context, what: String, _: bool) -> Result<Vec<ResourceName>, ControlError> {
        self.one_more().await;
        self.names(&what)
    }

    async fn rejections(self, _: Context) -> Result<Vec<(Rejection, u64)>, ControlError> {
        Ok(Rejection::ALL.iter().map(|&why| (why, u64::from(why == Rejection::Corrupt) * 3)).collect())
    }

    async fn verify(self, _: Context, _: String) -> Result<TaskId, ControlError> {
        self.one_more().await;
        Ok(TaskId(1))
    }

    async fn limit(self, _: Context, change: LimitChange, keep: Keep) -> Result<LimitsKept, ControlError> {
        let mut state = self.state();
        let (download, upload) = state.limits.unwrap_or((Limit::None, Limit::BytesPerS(5_000_000)));
        let (download, upload) = (change.download.unwrap_or(download), change.upload.unwrap_or(upload));
        state.limits = Some((download, upload));
        Ok(LimitsKept {
            limits: Limits { download, upload, download_until_ms: None, upload_until_ms: None },
            saved: if keep == Keep::Saved { change } else { LimitChange::default() },
            file: "/limits.toml".into(),
            overridden_by: Vec::new(),
        })
    }

    async fn join(self, context: Context, request: JoinRequest) -> Result<IdentityReport, ControlError> {
        self.state().joins.push(request);
        self.identity(context).await
    }

    async fn identity(self, _: Context) -> Result<IdentityReport, ControlError> {
        self.state().identity.clone().unwrap_or_else(|| Ok(identity()))
    }

    async fn subscriptions(self, _: Context) -> Result<Vec<SubscriptionStatus>, ControlError> {
        Ok(subscriptions())
    }

    async fn reload(self, _: Context) -> Result<(), ControlError> {
        Ok(())
    }

    async fn examine(self, _: Context) -> Result<Examined, ControlError> {
        let folder_trouble = self.state().folder_trouble.clone();
        let (free_bytes, total_bytes) = (9 << 30, 20 << 30);
        Ok(Examined {
            folder_trouble,
            free_bytes,
            total_bytes,
            descriptors: 40,
            descriptors_max: 65_536,
            uid: 0,
        })
    }

    async fn tracker_list(
        self,
        _: Context,
        tracker: Option<TrackerUrl>,
        after: Option<ResourceName>,
    ) -> Result<TrackerAnswer<Page<ListEntry, ResourceName>>, ControlError> {
        let published = self.published();
        let rest = published.into_iter().filter(|entry| Some(&entry.publication.name) > after.as_ref());
        let entries: Vec<ListEntry> = rest.take(2).collect();
        let next = entries.get(1).map(|entry| entry.publication.name.clone());
        self.answer(tracker, Page { entries, next })
    }

    async fn tracker_find(
        self,
        _: Context,
        tracker: Option<TrackerUrl>,
        what: Lookup,
    ) -> Result<TrackerAnswer<Vec<ListEntry>>, ControlError> {
        let Lookup::Name(name) = what else { return Err(refused("an id needs no look-up")) };
        let found = self.published().into_iter().filter(|entry| entry.publication.name == name);
        self.answer(tracker, found.collect())
    }

    async fn tracker_peers(
        self,
        _: Context,
        tracker: Option<TrackerUrl>,
        _: ResourceId,
    ) -> Result<TrackerAnswer<Vec<PeerEntry>>, ControlError> {
        let entries = self.state().tracked_peers.clone();
        self.answer(tracker, entries)
    }

    async fn tracker_resources(
        self,
        _: Context,
        tracker: Option<TrackerUrl>,
        _: SocketAddr,
        _: Option<SwarmKey>,
    ) -> Result<TrackerAnswer<Page<ResourceEntry, SwarmKey>>, ControlError> {
        let entries = self.state().tracked_resources.clone();
        self.answer(tracker, Page { entries, next: None })
    }

    async fn tracker_fleet(
        self,
        _: Context,
        tracker: Option<TrackerUrl>,
        what: Lookup,
        _: Option<FleetPlace>,
        _: u32,
    ) -> Result<TrackerAnswer<Fleet>, ControlError> {
        let counted = self.state().counted.pop_front().unwrap_or(Ok(3));
        let machines = self.state().machines.clone();
        let (seeders, leechers, gone_unfinished) = (counted.clone().unwrap_or(0), 1, 0);
        let resource = match what {
            Lookup::Resource(resource) => Some(resource),
            Lookup::Name(name) => {
                let published = self.published();
                let found = published.iter().find(|entry| entry.publication.name == name);
                found.map(|entry| entry.publication.key.resource)
            }
        };
        let fleet = Fleet {
            resource,
            seeders,
            leechers,
            gone_unfinished,
            machines,
            up_ms: 3_600_000,
            ..Fleet::default()
        };
        let answer = self.answer(tracker, fleet)?;
        counted.map(|_| answer)
    }

    async fn tracker_examine(self, _: Context, tracker: TrackerUrl) -> Result<TrackerExamined, ControlError> {
        let examined = TrackerExamined {
            version: PROTOCOL_VERSION,
            software: "fake".into(),
            is_local: false,
            round_trip_us: 1_250,
            clock_ms: 100_000,
            asked_ms: 7_000,
            answered_ms: 7_001,
            of_our_node: 1,
        };
        Ok(self.answer(Some(tracker), examined)?.answer)
    }

    async fn unpublish(self, _: Context, what: String) -> Result<Unpublished, ControlError> {
        self.one_more().await;
        Ok(values::unpublished(self.names(&what)?))
    }

    async fn overview(self, _: Context) -> Result<Overview, ControlError> {
        Ok(values::overview())
    }

    async fn events(self, _: Context, _: Option<u64>, _: u32) -> Result<EventPage, ControlError> {
        Ok(EventPage { newest: 5, missed: 0, events: values::events() })
    }

    async fn manifest(self, _: Context, what: String, _: u32) -> Result<ManifestPart, ControlError> {
        Err(refused(&format!("{what} is not shared here")))
    }

    async fn sign(self, _: Context, request: SignRequest) -> Result<TaskId, ControlError> {
        Err(refused(&format!("{} is not shared here", request.name)))
    }
}
