//! The `Peer` service: answers those who dialled us. Decides nothing: picks and chunks are the core's to grant.

use super::news::Told;
use crate::context::{Context, plain};
use crate::driver::{Answer, Input};
use crate::library::{ReadError, Source};
use crate::throttle::Throttled;
use bytes::{Bytes, BytesMut};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::rpc::peer::{
    ChunkReply, Hello, HelloRefused, LinkKind, NewsReply, NewsRequest, Peer, PickReply, SUBSCRIPTIONS_MAX,
    Seen, Welcome, ZONE_BYTES_MAX,
};
use shared::rpc::wire::{self, Greeted, ServerOptions, buffers};
use shared::rpc::{PROTOCOL_VERSION, WrongVersion};
use shared::swarm::{AskId, Event, PeerAddr, Refusal};
use shared::window::Window;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tarpc::context::Context as CallContext;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::AbortHandle;

/// How many calls one connection may have open: the core's largest depth, and room.
const REQUESTS_MAX: usize = 32;
/// News wait for each other for so long, so that one answer tells of several.
const COALESCE: Duration = Duration::from_millis(5);
/// A news poll is answered so long before its deadline.
const BEFORE_DEADLINE: Duration = Duration::from_secs(5);
/// How many connections one peer may have: two, and those that are on their way out.
const PER_PEER_MAX: u32 = 8;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// In all.
    pub connections_max: usize,
    /// That have not said hello; the oldest goes first.
    pub unknown_max: usize,
}

/// Accepts peers for ever.
pub async fn accept(context: Arc<Context>, listener: TcpListener, caps: Caps) {
    let room = Arc::new(Semaphore::new(caps.connections_max));
    let strangers = Arc::new(Strangers { most: caps.unknown_max, ..Strangers::default() });
    let known = Arc::new(Known::default());
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a peer");
                tokio::time::sleep(Duration::from_millis(100)).await; // out of descriptors: let some go
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            tracing::debug!(peer = %from, "too many connections");
            continue;
        };
        let connection = Connection::new(context.clone(), from, permit, strangers.clone(), known.clone());
        strangers.admit(connection, stream);
    }
}

/// Connections that have not said hello.
#[derive(Debug, Default)]
struct Strangers {
    most: usize,
    next: AtomicU64,
    waiting: Mutex<VecDeque<(u64, AbortHandle)>>,
}

impl Strangers {
    fn admit(&self, mut connection: Connection, stream: TcpStream) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        connection.number = number;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.most
            && let Some((_, oldest)) = waiting.pop_front()
        {
            oldest.abort();
        }
        let task = tokio::spawn(connection.serve(stream));
        waiting.push_back((number, task.abort_handle()));
    }

    fn leave(&self, number: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(other, _)| *other != number);
    }
}

/// How many connections each peer has.
#[derive(Debug, Default)]
struct Known(Mutex<BTreeMap<PeerAddr, u32>>);

impl Known {
    fn join(&self, peer: PeerAddr) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = known.entry(peer).or_default();
        let fits = *connections < PER_PEER_MAX;
        *connections += u32::from(fits);
        fits
    }

    fn leave(&self, peer: PeerAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = known.get_mut(&peer) {
            *connections -= 1;
            if *connections == 0 {
                known.remove(&peer);
            }
        }
    }
}

/// A connection that a peer made to us.
struct Connection {
    context: Arc<Context>,
    from: SocketAddr,
    number: u64,
    greeted: Greeted,
    peer: OnceLock<PeerAddr>,
    is_bulk: Arc<AtomicBool>,
    told: Mutex<Told>,
    polls: tokio::sync::watch::Sender<u64>,
    strangers: Arc<Strangers>,
    known: Arc<Known>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.strangers.leave(self.number);
        if let Some(&peer) = self.peer.get() {
            self.known.leave(peer);
        }
    }
}

impl Connection {
    fn new(
        context: Arc<Context>,
        from: SocketAddr,
        room: OwnedSemaphorePermit,
        strangers: Arc<Strangers>,
        known: Arc<Known>,
    ) -> Connection {
        Connection {
            context,
            from,
            number: 0,
            greeted: Greeted::new(),
            peer: OnceLock::new(),
            is_bulk: Arc::default(),
            told: Mutex::default(),
            polls: tokio::sync::watch::Sender::new(0),
            strangers,
            known,
            _room: room,
        }
    }

    async fn serve(self, stream: TcpStream) {
        let from = self.from;
        if let Err(error) = wire::tune(&stream, true) {
            tracing::debug!(peer = %from, %error, "cannot tune the socket");
        }
        let mut limits = self.context.limits();
        limits.bulk = self.is_bulk.clone();
        let options = ServerOptions {
            requests_max: REQUESTS_MAX,
            greeted: self.greeted.clone(),
            ..ServerOptions::default()
        };
        let service = Service(Arc::new(self));
        let end = wire::serve(Throttled::new(stream, limits), options, service.serve()).await;
        tracing::debug!(peer = %from, error = %end, "a peer's connection ended");
    }
}

/// The service of one connection.
#[derive(Clone)]
struct Service(Arc<Connection>);

impl Peer for Service {
    async fn hello(self, _: CallContext, hello: Hello) -> Result<Welcome, HelloRefused> {
        let welcome = self.greet(&hello);
        match &welcome {
            Ok(_) => self.0.greeted.accept(),
            Err(why) => {
                tracing::debug!(peer = %self.0.from, error = ?why, "hello refused");
                self.0.greeted.refuse();
            }
        }
        welcome
    }

    async fn news(self, call: CallContext, request: NewsRequest) -> NewsReply {
        let Some(&peer) = self.0.peer.get() else { return nothing(request.seen) };
        let mut keys = request.subscriptions;
        keys.truncate(SUBSCRIPTIONS_MAX);
        self.introduce(peer, &keys).await;
        // A new poll ends the one before it.
        let mut polls = self.next_poll();
        let until = tokio::time::Instant::from_std(call.deadline) - BEFORE_DEADLINE;
        let context = &self.0.context;
        let mut changes = context.board.watch();
        loop {
            changes.borrow_and_update();
            let reply = context.board.news(&keys, request.seen, &mut self.told());
            if !reply.updates.is_empty() {
                return reply;
            }
            tokio::select! {
                _ = changes.changed() => tokio::time::sleep(COALESCE).await,
                _ = polls.changed() => return reply,
                () = tokio::time::sleep_until(until) => return reply,
            }
        }
    }

    async fn pick(self, _: CallContext, key: SwarmKey, wanted: Window) -> PickReply {
        let Some(&peer) = self.0.peer.get() else { return PickReply::Unknown };
        let (answer, guard) = self.ask(|ask| Event::PickAsked { ask, peer, key, wanted }).await;
        match answer {
            Some(Answer::Granted(index)) => {
                guard.answered(); // the slot is kept for the chunk, and freed by the core
                PickReply::Picked(index)
            }
            Some(Answer::Refused(Refusal::Busy { retry_after })) => {
                PickReply::Busy { retry_after_ms: millis(retry_after) }
            }
            Some(Answer::Refused(Refusal::Unknown)) => PickReply::Unknown,
            _ => PickReply::NotHere,
        }
    }

    async fn get_chunk(self, _: CallContext, key: SwarmKey, index: ChunkIndex) -> ChunkReply {
        let Some(&peer) = self.0.peer.get() else { return ChunkReply::Unknown };
        let (answer, guard) = self.ask(|ask| Event::ChunkAsked { ask, peer, key, index }).await;
        match answer {
            Some(Answer::Serve(source)) => self.read(source, index, guard).await,
            Some(Answer::Refused(Refusal::Busy { retry_after })) => {
                ChunkReply::Busy { retry_after_ms: millis(retry_after) }
            }
            Some(Answer::Refused(Refusal::Unknown)) => ChunkReply::Unknown,
            Some(Answer::Refused(Refusal::NotHere)) => ChunkReply::NotHere,
            _ => ChunkReply::Failed,
        }
    }

    async fn complain(self, _: CallContext, key: SwarmKey, index: ChunkIndex) {
        if let Some(&peer) = self.0.peer.get() {
            self.0.context.tell(Input::Complaint { key, index, peer }).await;
        }
    }
}

impl Service {
    fn greet(&self, hello: &Hello) -> Result<Welcome, HelloRefused> {
        let (connection, context) = (&self.0, &self.0.context);
        if hello.version != PROTOCOL_VERSION {
            return Err(HelloRefused::Version(WrongVersion { ours: PROTOCOL_VERSION }));
        }
        if hello.listen_port == 0 || hello.zone.len() > ZONE_BYTES_MAX || connection.peer.get().is_some() {
            return Err(HelloRefused::Malformed);
        }
        let peer = SocketAddr::new(plain(connection.from.ip()), hello.listen_port);
        if context.is_banned(peer) {
            return Err(HelloRefused::Banned);
        }
        if !connection.known.join(peer) {
            return Err(HelloRefused::Full);
        }
        if connection.peer.set(peer).is_err() {
            connection.known.leave(peer);
            return Err(HelloRefused::Malformed);
        }
        connection.strangers.leave(connection.number);
        connection.is_bulk.store(hello.link == LinkKind::Bulk, Ordering::Relaxed);
        Ok(Welcome {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            peer_id: context.peer_id,
            zone: context.zone.clone(),
        })
    }

    /// Tells the core who is a member of which swarm.
    async fn introduce(&self, peer: PeerAddr, keys: &[SwarmKey]) {
        let new = self.told().subscribe(keys);
        for key in new {
            self.0.context.event(Event::PeerSubscribed { key, peer }).await;
        }
    }

    /// Ends the poll that is open; the new one watches for its own end.
    fn next_poll(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.polls.send_modify(|number| *number += 1);
        self.0.polls.subscribe()
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a question to the core and waits for its answer. The guard tells the core when it is over.
    async fn ask(&self, event: impl FnOnce(AskId) -> Event) -> (Option<Answer>, AskGuard) {
        let context = self.0.context.clone();
        let ask = context.next_ask();
        let guard = AskGuard { context: context.clone(), ask, tells: true, served: false };
        let (answer, answered) = oneshot::channel();
        context.tell(Input::Ask { ask, event: event(ask), answer }).await;
        (answered.await.ok(), guard)
    }

    async fn read(&self, source: Source, index: ChunkIndex, mut guard: AskGuard) -> ChunkReply {
        let reader = source.clone();
        match tokio::task::spawn_blocking(move || reader.read(index)).await {
            Ok(Ok(bytes)) => {
                guard.served = true;
                ChunkReply::Chunk(Bytes::from_owner(Held { bytes, _guard: guard }).into())
            }
            Ok(Err(error)) => {
                tracing::warn!(resource = %source.key(), chunk = %index, peer = %self.0.from, %error, "cannot serve a chunk");
                if let ReadError::Changed(published) = error {
                    self.0.context.tell(Input::SourceChanged { key: source.key(), published }).await;
                }
                ChunkReply::Failed
            }
            Err(_) => ChunkReply::Failed,
        }
    }
}

fn nothing(seen: Option<Seen>) -> NewsReply {
    NewsReply { seen: seen.unwrap_or(Seen { epoch: 0, sequence: 0 }), updates: Vec::new() }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Tells the core that a question is over, whatever became of it: its answer was given, its last byte was
/// written, its asker took it back or is gone.
struct AskGuard {
    context: Arc<Context>,
    ask: AskId,
    tells: bool,
    served: bool,
}

impl AskGuard {
    fn answered(mut self) {
        self.tells = false;
    }
}

impl Drop for AskGuard {
    fn drop(&mut self) {
        if self.tells {
            self.context.ask_ended(self.ask, self.served);
        }
    }
}

/// A chunk on its way out: dropped when its last byte is written.
struct Held {
    bytes: BytesMut,
    _guard: AskGuard,
}

impl Drop for Held {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.bytes).freeze());
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
