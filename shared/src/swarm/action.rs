//! Everything that the core may ask for: one closed enum.

use super::drop_reason::DropReason;
use super::event::{AskId, PeerAddr, RequestId, RequestRefusal};
use crate::chunk::ChunkIndex;
use crate::id::{PeerId, SwarmKey};
use crate::window::Window;

/// What the driver is to do. Each is performed at once and in order; none can fail in the core's eyes (what
/// goes wrong comes back as an [`Event`](super::Event)).
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    // -- links
    /// Dial a peer and say hello. Answered by `Connected` or `Disconnected`.
    Dial {
        /// Which peer.
        peer: PeerAddr,
    },
    /// Say hello to a leecher of a swarm that we seed, subscribe to it there, and hang up: so it hears of us, and dials back.
    Knock {
        /// Which peer.
        peer: PeerAddr,
        /// Which swarm.
        key: SwarmKey,
    },
    /// Close the link to a peer that is not needed any more. `Disconnected` need not follow.
    Hangup {
        /// Which peer.
        peer: PeerAddr,
        /// It gave the id of a peer that is connected under another address.
        is_twin: bool,
    },
    /// Close the link to a peer that misbehaved, refuse its connections for a while, and log it.
    Drop {
        /// Which peer.
        peer: PeerAddr,
        /// The id that it gave, if it got that far: others may speak from the same address.
        id: Option<PeerId>,
        /// What it did.
        reason: DropReason,
    },
    /// Ask a peer for the news of other swarms from now on.
    Subscribe {
        /// Which peer.
        peer: PeerAddr,
        /// Which swarms as well. Each is to be told in full, also one that was asked for before.
        added: Vec<SwarmKey>,
        /// Which swarms not any more.
        removed: Vec<SwarmKey>,
    },

    // -- requests
    /// Ask a seeder to choose a chunk from the window (on the quick connection). An empty window declines the
    /// chunk that it begins with, which was granted in vain; the answer to that is of no interest.
    Pick {
        /// The request, for the answer.
        request: RequestId,
        /// Which peer.
        peer: PeerAddr,
        /// Of which swarm.
        key: SwarmKey,
        /// What we can use.
        wanted: Window,
    },
    /// Ask a peer for a chunk (on the bulk connection). After `Picked` the same request goes on with this.
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
    /// Take a request back; its answer is of no interest any more.
    Cancel {
        /// Which request.
        request: RequestId,
        /// Whom it was sent to.
        peer: PeerAddr,
    },

    // -- answers
    /// Answer a `PickAsked`: this chunk, for which an upload slot is kept.
    Grant {
        /// Which question.
        ask: AskId,
        /// The chunk that was chosen.
        index: ChunkIndex,
    },
    /// Answer a `ChunkAsked` with the chunk's bytes. `AskEnded` follows when the last byte is written.
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
    /// Tell subscribers that we do not have this chunk any more (a full replacement is due).
    TellLost {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
    },
    /// Ask the tracker for more peers of a swarm now, not at the next announce. The driver limits the rate.
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
