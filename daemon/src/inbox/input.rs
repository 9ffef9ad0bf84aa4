//! All inputs that wake the driver, as one closed enum.

use super::command::Command;
use super::found::Found;
use super::ids::LinkId;
use super::settings::Settings;
use super::work::TaskInput;
use crate::library::{Download, Source, Standing, TakeError, Traffic};
use crate::store::{PublishedFile, Publisher};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::swarm::{AskId, Event, PeerAddr, RequestRefusal};
use shared::url::TrackerUrl;
use std::sync::Arc;
use tokio::sync::oneshot;

/// An input to the driver.
#[derive(Debug)]
pub enum Input {
    /// An event for the core.
    Event(Event),
    /// An event for the core from a link that may have ended since.
    Link {
        /// The link's peer.
        peer: PeerAddr,
        /// The link.
        link: LinkId,
        /// The event.
        event: Event,
    },
    /// A peer's question, `PickAsked` or `ChunkAsked`, that waits for an answer.
    Ask {
        /// The number of the question.
        ask: AskId,
        /// The question, as an event for the core.
        event: Event,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
    },
    /// A chunk of ours may be corrupt on disk: a peer that received it says so, or the disk failed to read it for that
    /// peer.
    Doubt {
        /// Of which swarm.
        key: SwarmKey,
        /// Which chunk.
        index: ChunkIndex,
        /// The peer.
        peer: PeerAddr,
    },
    /// A file that we serve has changed since it was hashed.
    SourceChanged {
        /// Of which swarm.
        key: SwarmKey,
        /// The file.
        published: Arc<PublishedFile>,
        /// The chunk that could not be read because of that.
        chunk: ChunkIndex,
    },
    /// A chunk from a peer was verified and written, or one of the two failed.
    Taken {
        /// Its download.
        download: Arc<Download>,
        /// Which chunk.
        index: ChunkIndex,
        /// The peer that sent it.
        peer: PeerAddr,
        /// The error says whether the chunk or the disk was at fault.
        taken: Result<(), TakeError>,
    },
    /// A tracker answered an announce.
    Found(Found),
    /// A tracker accepted or rejected a publication.
    Standing {
        /// Of which swarm.
        key: SwarmKey,
        /// The tracker.
        tracker: TrackerUrl,
        /// The publication's state at that tracker.
        standing: Standing,
    },
    /// A command from a caller or another part of the daemon.
    Command(Command),
    /// The configuration was read again: the driver's part of it, and the mode and group of finished files.
    Settled(Settings, Publisher),
    /// A rate limit was changed; its state is shown again.
    Limited,
    /// The watchdog asks for a sign of life. The driver publishes its latest state before it answers.
    Alive(oneshot::Sender<()>),
    /// Work in the background has ended.
    Task(TaskInput),
    /// The daemon ends.
    Shutdown,
}

/// The answer to a peer's question.
#[derive(Debug)]
pub enum Answer {
    /// The chunk to ask for; a slot is reserved for it.
    Granted(ChunkIndex),
    /// Where to read the chunk, and where to count its bytes when all of them are sent. While anybody holds this
    /// traffic, the resource does not count as idle.
    Serve(Source, Arc<Traffic>),
    /// The refusal.
    Refused(RequestRefusal),
}
