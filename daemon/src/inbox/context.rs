//! What all tasks of the daemon share: the daemon's own addresses and id, the channel to the driver, the news board and
//! the limits.

use super::ids::LinkId;
use super::input::Input;
use crate::board::bans::Bans;
use crate::board::catalogues::Catalogues;
use crate::board::events::EventBoard;
use crate::board::news::NewsBoard;
use crate::board::nodes::Nodes;
use crate::board::rejections::Rejections;
use crate::identity::Membership;
use crate::net::{Stream, Ways};
use crate::snapshot::Snapshot;
use crate::throttle::{Bucket, LinkLimits};
use crate::trust::Trust;
use shared::host::config::{Dscp, HostPort, Network};
use shared::host::doors::Doors;
use shared::host::guard::{Guest, while_welcome};
use shared::host::handshakes::Handshakes;
use shared::id::PeerId;
use shared::rpc::control::WatchState;
use shared::rpc::peer::{Hello, LinkKind};
use shared::rpc::tls::Refusal;
use shared::rpc::{PROTOCOL_VERSION, tracker::TrackedPeer};
use shared::swarm::{AskEnd, AskId, Event};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};

/// How long connecting may take. A peer or a tracker that has not accepted by then counts as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many knocks run at once: short connections to leechers that found nobody. Further ones are left to the next
/// announce.
const KNOCKS_MAX: usize = 8;

/// The shared state.
#[derive(Debug)]
pub struct Context {
    /// Our peer id, chosen at random at this start.
    pub peer_id: PeerId,
    /// The address at which we listen for peers.
    pub listen: SocketAddr,
    /// Our zone, empty if none is configured.
    pub zone: String,
    /// The configured address at which others reach us, if it is not that of our connections. Trackers are told.
    pub advertised: watch::Sender<Option<HostPort>>,
    /// Our host name, empty if unknown. Trackers are told, for people.
    pub host: String,
    /// The news board: the chunks that we have, for peers that poll.
    pub board: NewsBoard,
    /// The limit on what we receive.
    pub down: Arc<Bucket>,
    /// The limit on what we send.
    pub up: Arc<Bucket>,
    /// The peers that are refused for a while.
    pub bans: Bans,
    /// Counts how often connections and requests were refused.
    pub rejections: Rejections,
    /// Callers that are about to show who they are.
    pub handshakes: Handshakes,
    /// Which node is where, as trackers say.
    pub nodes: Nodes,
    /// The networks from which callers are served; all if there is none.
    pub served: watch::Sender<Vec<Network>>,
    /// The mark of packets that carry chunks; `None` for the system's default.
    pub dscp: watch::Sender<Option<Dscp>>,
    /// The state of all resources. The driver publishes changes, and readers subscribe.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// The state of the watch of the shared directory; `None` if it is not watched.
    pub watching: watch::Sender<Option<Arc<WatchState>>>,
    /// What happened lately, for those who follow it.
    pub events: EventBoard,
    /// How far the catalogues of trackers are.
    pub catalogues: Catalogues,
    /// Whose signatures count.
    pub trust: Arc<Trust>,
    /// Who this machine is.
    pub membership: Arc<Membership>,
    /// How other machines are reached.
    ways: Ways,
    /// [`KNOCKS_MAX`] permits for knocks.
    pub knocks: Arc<Semaphore>,
    /// The driver's inputs.
    inputs: mpsc::Sender<Input>,
    /// Questions that have ended. Destructors send here and cannot wait, so the channel has no bound; it never holds
    /// more than the open questions.
    ended: mpsc::UnboundedSender<(AskId, AskEnd)>,
    asks: AtomicU64,
    links: AtomicU64,
}

impl Context {
    /// Puts the parts together. The receivers are for the driver.
    pub fn new(
        peer_id: PeerId,
        listen: SocketAddr,
        zone: String,
        (down, up): (Arc<Bucket>, Arc<Bucket>),
        ways: impl Into<Ways>,
    ) -> (Arc<Context>, mpsc::Receiver<Input>, mpsc::UnboundedReceiver<(AskId, AskEnd)>) {
        let (inputs, received) = mpsc::channel(4096);
        let (ended, ended_received) = mpsc::unbounded_channel();
        let ways = ways.into();
        let context = Context {
            peer_id,
            listen,
            zone,
            advertised: watch::Sender::default(),
            host: shared::host::hostname::own(),
            board: NewsBoard::new(),
            down,
            up,
            bans: Bans::default(),
            rejections: Rejections::default(),
            handshakes: Handshakes::default(),
            nodes: Nodes::default(),
            served: watch::Sender::default(),
            dscp: watch::Sender::default(),
            snapshots: watch::Sender::default(),
            watching: watch::Sender::default(),
            events: EventBoard::default(),
            catalogues: Catalogues::default(),
            trust: Arc::default(),
            membership: ways.membership.clone(),
            ways,
            knocks: Arc::new(Semaphore::new(KNOCKS_MAX)),
            inputs,
            ended,
            asks: AtomicU64::new(0),
            links: AtomicU64::new(0),
        };
        (Arc::new(context), received, ended_received)
    }

    /// Sends an input to the driver, and waits while its queue is full. After the driver's end the input is dropped.
    pub async fn tell(&self, input: Input) {
        let _ = self.inputs.send(input).await;
    }

    /// Sends an event to the core through the driver.
    pub async fn event(&self, event: Event) {
        self.tell(Input::Event(event)).await;
    }

    /// Like [`tell`](Context::tell), for threads that may block.
    pub fn tell_blocking(&self, input: Input) {
        if let Err(TrySendError::Full(input)) = self.inputs.try_send(input) {
            let _ = self.inputs.blocking_send(input);
        }
    }

    /// Reports that a question has ended, without waiting.
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

    /// Our hello for a link of this kind.
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

    /// Our own entry in a tracker's list of peers, at the address of our connection.
    pub fn tracked(&self) -> TrackedPeer {
        TrackedPeer {
            peer_id: self.peer_id,
            listen_port: self.listen.port(),
            zone: self.zone.clone(),
            host: self.host.clone(),
            advertise: None,
        }
    }

    /// The limits for a new link. They take effect when its `bulk` is set.
    pub fn limits(&self) -> LinkLimits {
        let (down, up) = (Some(self.down.clone()), Some(self.up.clone()));
        LinkLimits { down, up, bulk: Arc::default() }
    }

    /// With what connections begin at this moment.
    pub fn doors(&self) -> Arc<Doors> {
        self.ways.doors.borrow().clone()
    }

    /// Waits until connections begin with something that fits; for as long as `within` at most.
    pub async fn doors_become(&self, within: Duration, fits: impl FnMut(&Arc<Doors>) -> bool) {
        let mut doors = self.ways.doors.clone();
        let _ = tokio::time::timeout(within, doors.wait_for(fits)).await;
    }

    /// Has a connection work until it ends, or until its other side would not be accepted any more. The error says why
    /// it would not.
    pub fn while_welcome<F: Future>(
        &self,
        guest: Guest,
        connection: F,
    ) -> impl Future<Output = Result<F::Output, Refusal>> + use<F> {
        while_welcome(self.ways.doors.clone(), guest, false, connection)
    }

    /// Whether callers from this address are served.
    pub fn serves(&self, ip: IpAddr) -> bool {
        let served = self.served.borrow();
        served.is_empty() || served.iter().any(|network| network.contains(ip))
    }

    /// Connects to a peer or a tracker. If we listen at one address only, the connection also comes from that address,
    /// so that others see us where they can reach us.
    ///
    /// # Errors
    /// When connecting fails or takes longer than [`CONNECT_TIMEOUT`].
    pub async fn connect(&self, to: SocketAddr, bulk: bool) -> io::Result<Stream> {
        let own = self.listen.ip().to_canonical();
        let speaks_from_it = !own.is_unspecified()
            && own.is_ipv4() == to.is_ipv4()
            && own.is_loopback() == to.ip().to_canonical().is_loopback();
        let connecting = self.ways.network.connect(speaks_from_it.then_some(own), to);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
        stream.tune(bulk)?;
        if bulk {
            self.mark(&stream);
        }
        Ok(stream)
    }

    /// Marks the packets of a connection on which chunks come or go, if the configuration says so.
    pub fn mark(&self, stream: &Stream) {
        let dscp = *self.dscp.borrow();
        if let Some(dscp) = dscp
            && let Err(error) = stream.mark(dscp)
        {
            tracing::debug!(%dscp, %error, "cannot mark the packets of a connection");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Listener, Network};
    use rustix::net::sockopt::ip_tos;
    use shared::host::config::RateLimit;

    #[tokio::test]
    async fn connections_for_chunks_are_marked_on_both_sides_and_a_reload_counts_for_new_ones() {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (to, listener) = (port.local_addr().unwrap(), Listener::Tcp(port));
        let bucket = || Bucket::new(RateLimit::None);
        let (context, _inputs, _ended) =
            Context::new(PeerId([1; 16]), to, String::new(), (bucket(), bucket()), Network::System);
        let mark_of = |stream: &Stream| match stream {
            Stream::Plain(stream) => ip_tos(stream).unwrap() >> 2,
            other => panic!("{other:?}"),
        };
        for (dscp, is_bulk, expected) in [("", true, 0), ("cs1", true, 8), ("le", true, 1), ("le", false, 0)]
        {
            context.dscp.send_replace(dscp.parse().ok());
            let dialed = context.connect(to, is_bulk).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert_eq!(mark_of(&dialed), expected, "{dscp}");
            if is_bulk {
                context.mark(&accepted);
                assert_eq!(mark_of(&accepted), expected, "{dscp}");
            }
        }
    }
}
