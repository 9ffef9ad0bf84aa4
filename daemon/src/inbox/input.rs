//! Everything that may wake the driver: one closed enum.

use super::command::Command;
use super::found::Found;
use super::ids::LinkId;
use super::settings::Settings;
use super::work::TaskInput;
use crate::library::{Download, PublishedFile, Source, Standing, TakeError, Traffic};
use crate::store::Publisher;
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::swarm::{AskId, Event, PeerAddr, RequestRefusal};
use shared::url::TrackerUrl;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What happened around the driver.
#[derive(Debug)]
pub enum Input {
    /// Something that the core decides on.
    Event(Event),
    /// Something that the core decides on, said by a link that may be gone by now.
    Link {
        /// With which peer.
        peer: PeerAddr,
        /// Which link.
        link: LinkId,
        /// What it says.
        event: Event,
    },
    /// A peer asks something (`PickAsked` or `ChunkAsked`) and waits for the answer.
    Ask {
        /// The number of the question.
        ask: AskId,
        /// The question, for the core.
        event: Event,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
    },
    /// A peer says that a chunk which we sent was corrupt, or our disk did not read one for it.
    Doubt {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
        /// Who was to have it.
        peer: PeerAddr,
    },
    /// A file that is being served is not the one that was hashed any more.
    SourceChanged {
        /// Of which swarm.
        key: SwarmKey,
        /// Which file.
        published: Arc<PublishedFile>,
    },
    /// A chunk that came from a peer was verified and written, or not.
    Taken {
        /// For which download.
        download: Arc<Download>,
        /// Which chunk.
        index: ChunkIndex,
        /// Who sent it.
        peer: PeerAddr,
        /// What became of it.
        taken: Result<(), TakeError>,
    },
    /// A tracker answered an announce.
    Found(Found),
    /// A tracker took a publication, or did not.
    Standing {
        /// Of which swarm.
        key: SwarmKey,
        /// Which tracker.
        tracker: TrackerUrl,
        /// How it stands there now.
        standing: Standing,
    },
    /// ttctl asks for something.
    Command(Command),
    /// The configuration was read again.
    Settled(Settings, Publisher),
    /// A limit was changed, which many may wait for.
    Limited,
    /// Does the driver live? What it has found out is published before it says so.
    Alive(oneshot::Sender<()>),
    /// Work in the background ended.
    Task(TaskInput),
    /// The daemon is to end.
    Shutdown,
}

/// The answer to a peer's question.
#[derive(Debug)]
pub enum Answer {
    /// This chunk; a slot is kept for it.
    Granted(ChunkIndex),
    /// Read the chunk from here, and count its bytes there when all of them were written. The resource is not at rest
    /// while somebody holds its traffic.
    Serve(Source, Arc<Traffic>),
    /// No.
    Refused(RequestRefusal),
}
