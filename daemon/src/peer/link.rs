//! The links that we dialed: one task per peer, with its quick connection, its bulk connection, and the requests that
//! are open on them.

use super::connection::{Bulk, DialError, DialedConnection, End};
use super::follow::{Follow, follow};
use super::teller::Teller;
use crate::inbox::{Context, Input, LinkId};
use crate::jobs;
use crate::library::{Download, TakeError, Traffic};
use crate::throttle::PAUSED_RETRY;
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::id::SwarmKey;
use shared::identity::NodeName;
use shared::rpc::control::Rejection;
use shared::rpc::peer::{ChunkReply, LinkKind, PeerCaller, PickReply};
use shared::rpc::wire::Meter;
use shared::swarm::{DropReason, Event, PeerAddr, RequestId, RequestRefusal};
use shared::window::Window;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinHandle, JoinSet};

/// Limits the time of a complaint; after that it is given up. It is a favor to the peer, and nothing waits for it.
const COMPLAINT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limits the time of a pick, which may wait in the seeder's queue for 10 s. After that it has failed.
const PICK_TIMEOUT: Duration = Duration::from_secs(15);
/// Limits the time of a request for a chunk. It is long because links may be slow; stalls are detected by missing bytes
/// instead.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(600);
const NOT_NEEDED: &str = "it is not needed any more";
/// The time between two reports to the core of the bytes that arrived: much less than the shortest stall, and few
/// beside the chunks.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// A command to a link.
#[derive(Debug)]
pub enum LinkCommand {
    /// Change the subscriptions. The peer tells all chunks of an added swarm, even if it was subscribed before.
    Subscribe { added: Vec<(SwarmKey, ChunkCount)>, removed: Vec<SwarmKey> },
    /// Ask the seeder to choose a chunk.
    Pick { request: RequestId, key: SwarmKey, wanted: Window },
    /// Request a chunk.
    Get { request: RequestId, index: ChunkIndex, download: Arc<Download>, traffic: Arc<Traffic> },
    /// Cancel a request.
    Cancel { request: RequestId },
    /// Tell the peer that it sent a corrupt chunk.
    Complain { key: SwarmKey, index: ChunkIndex },
}

/// A link; dropping it closes its connections.
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    /// The queue is bounded by the requests that the core keeps open.
    commands: mpsc::UnboundedSender<LinkCommand>,
    /// The node at the other side, once it has shown its certificate.
    node: Arc<OnceLock<NodeName>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Dials a peer. The result is reported to the core.
    pub fn dial(context: Arc<Context>, peer: PeerAddr) -> Link {
        let (commands, received) = mpsc::unbounded_channel();
        let id = context.next_link();
        let node = Arc::<OnceLock<NodeName>>::default();
        let task = jobs::spawn(run(Teller { context, peer, id }, node.clone(), received));
        Link { id, commands, node, task }
    }

    /// The node at the other side, if it has shown a certificate.
    pub fn node(&self) -> Option<&NodeName> {
        self.node.get()
    }

    /// The id, which distinguishes this link from former ones with the same peer.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Sends a command to the link.
    pub fn command(&self, command: LinkCommand) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The state of a link's task.
struct Running {
    teller: Teller,
    bulk: Bulk,
    requests: JoinSet<()>,
    open: BTreeMap<RequestId, AbortHandle>,
    /// The number of bytes that were reported to the core.
    reported: u64,
}

async fn run(teller: Teller, node: Arc<OnceLock<NodeName>>, commands: mpsc::UnboundedReceiver<LinkCommand>) {
    let peer = teller.peer;
    let bulk = Bulk::new(node);
    let broken = bulk.broken.clone();
    let quick =
        match DialedConnection::dial(&teller.context, peer, LinkKind::Quick, Meter::new(), broken).await {
            Ok(quick) => quick,
            Err(error) => {
                let (why, event) = match error {
                    DialError::Failed(why) => (why, Event::Disconnected { peer, for_good: false }),
                    DialError::ForGood(rejection, why) => {
                        teller.context.rejections.count(rejection);
                        (why, Event::Disconnected { peer, for_good: true })
                    }
                    DialError::Broke(why) => (why, Event::Misbehaved { peer, reason: DropReason::Protocol }),
                };
                tracing::debug!(%peer, error = %why, "cannot ask this peer");
                return teller.event(event).await;
            }
        };
    if quick.welcome.peer_id == teller.context.peer_id {
        teller.context.rejections.count(Rejection::Ourselves);
        return teller.event(Event::Disconnected { peer, for_good: true }).await;
    }
    if let Some(node) = &quick.node {
        bulk.node.get_or_init(|| node.clone());
    }
    let id = quick.id();
    let node = quick.node.as_ref().map(tracing::field::display);
    tracing::debug!(%peer, node, id = %quick.welcome.peer_id, "connected");
    let (zone, round_trip) = (quick.welcome.zone.clone(), quick.round_trip);
    teller.event(Event::Connected { peer, id, zone, round_trip }).await;
    let (requests, open) = (JoinSet::new(), BTreeMap::new());
    let mut running = Running { teller, bulk, requests, open, reported: 0 };
    let (why, event) = match running.work(quick, commands).await {
        End::Broken(why) => (why, Event::Disconnected { peer, for_good: false }),
        End::Misbehaved(reason, why) => (why, Event::Misbehaved { peer, reason }),
    };
    tracing::debug!(%peer, error = %why, "disconnected");
    running.teller.event(event).await;
}

impl Running {
    /// Runs until the quick connection ends. Returns why it did.
    async fn work(
        &mut self,
        mut quick: DialedConnection,
        mut commands: mpsc::UnboundedReceiver<LinkCommand>,
    ) -> End {
        let wanted = Arc::new(Follow::default());
        let mut news = std::pin::pin!(follow(self.teller.clone(), quick.caller.clone(), wanted.clone()));
        let mut progress = tokio::time::interval(PROGRESS_EVERY);
        let (bulk, context, peer) = (self.bulk.clone(), self.teller.context.clone(), self.teller.peer);
        let mut broken = std::pin::pin!(self.bulk.clone().when_broken());
        let mut first_dial = JoinSet::new(); // it is dropped, and so aborted, with the link
        first_dial.spawn(jobs::within(async move { bulk.caller(&context, peer).await.is_ok() }));
        loop {
            tokio::select! {
                end = &mut quick.carrier => return End::of(end),
                end = &mut news => return end,
                why = &mut broken => return End::Misbehaved(DropReason::Protocol, why),
                command = commands.recv() => match command {
                    Some(LinkCommand::Subscribe { added, removed }) => wanted.change(added, removed),
                    Some(command) => self.perform(&quick.caller, command),
                    None => return End::Broken(NOT_NEEDED.to_owned()),
                },
                Some(ended) = self.requests.join_next_with_id() => match ended {
                    Ok((task, ())) => self.forget(task, false).await,
                    Err(error) => self.forget(error.id(), error.is_panic()).await,
                },
                _ = progress.tick(), if !self.open.is_empty() => self.report_progress().await,
            }
        }
    }

    fn perform(&mut self, quick: &PeerCaller, command: LinkCommand) {
        let (teller, quick) = (self.teller.clone(), quick.clone());
        if let LinkCommand::Pick { request, .. } | LinkCommand::Get { request, .. } = command
            && teller.context.down.is_paused()
        {
            let refusal = RequestRefusal::Busy { retry_after: PAUSED_RETRY };
            jobs::spawn(async move { teller.event(Event::Refused { request, refusal }).await });
            return;
        }
        let (request, task) = match command {
            LinkCommand::Pick { request, key, wanted } => {
                (request, self.requests.spawn(jobs::within(pick(teller, quick, request, key, wanted))))
            }
            LinkCommand::Get { request, index, download, traffic } => {
                let fetch = Fetch { teller, request, index, download, traffic };
                (request, self.requests.spawn(jobs::within(fetch.run(self.bulk.clone()))))
            }
            LinkCommand::Cancel { request } => {
                if let Some(task) = self.open.remove(&request) {
                    task.abort();
                }
                return;
            }
            LinkCommand::Complain { key, index } => {
                jobs::spawn(async move { quick.complain(key, index, COMPLAINT_TIMEOUT).await });
                return;
            }
            LinkCommand::Subscribe { .. } => return,
        };
        self.open.insert(request, task);
    }

    /// Forgets a request that has ended. A request whose task panicked has reported nothing, so it is reported as
    /// failed.
    async fn forget(&mut self, task: Id, panicked: bool) {
        // A request that continued after its pick has another task by now.
        let request = self.open.iter().find(|(_, open)| open.id() == task).map(|(&request, _)| request);
        let Some(request) = request else { return };
        self.open.remove(&request);
        if panicked {
            self.teller.event(Event::Refused { request, refusal: RequestRefusal::Failed }).await;
        }
    }

    async fn report_progress(&mut self) {
        let received = self.bulk.meter.received_bytes();
        let bytes = received - std::mem::replace(&mut self.reported, received);
        if bytes > 0 {
            self.teller.event(Event::Progress { peer: self.teller.peer, bytes }).await;
        }
    }
}

async fn pick(teller: Teller, quick: PeerCaller, request: RequestId, key: SwarmKey, wanted: Window) {
    let event = match quick.pick(key, wanted, PICK_TIMEOUT).await {
        Ok(PickReply::Picked(index)) => Event::Picked { request, index },
        Ok(PickReply::Busy { retry_after_ms }) => Event::Refused { request, refusal: busy(retry_after_ms) },
        Ok(PickReply::NotHere) => Event::Refused { request, refusal: RequestRefusal::NotHere },
        Ok(PickReply::Unknown) => Event::Refused { request, refusal: RequestRefusal::Unknown },
        Err(error) => {
            tracing::debug!(id = %key, peer = %teller.peer, %error, "a pick was not answered");
            Event::Refused { request, refusal: RequestRefusal::Failed }
        }
    };
    teller.event(event).await;
}

fn busy(retry_after_ms: u32) -> RequestRefusal {
    RequestRefusal::Busy { retry_after: Duration::from_millis(retry_after_ms.into()) }
}

/// A request for a chunk.
struct Fetch {
    teller: Teller,
    request: RequestId,
    index: ChunkIndex,
    download: Arc<Download>,
    traffic: Arc<Traffic>,
}

impl Fetch {
    async fn run(self, bulk: Bulk) {
        let request = self.request;
        let refusal = match bulk.caller(&self.teller.context, self.teller.peer).await {
            Ok(caller) => {
                match caller.get_chunk(self.download.manifest.key(), self.index, CHUNK_TIMEOUT).await {
                    Ok(ChunkReply::Chunk(payload)) => {
                        // From here on the work must not be aborted: the result for the chunk is always reported.
                        jobs::spawn(self.store(payload.bytes));
                        return;
                    }
                    Ok(ChunkReply::Busy { retry_after_ms }) => busy(retry_after_ms),
                    Ok(ChunkReply::NotHere) => RequestRefusal::NotHere,
                    Ok(ChunkReply::Unknown) => RequestRefusal::Unknown,
                    Ok(ChunkReply::Failed) => self.failed("the peer could not serve it"),
                    Err(error) => self.failed(&error.to_string()),
                }
            }
            Err(DialError::Failed(why) | DialError::ForGood(_, why) | DialError::Broke(why)) => {
                self.failed(&why)
            }
        };
        self.teller.event(Event::Refused { request, refusal }).await;
    }

    fn failed(&self, error: &str) -> RequestRefusal {
        let (key, chunk, peer) = (self.download.manifest.key(), self.index, self.teller.peer);
        tracing::debug!(id = %key, %chunk, %peer, error, "a chunk was not served");
        RequestRefusal::Failed
    }

    /// Verifies and writes a chunk in one step outside the async workers, while its bytes are in the cache.
    async fn store(self, bytes: bytes::Bytes) {
        self.teller.event(Event::Received { request: self.request }).await;
        let (download, index) = (self.download.clone(), self.index);
        let taken = jobs::run(move || {
            let length = bytes.len() as u64;
            download.store(index, bytes).map(|()| length)
        });
        let taken = taken.await.unwrap_or_else(|error| Err(TakeError::Panicked(error.to_string())));
        if let Ok(bytes) = taken {
            self.traffic.received.fetch_add(bytes, Ordering::Relaxed);
        }
        let (peer, taken) = (self.teller.peer, taken.map(drop));
        self.teller.context.tell(Input::Taken { download: self.download, index, peer, taken }).await;
    }
}
