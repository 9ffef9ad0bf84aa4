//! The `Peer` service between daemons. The side that dials asks. To ask in turn, the other side dials back.
//!
//! Two peers use two connections in each direction: a *quick* one for short messages (hello, news, picks, complaints)
//! and a *bulk* one for chunks, so that short answers never wait behind a chunk.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

use super::message::{Message, Payload, WrongVersion};
use super::wire::calls;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;
use serde::{Deserialize, Serialize};

/// Limits the swarms that one connection may subscribe to, and the changes in one call. Further swarms wait until
/// others are unsubscribed.
pub use crate::swarm::SUBSCRIPTIONS_MAX;
/// Limits the updates in one answer to a news poll, so that an answer is small and handled at once. The rest follows
/// with the next poll.
pub const UPDATES_MAX: usize = 256;
/// Limits the added chunks in one update: 16 KiB of indices. The rest follows in further updates.
pub const ADDED_MAX: usize = 4096;
/// Limits the name of a zone, in bytes; enough for the name of a site or building. A hello with a longer one is refused
/// as malformed.
pub const ZONE_BYTES_MAX: usize = 64;

#[tarpc::service]
pub trait Peer {
    /// Must be the first call on a connection. Before it no other call is answered.
    async fn hello(hello: Hello) -> Result<Welcome, HelloRefused>;
    /// A long poll for news about the connection's subscriptions. It is answered within 10 ms of a change, or with no
    /// updates shortly before its deadline. A connection has at most one open poll: a new poll ends the former.
    async fn news(request: NewsRequest) -> NewsReply;
    /// Asks a seeder to choose a chunk and to reserve an upload slot for it. The call may wait in the seeder's queue.
    async fn pick(key: SwarmKey, wanted: Window) -> PickReply;
    /// Asks for a chunk's bytes.
    async fn get_chunk(key: SwarmKey, index: ChunkIndex) -> ChunkReply;
    /// Reports that a chunk from the callee was corrupt, so that the callee checks its copy.
    async fn complain(key: SwarmKey, index: ChunkIndex) -> ();
    /// Changes the connection's subscriptions. An open poll continues with the new ones.
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

/// The first message of the side that dialed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Bits for optional features. None is defined yet; unknown bits are ignored.
    pub capabilities: u64,
    /// Its id, drawn when its process started.
    pub peer_id: PeerId,
    /// The port that it listens on. Its IP address is taken from the connection, never from a message.
    pub listen_port: u16,
    /// Its zone, at most [`ZONE_BYTES_MAX`] bytes; empty if none is configured.
    pub zone: String,
    /// What the connection is for.
    pub link: LinkKind,
}

/// What a connection between peers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// Short messages that must be answered quickly.
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
    /// The callee's id. If it equals the caller's own id, the caller dialed itself.
    pub peer_id: PeerId,
    /// The callee's zone, empty if none is configured.
    pub zone: String,
}

/// Why a hello is refused. The connection is closed after this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelloRefused {
    /// Another protocol version.
    Version(WrongVersion),
    /// The caller misbehaved and is banned for a while.
    Banned,
    /// There are too many connections already.
    Full,
    /// The hello is malformed: port 0, or a zone that is too long.
    Malformed,
}

/// Changes of a connection's subscriptions; at most [`SUBSCRIPTIONS_MAX`] changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// Swarms to unsubscribe from. They are removed before the others are added.
    pub removed: Vec<SwarmKey>,
    /// Swarms to subscribe to. The callee tells all its chunks of each, even if the swarm was subscribed to before.
    pub added: Vec<SwarmKey>,
}

/// Asks for news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsRequest {
    /// The number of the last answer that the caller received; 0 if none. Only what was in an answer named here counts
    /// as told.
    pub received: u64,
}

/// The answer to a news poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsReply {
    /// The number of this answer, to be passed to the next poll. Answers with updates are numbered without repetition
    /// on their connection.
    pub number: u64,
    /// The updates; at most [`UPDATES_MAX`]. There may be more: poll again.
    pub updates: Vec<NewsUpdate>,
}

/// The news of one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsUpdate {
    /// Which swarm.
    pub key: SwarmKey,
    /// The chunks that the callee has.
    pub have: HaveNews,
}

/// Which chunks the callee has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaveNews {
    /// All chunks. It is a seeder and answers picks.
    All,
    /// Exactly these chunks, which replace what was known. The map is in the form of [`HaveMap`](crate::have::HaveMap).
    Replace { count: ChunkCount, map: Vec<u8> },
    /// These chunks in addition; at most [`ADDED_MAX`].
    Add(Vec<ChunkIndex>),
    /// It is not, or no longer, a member of this swarm.
    Gone,
}

/// The answer to a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PickReply {
    /// The chosen chunk. An upload slot is reserved for it for a short while.
    Picked(ChunkIndex),
    /// No slot became free in time, or the queue is full.
    Busy { retry_after_ms: u32 },
    /// No chunk of the window can be given: the callee is no seeder, or has none of them.
    NotHere,
    /// The callee does not take part in this swarm.
    Unknown,
}

/// The answer to a request for a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkReply {
    /// The chunk's bytes. The callee verified them once; the receiver verifies them again.
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
    const HEAD_BYTES_MAX: usize = 512 << 10; // SUBSCRIPTIONS_MAX changes in one call

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
