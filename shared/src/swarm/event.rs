//! Everything that may wake the core: one closed enum.

use super::drop_reason::DropReason;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;
use std::net::SocketAddr;
use std::time::Duration;

/// Where another daemon listens for peers: the address its connection came from, and the port it announced.
/// The core knows peers by it.
pub type PeerAddr = SocketAddr;

/// A request of ours that is open. The core numbers them and never uses a number again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A question that a peer asked us and waits for. The driver numbers them and never uses a number again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What happened. The driver tells the core; the core answers with [`Action`](super::Action)s.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    // -- what this machine wants
    /// Take part in a swarm: as a seeder when `have` is full, else as a leecher. Ignored if we are in it.
    /// [`Complete`](super::Action::Complete) follows only for a leecher: whoever joins with everything (so, too,
    /// with an empty resource) knows that already.
    Join {
        /// Which swarm.
        key: SwarmKey,
        /// How many chunks its resource has.
        count: ChunkCount,
        /// What is verified and written already.
        have: HaveMap,
    },
    /// Leave a swarm: its requests are cancelled, its questions refused, what was known of it is forgotten.
    /// (Pausing is leaving; resuming is joining again.)
    Leave {
        /// Which swarm.
        key: SwarmKey,
    },

    // -- who is there
    /// A tracker named peers of a swarm.
    PeersFound {
        /// Which swarm.
        key: SwarmKey,
        /// Where they listen. Our own address may be among them; dialling it ends as [`Event::Disconnected`].
        peers: Vec<PeerAddr>,
    },
    /// A tracker named leechers of a swarm that we seed which found nobody with anything that they need.
    LonelyFound {
        /// Which swarm.
        key: SwarmKey,
        /// Where they listen.
        peers: Vec<PeerAddr>,
    },
    /// A peer that dialled us subscribed to a swarm's news: it is a member, and can be dialled back.
    PeerSubscribed {
        /// Which swarm.
        key: SwarmKey,
        /// Where it listens.
        peer: PeerAddr,
    },
    /// A peer that we dialled said hello: it can be asked from now on.
    Connected {
        /// Which peer.
        peer: PeerAddr,
        /// The zone it gave; empty: none. A peer without a zone is in no other machine's zone. The driver keeps it
        /// short.
        zone: String,
        /// The id it gave. The same id behind two addresses is one daemon: the second link is hung up.
        id: PeerId,
        /// How long the hello took, from asking to the answer.
        round_trip: Duration,
    },
    /// A link that we dialled (or tried to) is gone. All its requests are gone with it.
    Disconnected {
        /// Which peer.
        peer: PeerAddr,
        /// Never dial it again (it is ourselves, or speaks another protocol); else it is tried again later.
        for_good: bool,
    },
    /// A peer that we dialled did what no honest one does; the driver saw it.
    Misbehaved {
        /// Which peer.
        peer: PeerAddr,
        /// What it did.
        reason: DropReason,
    },
    /// News of a peer: the chunks that it has.
    News {
        /// Who has them.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// What is new.
        news: News,
    },

    // -- what became of our requests
    /// The seeder answered a [`pick`](super::Action::Pick): it keeps a slot for this chunk.
    Picked {
        /// Which request.
        request: RequestId,
        /// The chunk it chose; one that we cannot use (not wanted any more) is answered with silence.
        index: ChunkIndex,
    },
    /// The peer did not serve a request.
    Refused {
        /// Which request.
        request: RequestId,
        /// Why.
        refusal: RequestRefusal,
    },
    /// Body bytes of answers arrived from a peer since the last such event. A stall is *no bytes*.
    Progress {
        /// From whom.
        peer: PeerAddr,
        /// How many bytes.
        bytes: u64,
    },
    /// A chunk's bytes are here, and are being verified and written: the link is free for the next request.
    Received {
        /// Which request.
        request: RequestId,
    },
    /// A received chunk is verified and written: from now on we have it.
    Stored {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// A received chunk's bytes were not what the manifest says.
    Corrupt {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
        /// Who sent them.
        peer: PeerAddr,
    },
    /// A received chunk could not be written, through no fault of its sender. It is missing again. (The driver
    /// leaves the swarm when writing is impossible.)
    NotStored {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// A chunk that we had is found damaged on disk: we have it no more, and do not serve it. A leecher fetches it
    /// again; a seeder does not, unless the driver leaves the swarm and joins it again without that chunk.
    Lost {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },

    // -- what peers ask of us
    /// A leecher asks us, as a seeder, to choose a chunk for it. With an empty window it declines the
    /// chunk that the window begins with, if that was granted to it: its slot is free again, and the answer is a refusal.
    PickAsked {
        /// The question, to be answered by [`Grant`](super::Action::Grant) or [`Refuse`](super::Action::Refuse).
        ask: AskId,
        /// Who asks.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// What it can use.
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
    /// A question needs no answer any more: its asker took it back or is gone; or, for one that is being
    /// served, the last byte is written (or never will be): its upload slot is free.
    AskEnded {
        /// Which question.
        ask: AskId,
        /// How it ended.
        end: AskEnd,
    },

    // -- time
    /// The moment that [`next_timeout`](super::Machine::next_timeout) named has come.
    Timeout,
}

/// How a question of a peer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskEnd {
    /// The chunk was written to its last byte.
    Served,
    /// The peer took the question back, or it was not to be answered: it may have got the chunk elsewhere.
    TakenBack,
    /// The connection ended before the last byte was written: the peer did not get the chunk.
    BrokenOff,
}

/// Which chunks a peer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Exactly these: replaces what was known. (Also the answer to a first subscription.)
    Replace(HaveMap),
    /// All of them: it is a seeder.
    All,
    /// These as well.
    Add(Vec<ChunkIndex>),
    /// It is no member of this swarm (any more).
    Gone,
}

/// Why a question is not answered with what was asked for. An ordinary value, never a broken link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRefusal {
    /// All upload slots are taken.
    Busy {
        /// When to ask again; the asker's own back-off applies when it is longer.
        retry_after: Duration,
    },
    /// Nothing that the asker wants can be given yet (a `pick` that waited in vain, or at a leecher), or
    /// this chunk is not here.
    NotHere,
    /// It does not take part in that swarm.
    Unknown,
    /// The call ended without an answer: its deadline passed, or the peer failed to serve it.
    Failed,
}
