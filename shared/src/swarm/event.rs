//! Everything that may wake the core: one closed enum.

use super::drop_reason::DropReason;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;
use std::net::SocketAddr;
use std::time::Duration;

/// The address where another daemon listens for peers: the IP address of its connection with the port that it
/// announced. The core identifies peers by it.
pub type PeerAddr = SocketAddr;

/// The number of an open request of ours. The core assigns the numbers and never reuses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The number of a question that a peer asked us and that is not finished. The driver assigns the numbers and never
/// reuses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Something that happened. The driver passes it to the core, which answers with [`Action`](super::Action)s.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    // -- what this machine wants
    /// Take part in a swarm, as a seeder if `have` is full, otherwise as a leecher. Ignored if we are in it already.
    /// [`Complete`](super::Action::Complete) follows only for a leecher; with a full map, or an empty resource, it does
    /// not.
    Join {
        /// Which swarm.
        key: SwarmKey,
        /// How many chunks its resource has.
        count: ChunkCount,
        /// The chunks that are verified and written already.
        have: HaveMap,
    },
    /// Leave a swarm. Its requests are canceled, its questions are refused, and everything known about it is forgotten.
    /// Pausing is leaving; resuming is joining again.
    Leave {
        /// Which swarm.
        key: SwarmKey,
    },
    /// Of the chunks that a swarm still lacks, do not request exactly these from now on: this machine expects to find
    /// them on its own disk. Each such event replaces the one before; an empty set ends it. Chunks that are requested
    /// already still arrive. A found chunk is reported by [`Event::Stored`].
    Withhold {
        /// Which swarm.
        key: SwarmKey,
        /// The chunks.
        chunks: HaveMap,
    },

    /// Prefer the first chunks of a resource, because they say what it is. This is not a right to them: a leecher asks
    /// other leechers for them first. It asks a seeder for them with the chance of one in the number of leechers, so that
    /// all leechers together take about one copy. Ignored if we are not in the swarm; forgotten when we leave it.
    Prefer {
        /// Which swarm.
        key: SwarmKey,
        /// How many chunks from the beginning.
        chunks: u32,
    },

    // -- who is there
    /// A tracker named peers of a swarm.
    PeersFound {
        /// Which swarm.
        key: SwarmKey,
        /// Where they listen. Our own address may be among them; dialing it ends with [`Event::Disconnected`].
        peers: Vec<PeerAddr>,
    },
    /// A tracker named leechers of a swarm that we seed. They have found no peer that has a chunk they need.
    LonelyFound {
        /// Which swarm.
        key: SwarmKey,
        /// Where they listen.
        peers: Vec<PeerAddr>,
    },
    /// A peer that dialed us subscribed to a swarm's news. So it is a member of the swarm, and we can dial it back.
    PeerSubscribed {
        /// Which swarm.
        key: SwarmKey,
        /// Where it listens.
        peer: PeerAddr,
    },
    /// A peer that we dialed said hello. From now on it can be asked.
    Connected {
        /// Which peer.
        peer: PeerAddr,
        /// The zone that it gave, or an empty string. A peer without a zone shares no zone with any other machine. The
        /// driver limits the length.
        zone: String,
        /// The id that it gave. If two addresses give the same id, they are one daemon, and the second link is closed.
        id: PeerId,
        /// The time from sending hello to receiving the answer.
        round_trip: Duration,
    },
    /// A link that we dialed is gone, or could not be made. All its requests are gone with it.
    Disconnected {
        /// Which peer.
        peer: PeerAddr,
        /// Whether never to dial it again, because it is ourselves or speaks another protocol. Otherwise it is dialed
        /// again later.
        for_good: bool,
    },
    /// A peer that we dialed did something that no honest peer does. The driver detected it.
    Misbehaved {
        /// Which peer.
        peer: PeerAddr,
        /// What it did.
        reason: DropReason,
    },
    /// A peer told which chunks it has.
    News {
        /// The peer that has them.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// The chunks.
        news: News,
    },

    // -- the outcome of our requests
    /// The seeder answered a [`pick`](super::Action::Pick). It keeps an upload slot for this chunk.
    Picked {
        /// Which request.
        request: RequestId,
        /// The chunk that it chose. If it is no longer wanted, the core declines it.
        index: ChunkIndex,
    },
    /// The peer did not serve a request.
    Refused {
        /// Which request.
        request: RequestId,
        /// Why.
        refusal: RequestRefusal,
    },
    /// Bytes of chunks arrived from a peer since the last such event. A peer stalls when no bytes come.
    Progress {
        /// The peer that sent them.
        peer: PeerAddr,
        /// How many bytes.
        bytes: u64,
    },
    /// All bytes of a chunk have arrived and are being verified and written. The link is free for the next request.
    Received {
        /// Which request.
        request: RequestId,
    },
    /// A received chunk is verified and written. From now on we have it.
    Stored {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// The bytes of a received chunk do not match the manifest.
    Corrupt {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
        /// The peer that sent them.
        peer: PeerAddr,
    },
    /// A received chunk could not be written, through no fault of its sender. It is missing again. If nothing can be
    /// written at all, the driver leaves the swarm.
    NotStored {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// A chunk that we had was found damaged on disk. We no longer have it and do not serve it. A leecher fetches it
    /// again. A seeder does not, unless the driver leaves the swarm and joins it again without that chunk.
    Lost {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },

    // -- what peers ask of us
    /// A leecher asks us, as a seeder, to choose a chunk for it. An empty window declines the chunk at the window's
    /// first index, if it was granted: the slot is free again, and the answer is a refusal.
    PickAsked {
        /// The question, to be answered by [`Grant`](super::Action::Grant) or [`Refuse`](super::Action::Refuse).
        ask: AskId,
        /// Who asks.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// The chunks that it can use.
        wanted: Window,
    },
    /// A peer asks for a chunk.
    ChunkAsked {
        /// The question, to be answered by [`Serve`](super::Action::Serve) or [`Refuse`](super::Action::Refuse).
        ask: AskId,
        /// Who asks.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// A question is finished. Either the peer took it back or its connection is gone; or the chunk was served, and the
    /// upload slot is free.
    AskEnded {
        /// Which question.
        ask: AskId,
        /// How it ended.
        end: AskEnd,
    },

    // -- time
    /// The time that [`next_timeout`](super::Machine::next_timeout) returned has come.
    Timeout,
}

/// How a peer's question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskEnd {
    /// Every byte of the chunk was written to the connection.
    Served,
    /// The peer took the question back, or it needed no answer. The peer may have got the chunk elsewhere.
    TakenBack,
    /// The connection ended before the last byte was written. The peer did not get the chunk.
    BrokenOff,
}

/// Which chunks a peer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Exactly these chunks, which replace what was known. This is also the answer to a first subscription.
    Replace(HaveMap),
    /// All chunks: it is a seeder.
    All,
    /// These chunks in addition.
    Add(Vec<ChunkIndex>),
    /// It is not, or no longer, a member of this swarm.
    Gone,
}

/// Why a request is refused. A refusal is an ordinary answer; it does not break the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRefusal {
    /// All upload slots are taken.
    Busy {
        /// When to ask again. The asker's own back-off applies if it is longer.
        retry_after: Duration,
    },
    /// This chunk is not here. In answer to a `pick`: no chunk of the window can be given, because a leecher was asked,
    /// or because the pick waited too long.
    NotHere,
    /// The peer does not take part in that swarm.
    Unknown,
    /// The call ended without an answer: its deadline passed, or the peer failed to serve it.
    Failed,
}
