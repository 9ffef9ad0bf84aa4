//! Everything that the core may ask for: one closed enum.

use super::drop_reason::DropReason;
use super::event::{AskId, PeerAddr, RequestId, RequestRefusal};
use crate::chunk::ChunkIndex;
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;

/// What the driver must do. It performs each action at once and in order. No action returns an error to the core: a
/// failure comes back as an [`Event`](super::Event).
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    // -- links
    /// Dial a peer and say hello. Answered by `Connected` or `Disconnected`.
    Dial {
        /// Which peer.
        peer: PeerAddr,
    },
    /// Say hello to a leecher of a swarm that we seed, subscribe to it there, and hang up. The leecher thereby learns
    /// our address, and dials back.
    Knock {
        /// Which peer.
        peer: PeerAddr,
        /// Which swarm.
        key: SwarmKey,
    },
    /// Close the link to a peer that is no longer needed. `Disconnected` may or may not follow.
    Hangup {
        /// Which peer.
        peer: PeerAddr,
        /// Whether it gave the id of a peer that is connected under another address.
        is_twin: bool,
    },
    /// Close the link to a peer that misbehaved, refuse its connections for a while, and log it.
    Drop {
        /// Which peer.
        peer: PeerAddr,
        /// The id that it gave, or `None` if it was dropped before its hello. Another process may use the same address.
        id: Option<PeerId>,
        /// Its offense.
        reason: DropReason,
    },
    /// Change the swarms whose news a peer is asked for.
    Subscribe {
        /// Which peer.
        peer: PeerAddr,
        /// Swarms to subscribe to. The peer then tells all chunks that it has of each, even if we were subscribed
        /// before.
        added: Vec<SwarmKey>,
        /// Swarms to unsubscribe from.
        removed: Vec<SwarmKey>,
    },

    // -- requests
    /// Ask a seeder to choose a chunk from the window (on the connection for short messages). An empty window declines
    /// the granted chunk at the window's first index; the core ignores the answer to that.
    Pick {
        /// The request, for the answer.
        request: RequestId,
        /// Which peer.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// The chunks that we can use.
        wanted: Window,
    },
    /// Ask a peer for a chunk (on the connection for bulk data). After `Picked` the same request continues with this
    /// action.
    Get {
        /// The request, for the answer.
        request: RequestId,
        /// Which peer.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// Cancel a request. The core ignores its answer.
    Cancel {
        /// Which request.
        request: RequestId,
        /// The peer that it was sent to.
        peer: PeerAddr,
    },

    // -- answers
    /// Answer a `PickAsked` with a chunk. An upload slot is reserved for it.
    Grant {
        /// Which question.
        ask: AskId,
        /// The chunk that was chosen.
        index: ChunkIndex,
    },
    /// Answer a `ChunkAsked` with the chunk's bytes. `AskEnded` follows after the last byte is written.
    Serve {
        /// Which question.
        ask: AskId,
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// Answer a question with a refusal.
    Refuse {
        /// Which question.
        ask: AskId,
        /// Why.
        refusal: RequestRefusal,
    },

    // -- what is new here
    /// Tell subscribers within 10 ms that we have this chunk.
    TellHave {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// Tell subscribers that we no longer have this chunk. News can only add chunks, so they are sent the whole have
    /// map again.
    TellLost {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// Ask the tracker for more peers of a swarm now instead of at the next announce. The driver limits how often.
    FindPeers {
        /// Which swarm.
        key: SwarmKey,
    },
    /// Every chunk of a swarm is stored. From now on we seed it.
    Complete {
        /// Which swarm.
        key: SwarmKey,
    },
}
