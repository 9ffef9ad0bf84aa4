//! What all tasks of the daemon share: who we are, where the driver listens, the news board, the limits.

use super::ids::LinkId;
use super::input::Input;
use crate::board::bans::{Bans, Rejections};
use crate::board::news::NewsBoard;
use crate::snapshot::Snapshot;
use crate::throttle::{Bucket, LinkLimits};
use shared::id::PeerId;
use shared::rpc::peer::{Hello, LinkKind};
use shared::rpc::{PROTOCOL_VERSION, tracker::TrackedPeer};
use shared::swarm::{AskEnd, AskId, Event};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many knocks are under way at once; further ones are left to the next announce.
const KNOCKS_MAX: usize = 8;

/// What all tasks share.
#[derive(Debug)]
pub struct Context {
    /// Our id, drawn at this start.
    pub peer_id: PeerId,
    /// Where we listen for peers.
    pub listen: SocketAddr,
    /// Our zone, empty if none is configured.
    pub zone: String,
    /// What we have, for those who poll.
    pub board: NewsBoard,
    /// The limit of what we receive.
    pub down: Arc<Bucket>,
    /// The limit of what we send.
    pub up: Arc<Bucket>,
    /// Who is refused for a while.
    pub bans: Bans,
    /// How often anybody was turned away.
    pub rejections: Rejections,
    /// How everything is doing. The driver publishes what has changed; readers subscribe.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// How many knocks may be under way at once.
    pub knocks: Arc<Semaphore>,
    /// Where the driver listens.
    inputs: mpsc::Sender<Input>,
    /// Questions that ended, told from destructors, which cannot wait. Bounded by the open questions.
    ended: mpsc::UnboundedSender<(AskId, AskEnd)>,
    asks: AtomicU64,
    links: AtomicU64,
}

impl Context {
    /// Puts the parts together; the receivers belong to the driver.
    pub fn new(
        peer_id: PeerId,
        listen: SocketAddr,
        zone: String,
        (down, up): (Arc<Bucket>, Arc<Bucket>),
    ) -> (Arc<Context>, mpsc::Receiver<Input>, mpsc::UnboundedReceiver<(AskId, AskEnd)>) {
        let (inputs, received) = mpsc::channel(4096);
        let (ended, ended_received) = mpsc::unbounded_channel();
        let context = Context {
            peer_id,
            listen,
            zone,
            board: NewsBoard::new(),
            down,
            up,
            bans: Bans::default(),
            rejections: Rejections::default(),
            snapshots: watch::Sender::default(),
            knocks: Arc::new(Semaphore::new(KNOCKS_MAX)),
            inputs,
            ended,
            asks: AtomicU64::new(0),
            links: AtomicU64::new(0),
        };
        (Arc::new(context), received, ended_received)
    }

    /// Tells the driver; waits while it has too much to do. After its end nothing is told.
    pub async fn tell(&self, input: Input) {
        let _ = self.inputs.send(input).await;
    }

    /// Tells the core, by way of the driver.
    pub async fn event(&self, event: Event) {
        self.tell(Input::Event(event)).await;
    }

    /// Tells the driver from a thread that may block.
    pub fn tell_blocking(&self, input: Input) {
        let _ = self.inputs.blocking_send(input);
    }

    /// A question ended. Never waits.
    pub fn ask_ended(&self, ask: AskId, end: AskEnd) {
        let _ = self.ended.send((ask, end));
    }

    /// The number of a new question.
    pub fn next_ask(&self) -> AskId {
        AskId(self.asks.fetch_add(1, Ordering::Relaxed))
    }

    /// The number of a new link.
    pub fn next_link(&self) -> LinkId {
        LinkId(self.links.fetch_add(1, Ordering::Relaxed))
    }

    /// Our hello to a peer.
    pub fn hello(&self, link: LinkKind) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            peer_id: self.peer_id,
            listen_port: self.listen.port(),
            zone: self.zone.clone(),
            link,
        }
    }

    /// How we introduce ourselves to a tracker.
    pub fn tracked(&self) -> TrackedPeer {
        TrackedPeer { peer_id: self.peer_id, listen_port: self.listen.port(), zone: self.zone.clone() }
    }

    /// The limits for one more link. They apply once its `bulk` is set.
    pub fn limits(&self) -> LinkLimits {
        let (down, up) = (Some(self.down.clone()), Some(self.up.clone()));
        LinkLimits { down, up, bulk: Arc::default() }
    }

    /// Connects to a peer or a tracker. When we listen on one address only, we also speak from that one, so that
    /// others see us where we can be reached.
    ///
    /// # Errors
    /// When the connection cannot be made within a few seconds.
    pub async fn connect(&self, to: SocketAddr, bulk: bool) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let own = self.listen.ip().to_canonical();
        let speaks_from_it = !own.is_unspecified()
            && own.is_ipv4() == to.is_ipv4()
            && own.is_loopback() == to.ip().to_canonical().is_loopback();
        if speaks_from_it {
            socket.bind(SocketAddr::new(own, 0))?;
        }
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, socket.connect(to))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
        shared::rpc::wire::tune(&stream, bulk)?;
        Ok(stream)
    }
}
