//! The links that we dialled: one task per peer, with its quick connection, its bulk connection (made when it
//! is first needed, or right after hello) and the requests that are open on them.

use super::news::read_news;
use crate::context::Context;
use crate::driver::Input;
use crate::library::{Download, TakeError, Traffic};
use crate::throttle::Throttled;
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::id::SwarmKey;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::peer::{
    ChunkReply, HelloRefused, LinkKind, NewsReply, NewsRequest, PeerCaller, PickReply, Seen, Welcome,
    ZONE_BYTES_MAX,
};
use shared::rpc::wire::{self, CallError, ClientOptions, LinkEnd, Meter};
use shared::swarm::{Event, PeerAddr, Refusal, RequestId};
use shared::window::Window;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// A pick may wait in the seeder's queue for 10 s.
const PICK_TIMEOUT: Duration = Duration::from_secs(15);
/// A chunk may take long on a slow link; a stall is noticed by its missing bytes, not by this.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(600);
const NEWS_TIMEOUT: Duration = Duration::from_secs(60);
/// A peer that answers sooner than this with no news at all is not asked again at once.
const EMPTY_PAUSE: Duration = Duration::from_millis(100);
/// How often the core hears of bytes that arrived.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// What a link is to do.
#[derive(Debug)]
pub enum LinkCommand {
    /// Poll for the news of exactly these swarms.
    Subscribe(Vec<(SwarmKey, ChunkCount)>),
    /// Ask the seeder to choose a chunk.
    Pick { request: RequestId, key: SwarmKey, wanted: Window },
    /// Ask for a chunk.
    Get { request: RequestId, index: ChunkIndex, download: Arc<Download>, traffic: Arc<Traffic> },
    /// Take a request back.
    Cancel { request: RequestId },
    /// Tell the peer that a chunk of its was corrupt.
    Complain { key: SwarmKey, index: ChunkIndex },
}

/// The number of a link. What a former link with the same peer had to say is not taken for news of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkId(pub u64);

/// Tells the driver, in the name of a link.
#[derive(Debug, Clone)]
struct Teller {
    context: Arc<Context>,
    peer: PeerAddr,
    id: LinkId,
}

impl Teller {
    async fn event(&self, event: Event) {
        self.context.tell(Input::Link { peer: self.peer, link: self.id, event }).await;
    }
}

/// A link; dropping it closes its connections.
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    /// Bounded by the requests that the core keeps open.
    commands: mpsc::UnboundedSender<LinkCommand>,
    task: JoinHandle<()>,
}

impl Link {
    /// Dials a peer. The core hears of the outcome.
    pub fn dial(context: Arc<Context>, peer: PeerAddr) -> Link {
        let (commands, received) = mpsc::unbounded_channel();
        let id = context.next_link();
        Link { id, commands, task: tokio::spawn(run(Teller { context, peer, id }, received)) }
    }

    /// Tells this link from former ones with the same peer.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Gives the link something to do.
    pub fn command(&self, command: LinkCommand) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection after hello. Dropping it closes it.
struct Connection {
    caller: PeerCaller,
    welcome: Welcome,
    round_trip: Duration,
    carrier: JoinHandle<LinkEnd>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Why a peer cannot be asked.
enum DialError {
    /// Not now.
    Failed(String),
    /// Never.
    ForGood(String),
}

impl Connection {
    async fn dial(
        context: &Context,
        peer: PeerAddr,
        kind: LinkKind,
        meter: Meter,
    ) -> Result<Connection, DialError> {
        let bulk = kind == LinkKind::Bulk;
        let stream =
            context.connect(peer, bulk).await.map_err(|error| DialError::Failed(error.to_string()))?;
        let limits = context.limits();
        limits.bulk.store(bulk, Ordering::Relaxed);
        let options = ClientOptions { meter, ..ClientOptions::default() };
        let (caller, carrier): (PeerCaller, _) = wire::client(Throttled::new(stream, limits), options);
        let carrier = tokio::spawn(carrier);
        let asked = Instant::now();
        let answer = caller.hello(context.hello(kind), HELLO_TIMEOUT).await;
        let round_trip = asked.elapsed();
        match answer {
            Ok(Ok(welcome))
                if welcome.version == PROTOCOL_VERSION && welcome.zone.len() <= ZONE_BYTES_MAX =>
            {
                Ok(Connection { caller, welcome, round_trip, carrier })
            }
            refused => {
                carrier.abort();
                Err(refusal(refused))
            }
        }
    }
}

fn refusal(answer: Result<Result<Welcome, HelloRefused>, CallError>) -> DialError {
    match answer {
        Ok(Ok(welcome)) if welcome.version == PROTOCOL_VERSION => {
            DialError::ForGood("the name of its zone is too long".to_owned())
        }
        Ok(Ok(welcome)) => DialError::ForGood(format!("it speaks protocol version {}", welcome.version)),
        Ok(Err(HelloRefused::Version(wrong))) => DialError::ForGood(wrong.to_string()),
        Ok(Err(HelloRefused::Malformed)) => DialError::ForGood("it takes our hello for malformed".to_owned()),
        Ok(Err(HelloRefused::Banned)) => DialError::Failed("it refuses us for a while".to_owned()),
        Ok(Err(HelloRefused::Full)) => DialError::Failed("it has too many connections".to_owned()),
        Err(error) => DialError::Failed(error.to_string()),
    }
}

/// The bulk connection, made by whoever needs it first. Its meter counts over all of them.
#[derive(Clone, Default)]
struct Bulk {
    connection: Arc<Mutex<Option<Connection>>>,
    meter: Meter,
}

impl Bulk {
    async fn caller(&self, context: &Context, peer: PeerAddr) -> Result<PeerCaller, DialError> {
        let mut slot = self.connection.lock().await;
        if slot.as_ref().is_none_or(|connection| connection.carrier.is_finished()) {
            *slot = Some(Connection::dial(context, peer, LinkKind::Bulk, self.meter.clone()).await?);
        }
        Ok(slot.as_ref().expect("it was made just now").caller.clone())
    }
}

/// One link's task.
struct Running {
    teller: Teller,
    bulk: Bulk,
    requests: JoinSet<RequestId>,
    open: BTreeMap<RequestId, AbortHandle>,
    /// How many body bytes the core has heard of.
    reported: u64,
}

async fn run(teller: Teller, commands: mpsc::UnboundedReceiver<LinkCommand>) {
    let peer = teller.peer;
    let quick = match Connection::dial(&teller.context, peer, LinkKind::Quick, Meter::new()).await {
        Ok(quick) => quick,
        Err(error) => {
            let (why, for_good) = match error {
                DialError::Failed(why) => (why, false),
                DialError::ForGood(why) => (why, true),
            };
            tracing::debug!(%peer, error = %why, "cannot ask this peer");
            return teller.event(Event::Disconnected { peer, for_good }).await;
        }
    };
    let id = quick.welcome.peer_id;
    if id == teller.context.peer_id {
        return teller.event(Event::Disconnected { peer, for_good: true }).await;
    }
    tracing::debug!(%peer, %id, "connected");
    let (zone, round_trip) = (quick.welcome.zone.clone(), quick.round_trip);
    teller.event(Event::Connected { peer, id, zone, round_trip }).await;
    let (requests, open) = (JoinSet::new(), BTreeMap::new());
    let mut running = Running { teller, bulk: Bulk::default(), requests, open, reported: 0 };
    let why = running.work(quick, commands).await;
    tracing::debug!(%peer, error = %why, "disconnected");
    running.teller.event(Event::Disconnected { peer, for_good: false }).await;
}

impl Running {
    /// Works until the quick connection ends; returns why it did.
    async fn work(
        &mut self,
        mut quick: Connection,
        mut commands: mpsc::UnboundedReceiver<LinkCommand>,
    ) -> String {
        let (subscribe, subscribed) = tokio::sync::watch::channel(Vec::new());
        let news = follow_news(self.teller.clone(), quick.caller.clone(), subscribed);
        let mut news = std::pin::pin!(news);
        let mut progress = tokio::time::interval(PROGRESS_EVERY);
        let (bulk, context, peer) = (self.bulk.clone(), self.teller.context.clone(), self.teller.peer);
        let mut first_dial = JoinSet::new(); // dropped, and so ended, with the link
        first_dial.spawn(async move { bulk.caller(&context, peer).await.is_ok() });
        loop {
            tokio::select! {
                end = &mut quick.carrier => return end.map_or_else(|error| error.to_string(), |end| end.to_string()),
                why = &mut news => return why,
                command = commands.recv() => match command {
                    Some(LinkCommand::Subscribe(keys)) => { subscribe.send_replace(keys); }
                    Some(command) => self.perform(&quick.caller, command),
                    None => return "it is not needed any more".to_owned(),
                },
                Some(done) = self.requests.join_next() => if let Ok(request) = done {
                    self.open.remove(&request);
                },
                _ = progress.tick(), if !self.open.is_empty() => self.report_progress().await,
            }
        }
    }

    fn perform(&mut self, quick: &PeerCaller, command: LinkCommand) {
        let (teller, quick) = (self.teller.clone(), quick.clone());
        let (request, task) = match command {
            LinkCommand::Pick { request, key, wanted } => {
                (request, self.requests.spawn(pick(teller, quick, request, key, wanted)))
            }
            LinkCommand::Get { request, index, download, traffic } => {
                let fetch = Fetch { teller, request, index, download, traffic };
                (request, self.requests.spawn(fetch.run(self.bulk.clone())))
            }
            LinkCommand::Cancel { request } => {
                if let Some(task) = self.open.remove(&request) {
                    task.abort();
                }
                return;
            }
            LinkCommand::Complain { key, index } => {
                tokio::spawn(async move { quick.complain(key, index, HELLO_TIMEOUT).await });
                return;
            }
            LinkCommand::Subscribe(_) => return,
        };
        self.open.insert(request, task);
    }

    async fn report_progress(&mut self) {
        let received = self.bulk.meter.received_bytes();
        let bytes = received - std::mem::replace(&mut self.reported, received);
        if bytes > 0 {
            self.teller.event(Event::Progress { peer: self.teller.peer, bytes }).await;
        }
    }
}

/// Polls for news until the peer breaks off; returns why. Changed subscriptions end the open poll.
async fn follow_news(
    teller: Teller,
    quick: PeerCaller,
    mut subscribed: tokio::sync::watch::Receiver<Vec<(SwarmKey, ChunkCount)>>,
) -> String {
    let mut seen: Option<Seen> = None;
    loop {
        let keys = subscribed.borrow_and_update().clone();
        if keys.is_empty() {
            if subscribed.changed().await.is_err() {
                return "it is not needed any more".to_owned();
            }
            continue;
        }
        let asked = Instant::now();
        let subscriptions = keys.iter().map(|(key, _)| *key).collect();
        let poll = quick.news(NewsRequest { subscriptions, seen }, NEWS_TIMEOUT);
        let reply: NewsReply = tokio::select! {
            answer = poll => match answer {
                Ok(reply) => reply,
                Err(CallError::TimedOut) => continue,
                Err(error) => return error.to_string(),
            },
            changed = subscribed.changed() => {
                if changed.is_err() {
                    return "it is not needed any more".to_owned();
                }
                continue;
            }
        };
        seen = Some(reply.seen);
        if reply.updates.is_empty() && asked.elapsed() < EMPTY_PAUSE {
            tokio::time::sleep(EMPTY_PAUSE).await; // it does not wait for news: we do
        }
        for update in reply.updates {
            let count = keys.iter().find(|(key, _)| *key == update.key).map(|(_, count)| *count);
            let Some(news) = count.and_then(|count| read_news(update.have, count)) else {
                return "its news make no sense".to_owned();
            };
            teller.event(Event::News { peer: teller.peer, key: update.key, news }).await;
        }
    }
}

async fn pick(
    teller: Teller,
    quick: PeerCaller,
    request: RequestId,
    key: SwarmKey,
    wanted: Window,
) -> RequestId {
    let event = match quick.pick(key, wanted, PICK_TIMEOUT).await {
        Ok(PickReply::Picked(index)) => Event::Picked { request, index },
        Ok(PickReply::Busy { retry_after_ms }) => Event::Refused { request, refusal: busy(retry_after_ms) },
        Ok(PickReply::NotHere) => Event::Refused { request, refusal: Refusal::NotHere },
        Ok(PickReply::Unknown) => Event::Refused { request, refusal: Refusal::Unknown },
        Err(error) => {
            tracing::debug!(resource = %key, peer = %teller.peer, %error, "a pick was not answered");
            Event::Refused { request, refusal: Refusal::Failed }
        }
    };
    teller.event(event).await;
    request
}

fn busy(retry_after_ms: u32) -> Refusal {
    Refusal::Busy { retry_after: Duration::from_millis(retry_after_ms.into()) }
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
    async fn run(self, bulk: Bulk) -> RequestId {
        let request = self.request;
        let refusal = match bulk.caller(&self.teller.context, self.teller.peer).await {
            Ok(caller) => {
                match caller.get_chunk(self.download.manifest.key(), self.index, CHUNK_TIMEOUT).await {
                    Ok(ChunkReply::Chunk(payload)) => {
                        // From here on nothing may interrupt: the core is told of the chunk's end in any case.
                        tokio::spawn(self.take(payload.bytes));
                        return request;
                    }
                    Ok(ChunkReply::Busy { retry_after_ms }) => busy(retry_after_ms),
                    Ok(ChunkReply::NotHere) => Refusal::NotHere,
                    Ok(ChunkReply::Unknown) => Refusal::Unknown,
                    Ok(ChunkReply::Failed) => self.failed("the peer could not serve it"),
                    Err(error) => self.failed(&error.to_string()),
                }
            }
            Err(DialError::Failed(why) | DialError::ForGood(why)) => self.failed(&why),
        };
        self.teller.event(Event::Refused { request, refusal }).await;
        request
    }

    fn failed(&self, error: &str) -> Refusal {
        let (key, chunk, peer) = (self.download.manifest.key(), self.index, self.teller.peer);
        tracing::debug!(resource = %key, %chunk, %peer, error, "a chunk was not served");
        Refusal::Failed
    }

    /// Verifies and writes a chunk in one go, off the async workers, while its bytes are in the cache.
    async fn take(self, bytes: bytes::Bytes) {
        self.teller.event(Event::Received { request: self.request }).await;
        let (download, index) = (self.download.clone(), self.index);
        let taken = tokio::task::spawn_blocking(move || {
            let length = bytes.len() as u64;
            download.take(index, bytes).map(|()| length)
        });
        let taken = taken.await.unwrap_or_else(|error| Err(TakeError::Panicked(error.to_string())));
        if let Ok(bytes) = taken {
            self.traffic.received.fetch_add(bytes, Ordering::Relaxed);
        }
        let (peer, taken) = (self.teller.peer, taken.map(drop));
        self.teller.context.tell(Input::Taken { download: self.download, index, peer, taken }).await;
    }
}
