//! The `Peer` service: answers peers that dialed us. It decides nothing: the core grants picks and chunks.

use super::room::{Caps, Room};
use crate::board::bans::Dialler;
use crate::board::feed::NewsFeed;
use crate::inbox::{Answer, Context, Input};
use crate::jobs;
use crate::library::{ReadError, Source, Traffic};
use crate::net::{Listener, Stream};
use crate::throttle::{PAUSED_RETRY, Throttled};
use bytes::Bytes;
use shared::chunk::ChunkIndex;
use shared::host::guard::Guest;
use shared::id::SwarmKey;
use shared::identity::{NodeName, Role};
use shared::rpc::control::Rejection;
use shared::rpc::peer::{
    ChunkReply, Hello, HelloRefused, LinkKind, NewsReply, NewsRequest, Peer, PickReply, Subscriptions,
    Welcome, ZONE_BYTES_MAX,
};
use shared::rpc::tls::{Refusal, Secured};
use shared::rpc::wire::buffers::Lent;
use shared::rpc::wire::{self, Budget, Ended, Greeted, LinkEnd, ServerOptions, Sideband};
use shared::rpc::{PROTOCOL_VERSION, Payload, Written, WrongVersion};
use shared::swarm::{AskEnd, AskId, Event, PeerAddr, RequestRefusal};
use shared::window::Window;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tarpc::context::Context as CallContext;
use tokio::sync::oneshot;

/// Limits the open calls of one connection: the most requests that the core opens, with some spare. Further calls are
/// refused.
const REQUESTS_MAX: usize = 32;
/// How long an answer waits for more news after the first, so that one answer carries several. It is little beside the
/// time of a chunk.
const COALESCE: Duration = Duration::from_millis(5);
/// How long before its deadline a poll for news is answered even without news, so that the answer arrives before the
/// caller gives up.
const BEFORE_DEADLINE: Duration = Duration::from_secs(5);
/// Limits the requests of one connection that bring it no chunk, at once. Beyond it the connection is closed for
/// flooding. An honest peer waits between its attempts and makes fewer, even at 10 Gbit/s.
const SPENT_MAX: u32 = 10_000;
/// The number of such requests that is granted anew per second.
const SPENT_PER_S_MAX: u32 = 2_000;
/// The number of such requests that one complaint counts as, since a chunk is read and hashed for it.
const COMPLAINT_COST: u32 = 500;
/// The shortest time between two log lines about connections that cannot be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Accepts peers forever.
pub async fn accept(context: Arc<Context>, listener: Listener, caps: Caps) {
    let room = Room::new(caps);
    let mut complained: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((_, from)) if !context.serves(from.ip()) => {
                context.rejections.refused.network(from);
            }
            Ok((stream, from)) => room.admit(&context.rejections, |number| {
                let connection = IncomingConnection::new(context.clone(), from, number, room.clone());
                jobs::spawn(connection.serve(stream)).abort_handle()
            }),
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
                    tracing::warn!(%error, "cannot accept a connection of a peer");
                    complained = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(100)).await; // out of descriptors: wait until some are closed
            }
        }
    }
}

/// A connection that a peer made to us.
struct IncomingConnection {
    context: Arc<Context>,
    from: SocketAddr,
    number: u64,
    greeted: Greeted,
    ended: Ended,
    /// Its name in its certificate, if it has shown one.
    node: Option<NodeName>,
    /// What it is known as since its hello.
    peer: OnceLock<Dialler>,
    is_bulk: Arc<AtomicBool>,
    feed: Mutex<NewsFeed>,
    /// The number of polls so far. A new poll ends the former.
    polls: tokio::sync::watch::Sender<u64>,
    /// The number of changes of the subscriptions.
    subscribed: tokio::sync::watch::Sender<u64>,
    budget: Budget,
    room: Arc<Room>,
}

impl Drop for IncomingConnection {
    fn drop(&mut self) {
        self.room.leave(self.number);
    }
}

impl IncomingConnection {
    fn new(context: Arc<Context>, from: SocketAddr, number: u64, room: Arc<Room>) -> IncomingConnection {
        IncomingConnection {
            context,
            from,
            number,
            greeted: Greeted::new(),
            ended: Ended::default(),
            node: None,
            peer: OnceLock::new(),
            is_bulk: Arc::default(),
            feed: Mutex::default(),
            polls: tokio::sync::watch::Sender::new(0),
            subscribed: tokio::sync::watch::Sender::new(0),
            budget: Budget::new(SPENT_MAX, SPENT_PER_S_MAX),
            room,
        }
    }

    async fn serve(mut self, stream: Stream) {
        let from = self.from;
        if let Err(error) = stream.tune(true) {
            tracing::debug!(peer = %from, %error, "cannot tune the socket");
        }
        self.context.mark(&stream); // it may be asked for chunks
        let mut limits = self.context.limits();
        limits.bulk = self.is_bulk.clone();
        let mut options = ServerOptions {
            requests_max: REQUESTS_MAX,
            greeted: self.greeted.clone(),
            budget: Some(self.budget.clone()),
            ended: self.ended.clone(),
            ..ServerOptions::default()
        };
        let accepted = Instant::now();
        let stream = match self.shake(Throttled::new(stream, limits), options.sideband.clone()).await {
            Ok(stream) => stream,
            Err(why) => return self.refused(&why),
        };
        // The time for hello includes the handshake.
        options.hello_timeout = options.hello_timeout.saturating_sub(accepted.elapsed());
        self.node = stream.who().map(|node| node.name.clone());
        let (context, guest) = (self.context.clone(), Guest::of(&stream));
        let connection = Arc::new(self);
        let service = PeerService(connection.clone());
        match context.while_welcome(guest, wire::serve(stream, options, service.serve())).await {
            Ok(end) => {
                tracing::debug!(peer = %from, error = %end, "a peer's connection ended");
                connection.judge(&end);
            }
            Err(why) => connection.refused(&why),
        }
    }

    /// Finds out who it is, as far as that is demanded.
    async fn shake(
        &self,
        stream: Throttled<Stream>,
        sideband: Sideband,
    ) -> Result<Secured<Throttled<Stream>>, Refusal> {
        let how = self.context.doors().accepting(&[Role::Peer], false);
        self.context.handshakes.accept(stream, &how, sideband).await
    }

    fn refused(&self, why: &Refusal) {
        self.context.rejections.refused.caller(self.from, why);
    }

    /// Counts the other side's fault. It is banned for a while only for something that no honest peer does; otherwise
    /// it may just have been slow or have lost power.
    fn judge(&self, end: &LinkEnd) {
        let (why, on_purpose) = match end {
            LinkEnd::NoHello => (Rejection::NoHello, false),
            LinkEnd::Stalled => (Rejection::Unread, false),
            LinkEnd::Cut => (Rejection::Cut, false),
            LinkEnd::Malformed(_) => (Rejection::Protocol, true),
            LinkEnd::Flooded => (Rejection::Flood, true),
            LinkEnd::Closed | LinkEnd::Refused | LinkEnd::Idle | LinkEnd::Failed(_) => return,
        };
        self.context.rejections.count(why);
        if let Some(peer) = self.peer.get().filter(|_| on_purpose) {
            let node = peer.node.as_ref().map(tracing::field::display);
            tracing::warn!(node, error = %end, "peer {} misbehaved and is refused for a while", peer.addr);
            self.context.bans.dialler(peer);
        }
    }
}

/// The service of one connection.
#[derive(Clone)]
struct PeerService(Arc<IncomingConnection>);

impl Peer for PeerService {
    async fn hello(self, _: CallContext, hello: Hello) -> Result<Welcome, HelloRefused> {
        let welcome = self.greet(&hello);
        match &welcome {
            Ok(_) => self.0.greeted.accept(),
            Err(why) => {
                tracing::debug!(peer = %self.0.from, error = ?why, "hello refused");
                self.0.context.rejections.count(match why {
                    HelloRefused::Version(_) => Rejection::Version,
                    HelloRefused::Banned => Rejection::Banned,
                    HelloRefused::Full => Rejection::Full,
                    HelloRefused::Malformed => Rejection::Malformed,
                });
                self.0.greeted.refuse();
            }
        }
        welcome
    }

    async fn news(self, call: CallContext, request: NewsRequest) -> NewsReply {
        if self.peer().is_none() {
            return nothing(&request);
        }
        let mut polls = self.next_poll();
        let mut subscribed = self.0.subscribed.subscribe();
        let until = tokio::time::Instant::from_std(call.deadline) - BEFORE_DEADLINE;
        let context = &self.0.context;
        let mut changes = context.board.watch();
        self.feed().arrived(request.received);
        loop {
            changes.borrow_and_update();
            subscribed.borrow_and_update();
            let reply = context.board.news(&mut self.feed());
            if !reply.updates.is_empty() {
                return reply;
            }
            tokio::select! {
                biased; // the former poll must not answer any more
                _ = polls.changed() => return nothing(&request),
                _ = subscribed.changed() => {}
                _ = changes.changed() => tokio::time::sleep(COALESCE).await,
                () = tokio::time::sleep_until(until) => return nothing(&request),
            }
        }
    }

    async fn pick(self, _: CallContext, key: SwarmKey, wanted: Window) -> PickReply {
        let Some(peer) = self.peer() else { return PickReply::Unknown };
        if self.0.context.up.is_paused() {
            return PickReply::Busy { retry_after_ms: millis(PAUSED_RETRY) };
        }
        let (answer, guard) = self.ask(|ask| Event::PickAsked { ask, peer, key, wanted }).await;
        match answer {
            Some(Answer::Granted(index)) => {
                self.0.budget.refund(1);
                guard.answered(); // the slot is reserved for the chunk; the core frees it
                PickReply::Picked(index)
            }
            Some(Answer::Refused(RequestRefusal::Busy { retry_after })) => {
                PickReply::Busy { retry_after_ms: millis(retry_after) }
            }
            Some(Answer::Refused(RequestRefusal::Unknown)) => PickReply::Unknown,
            _ => PickReply::NotHere,
        }
    }

    async fn get_chunk(self, _: CallContext, key: SwarmKey, index: ChunkIndex) -> ChunkReply {
        let Some(peer) = self.peer() else { return ChunkReply::Unknown };
        if self.0.context.up.is_paused() {
            return ChunkReply::Busy { retry_after_ms: millis(PAUSED_RETRY) };
        }
        let (answer, guard) = self.ask(|ask| Event::ChunkAsked { ask, peer, key, index }).await;
        match answer {
            Some(Answer::Serve(source, traffic)) => self.read(source, index, traffic, guard).await,
            Some(Answer::Refused(RequestRefusal::Busy { retry_after })) => {
                ChunkReply::Busy { retry_after_ms: millis(retry_after) }
            }
            Some(Answer::Refused(RequestRefusal::Unknown)) => ChunkReply::Unknown,
            Some(Answer::Refused(RequestRefusal::NotHere)) => ChunkReply::NotHere,
            _ => ChunkReply::Failed,
        }
    }

    async fn complain(self, _: CallContext, key: SwarmKey, index: ChunkIndex) {
        // Each complaint costs the reading of a chunk, so complaints beyond the budget are ignored.
        if let Some(peer) = self.peer().filter(|_| self.0.budget.spend(COMPLAINT_COST)) {
            self.0.context.tell(Input::Doubt { key, index, peer }).await;
        }
    }

    async fn subscribe(self, _: CallContext, changes: Subscriptions) {
        let Some(peer) = self.peer() else { return };
        let new = self.feed().subscribe(changes);
        self.0.subscribed.send_modify(|number| *number += 1);
        for key in new {
            self.0.context.event(Event::PeerSubscribed { key, peer }).await;
        }
    }
}

impl PeerService {
    fn greet(&self, hello: &Hello) -> Result<Welcome, HelloRefused> {
        let (connection, context) = (&self.0, &self.0.context);
        if hello.version != PROTOCOL_VERSION {
            return Err(HelloRefused::Version(WrongVersion { ours: PROTOCOL_VERSION }));
        }
        if hello.listen_port == 0 || hello.zone.len() > ZONE_BYTES_MAX || connection.peer.get().is_some() {
            return Err(HelloRefused::Malformed);
        }
        let addr = SocketAddr::new(connection.from.ip().to_canonical(), hello.listen_port);
        let who = Dialler { addr, id: hello.peer_id, node: connection.node.clone() };
        if context.bans.refuses(&who) {
            return Err(HelloRefused::Banned);
        }
        if !connection.room.know(&context.rejections, connection.number, who.clone()) {
            return Err(HelloRefused::Full);
        }
        if connection.peer.set(who).is_err() {
            return Err(HelloRefused::Malformed);
        }
        connection.is_bulk.store(hello.link == LinkKind::Bulk, Ordering::Relaxed);
        Ok(Welcome {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            peer_id: context.peer_id,
            zone: context.zone.clone(),
        })
    }

    /// The peer that asks; `None` before hello.
    fn peer(&self) -> Option<PeerAddr> {
        self.0.room.asked(self.0.number);
        self.0.peer.get().map(|peer| peer.addr)
    }

    /// Ends the open poll. Returns the signal by which the new one notices its end.
    fn next_poll(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.polls.send_modify(|number| *number += 1);
        self.0.polls.subscribe()
    }

    fn feed(&self) -> std::sync::MutexGuard<'_, NewsFeed> {
        self.0.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the core a question and waits for its answer. The guard tells the core when the question is finished.
    async fn ask(&self, event: impl FnOnce(AskId) -> Event) -> (Option<Answer>, AskGuard) {
        let context = self.0.context.clone();
        let ask = context.next_ask();
        let ended = self.0.ended.clone();
        let guard = AskGuard { context: context.clone(), ask, tells: true, chunk: None, ended };
        let (answer, answered) = oneshot::channel();
        context.tell(Input::Ask { ask, event: event(ask), answer }).await;
        (answered.await.ok(), guard)
    }

    async fn read(
        &self,
        source: Source,
        index: ChunkIndex,
        traffic: Arc<Traffic>,
        mut guard: AskGuard,
    ) -> ChunkReply {
        let reader = source.clone();
        match jobs::run(move || reader.read(index)).await {
            Ok(Ok(bytes)) => {
                self.0.budget.refund(1);
                let chunk = ReadChunk { written: Written::default(), bytes: bytes.len() as u64, traffic };
                let written = guard.chunk.insert(chunk).written.clone();
                let bytes = Bytes::from_owner(SentChunk { bytes: bytes.into(), _guard: guard });
                ChunkReply::Chunk(Payload { bytes, written: Some(written) })
            }
            Ok(Err(error)) => {
                let (name, peer) = (source.manifest().name(), self.0.from);
                tracing::warn!(%name, id = %source.key(), %peer, %error, "cannot send chunk {index}");
                let key = source.key();
                match (error, self.0.peer.get()) {
                    (ReadError::Changed(published), _) => {
                        self.0.context.tell(Input::SourceChanged { key, published, chunk: index }).await;
                    }
                    (ReadError::Store(_), Some(peer)) => {
                        let peer = peer.addr;
                        self.0.context.tell(Input::Doubt { key, index, peer }).await;
                    }
                    (ReadError::Store(_), None) => {} // nobody asks before hello
                }
                ChunkReply::Failed
            }
            Err(_) => ChunkReply::Failed,
        }
    }
}

fn nothing(request: &NewsRequest) -> NewsReply {
    NewsReply { number: request.received, updates: Vec::new() }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Tells the core, when dropped, that a question is finished: it was answered, its last byte was written, or its peer
/// took it back or is gone.
struct AskGuard {
    context: Arc<Context>,
    ask: AskId,
    tells: bool,
    /// The chunk that was read for it.
    chunk: Option<ReadChunk>,
    ended: Ended,
}

/// A chunk that was read for a peer.
struct ReadChunk {
    /// Whether all of it was written.
    written: Written,
    bytes: u64,
    /// Where its bytes are counted once they were written.
    traffic: Arc<Traffic>,
}

impl AskGuard {
    fn answered(mut self) {
        self.tells = false;
    }
}

impl Drop for AskGuard {
    fn drop(&mut self) {
        let end = match &self.chunk {
            Some(chunk) if chunk.written.is_set() => {
                chunk.traffic.sent.fetch_add(chunk.bytes, Ordering::Relaxed);
                AskEnd::Served
            }
            _ if self.ended.is_set() => AskEnd::BrokenOff,
            _ => AskEnd::TakenBack,
        };
        if self.tells {
            self.context.ask_ended(self.ask, end);
        }
    }
}

/// A chunk that is being sent. It is dropped when its last byte is written or never will be.
struct SentChunk {
    bytes: Lent,
    _guard: AskGuard,
}

impl AsRef<[u8]> for SentChunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
