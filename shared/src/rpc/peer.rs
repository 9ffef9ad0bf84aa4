//! The `Peer` service: what daemons ask each other. The dialler asks; who is asked dials back to ask in turn.
//!
//! A pair uses two connections in each direction: a *quick* one (hello, news, picks, complaints) and a *bulk*
//! one (hello, chunks), so that small answers never wait behind a chunk.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

use super::message::{Message, Payload, WrongVersion};
use super::wire::calls;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;
use serde::{Deserialize, Serialize};

/// The most swarms that one connection may subscribe to, and the most changes in one call.
pub use crate::swarm::SUBSCRIPTIONS_MAX;
/// The most updates in one answer to a news poll.
pub const UPDATES_MAX: usize = 256;
/// The most added chunks in one update.
pub const ADDED_MAX: usize = 4096;
/// The longest zone name in bytes.
pub const ZONE_BYTES_MAX: usize = 64;

#[tarpc::service]
pub trait Peer {
    /// Must be the first call on a connection; nothing else is answered before.
    async fn hello(hello: Hello) -> Result<Welcome, HelloRefused>;
    /// A long poll for the news of the connection's subscriptions: answered within 10 ms of a change, or empty
    /// shortly before its own deadline. At most one is open per connection; a new one ends the former.
    async fn news(request: NewsRequest) -> NewsReply;
    /// Asks a seeder to choose a chunk and to keep an upload slot for it. May wait in the seeder's queue.
    async fn pick(key: SwarmKey, wanted: Window) -> PickReply;
    /// Asks for a chunk's bytes.
    async fn get_chunk(key: SwarmKey, index: ChunkIndex) -> ChunkReply;
    /// Tells that a chunk which came from the callee was corrupt, so that it checks its copy.
    async fn complain(key: SwarmKey, index: ChunkIndex) -> ();
    /// Changes the connection's subscriptions. The poll that is open answers for the new ones.
    async fn subscribe(changes: Subscriptions) -> ();
}

calls! {
    PeerCaller = PeerRequest => PeerResponse;
    /// See [`Peer::hello`].
    hello / Hello(hello: Hello) -> Result<Welcome, HelloRefused>;
    /// See [`Peer::news`].
    news / News(request: NewsRequest) -> NewsReply;
    /// See [`Peer::pick`].
    pick / Pick(key: SwarmKey, wanted: Window) -> PickReply;
    /// See [`Peer::get_chunk`].
    get_chunk / GetChunk(key: SwarmKey, index: ChunkIndex) -> ChunkReply;
    /// See [`Peer::complain`].
    complain / Complain(key: SwarmKey, index: ChunkIndex) -> ();
    /// See [`Peer::subscribe`].
    subscribe / Subscribe(changes: Subscriptions) -> ();
}

/// What a dialler says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Bits for optional features; none is defined yet. Unknown bits are ignored.
    pub capabilities: u64,
    /// Its id, drawn at this start of its process.
    pub peer_id: PeerId,
    /// The port that it listens on. Its address is the connection's, never one that it claims.
    pub listen_port: u16,
    /// Its zone, empty if none is configured; [`ZONE_BYTES_MAX`] bytes at most.
    pub zone: String,
    /// What the connection is for.
    pub link: LinkKind,
}

/// What a connection between peers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// Small questions that must be answered quickly.
    Quick,
    /// Chunks.
    Bulk,
}

/// The answer to hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version that the callee speaks.
    pub version: u16,
    /// As in [`Hello`].
    pub capabilities: u64,
    /// The callee's id. The dialler's own id here means that it dialled itself.
    pub peer_id: PeerId,
    /// The callee's zone, empty if none is configured.
    pub zone: String,
}

/// Why a hello is refused. The connection is closed after this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelloRefused {
    /// Another protocol version.
    Version(WrongVersion),
    /// The dialler misbehaved and is banned for a while.
    Banned,
    /// There are too many connections already.
    Full,
    /// The hello itself is malformed (port 0, a zone that is too long).
    Malformed,
}

/// How a connection's subscriptions change; at most [`SUBSCRIPTIONS_MAX`] changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// Swarms whose news are not wanted any more. They are taken away before the others are added.
    pub removed: Vec<SwarmKey>,
    /// Swarms whose news are wanted. Each is told in full, also one that was subscribed to already.
    pub added: Vec<SwarmKey>,
}

/// Asks for news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsRequest {
    /// The number of the last answer that arrived; 0: none. Only what an answer told that is named here counts as
    /// told.
    pub received: u64,
}

/// The answer to a news poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsReply {
    /// The answer's number, to be handed in with the next poll. Each answer that tells something has a number of its
    /// own on its connection.
    pub number: u64,
    /// What is new; at most [`UPDATES_MAX`]. There may be more: poll again.
    pub updates: Vec<NewsUpdate>,
}

/// What is new in one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsUpdate {
    /// Which swarm.
    pub key: SwarmKey,
    /// What the callee has.
    pub have: HaveNews,
}

/// Which chunks the callee has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaveNews {
    /// All: it is a seeder, and picks.
    All,
    /// Exactly these (the bytes of a [`HaveMap`](crate::have::HaveMap)): replaces what was known.
    Replace { count: ChunkCount, map: Vec<u8> },
    /// These as well; at most [`ADDED_MAX`].
    Add(Vec<ChunkIndex>),
    /// It is no member of this swarm (any more).
    Gone,
}

/// The answer to a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PickReply {
    /// This chunk; an upload slot is kept for it for a short while.
    Picked(ChunkIndex),
    /// No slot came free in time, or the queue is full.
    Busy { retry_after_ms: u32 },
    /// Nothing of the window can be given: the callee is no seeder, or has none of it.
    NotHere,
    /// The callee does not take part in this swarm.
    Unknown,
}

/// The answer to a request for a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkReply {
    /// The chunk's bytes. They have been verified once, but the receiver checks them again.
    Chunk(Payload),
    /// All upload slots are taken.
    Busy { retry_after_ms: u32 },
    /// The callee does not have this chunk.
    NotHere,
    /// The callee does not take part in this swarm.
    Unknown,
    /// The callee could not read the chunk.
    Failed,
}

impl Message for PeerRequest {
    const BODY_BYTES_MAX: usize = 0;
    const HEAD_BYTES_MAX: usize = 512 << 10; // all subscriptions at once

    fn payload(&mut self) -> Option<&mut Payload> {
        None
    }

    fn is_hello(&self) -> bool {
        matches!(self, PeerRequest::Hello { .. })
    }
}

impl Message for PeerResponse {
    const BODY_BYTES_MAX: usize = crate::chunk::CHUNK_BYTES as usize;
    const HEAD_BYTES_MAX: usize = 1 << 20; // a have map of 4 Mi chunks has 512 KiB

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            PeerResponse::GetChunk(ChunkReply::Chunk(payload)) => Some(payload),
            _ => None,
        }
    }
}
