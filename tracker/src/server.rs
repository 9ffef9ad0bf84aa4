//! Accepts connections, and ends them.

use crate::caller::Caller;
use crate::door::{Door, Entered, Stranger, places};
use crate::enrol::Enrolment;
use crate::memory::{RegistryLimits, Size};
use crate::pool::{ConnectionPlace, ConnectionPool};
use crate::rules::Rules;
use crate::service::TrackerConnection;
use crate::state::TrackerState;
use shared::host::config::TrackerConfig;
use shared::host::doors::{Doors, Keeper};
use shared::host::guard::Guest;
use shared::host::refused::Counts;
use shared::id::ResourceId;
use shared::rpc::tracker::{PeerEntry, Tracker};
use shared::rpc::wire::{self, Greeted, ServerOptions, Unread};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

/// The time between two sweeps of entries that were not renewed. It is little beside the shortest time after which one
/// expires.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);

/// The time between two reports of the tracker's size in the log.
const REPORT_EVERY: Duration = Duration::from_secs(600);

/// Limits the open calls of one connection. A daemon has one or two. Further calls are refused.
const REQUESTS_MAX: usize = 4;

/// Limits the bytes of answers that wait to be taken, over all connections. A connection that would exceed it is
/// closed, so that callers who read nothing cannot fill the memory.
const UNREAD_BYTES_MAX: usize = 256 << 20;

/// The pause after the system could not accept a connection, for example for lack of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A tracker that listens on its port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    core: Core,
    keeper: Keeper,
}

impl Server {
    /// Opens the port, and reads the certificate files for the first time. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the port is in use or not permitted; the text says what to do. Wrong certificate files are no error: they are
    /// named in the log, and looked at again.
    pub fn bind(config: &TrackerConfig) -> io::Result<Server> {
        let listener = shared::rpc::listen(config.listen.0)?;
        let addr = listener.local_addr()?;
        let (keeper, doors) = Keeper::start(config.tls, places(config))?;
        let core = Core::with_doors(config, rand::random(), rand::random(), doors);
        core.state.enrolment().look();
        Ok(Server { listener, addr, core, keeper })
    }

    /// A handle to change the limits of the running server and to ask for its status.
    pub fn handle(&self) -> Handle {
        Handle { keeper: Some(self.keeper.clone()), ..self.core.handle() }
    }

    /// The address on which it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves forever. Dropping the future closes all connections.
    pub async fn run(self) {
        let Server { listener, core, keeper, .. } = self;
        let keeping = core.state.enrolment().clone().keep(keeper);
        tokio::select! {
            () = core.serve_on(|| accept(&listener)) => {}
            () = keeping => {}
        }
    }
}

/// Waits for a connection that is still there.
async fn accept(listener: &TcpListener) -> io::Result<Accepted<TcpStream>> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let Ok(own) = stream.local_addr() else { continue }; // it is gone already
        if let Err(error) = wire::tune(&stream, false) {
            tracing::debug!(%peer, %error, "cannot set the socket's options");
        }
        return Ok(Accepted { stream, peer, own });
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Its bytes.
    pub stream: S,
    /// The other side's address.
    pub peer: SocketAddr,
    /// Our address on it.
    pub own: SocketAddr,
}

/// A tracker without its port: the memory, and the connections that share it. Any stream of bytes can be a connection.
#[derive(Debug)]
pub struct Core {
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
    door: Arc<Door>,
    unread: Unread,
}

impl Core {
    /// A tracker that knows nothing yet, whose connections are not encrypted. It draws its random numbers from `seed`. By
    /// `epoch`, a random number, daemons notice that a tracker has restarted.
    pub fn new(config: &TrackerConfig, seed: [u8; 32], epoch: u64) -> Core {
        let (_, doors) = watch::channel(Arc::new(Doors::open()));
        Core::with_doors(config, seed, epoch, doors)
    }

    /// The same with what connections are accepted with at each moment.
    fn with_doors(
        config: &TrackerConfig,
        seed: [u8; 32],
        epoch: u64,
        doors: watch::Receiver<Arc<Doors>>,
    ) -> Core {
        let state = TrackerState::new(limits(config), seed, epoch, Enrolment::new(config));
        state.set_rules(Rules::of(config));
        Core {
            pool: ConnectionPool::new(count(config.connections_max), count(config.unknown_connections_max)),
            state: Arc::new(state),
            door: Arc::new(Door::new(config, doors)),
            unread: Unread::new(UNREAD_BYTES_MAX),
        }
    }

    /// A handle to change the limits of the running server and to ask for its status.
    pub fn handle(&self) -> Handle {
        let Core { pool, state, door, .. } = self;
        Handle { pool: pool.clone(), state: state.clone(), door: door.clone(), keeper: None }
    }

    /// Serves the connections that `accept` returns, forever. Dropping the future closes all connections. A future of
    /// `accept` that is dropped early must lose no connection.
    pub async fn serve_on<S, F>(self, mut accept: impl FnMut() -> F)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = io::Result<Accepted<S>>>,
    {
        let mut connections = JoinSet::new();
        let mut expire = interval(EXPIRE_EVERY);
        let mut report = interval_at(Instant::now() + REPORT_EVERY, REPORT_EVERY);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = accept() => match accepted {
                    Ok(accepted) => self.welcome(accepted, &mut connections),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                },
                Some(ended) = connections.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                },
                _ = expire.tick() => if self.state.expire() {
                    expire.reset_immediately(); // calls are answered in between
                },
                _ = report.tick() => self.state.report(connections.len(), self.door.refused().all()),
            }
        }
    }

    fn welcome<S>(&self, accepted: Accepted<S>, connections: &mut JoinSet<()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Accepted { stream, peer, own } = accepted;
        // An IPv4 address on an IPv6 socket is converted to a plain IPv4 address.
        let (peer, own) = (SocketAddr::new(peer.ip().to_canonical(), peer.port()), own.ip().to_canonical());
        if !self.door.admits(peer.ip()) {
            return;
        }
        let Some((place, told_to_go)) = self.pool.enter() else {
            tracing::debug!(%peer, "too many connections");
            return;
        };
        let (state, door, unread) = (self.state.clone(), self.door.clone(), self.unread.clone());
        let visit = Visit { state, door, unread, place, peer, own };
        connections.spawn(async move {
            tokio::select! {
                () = visit.converse(stream) => {}
                Ok(()) = told_to_go => tracing::debug!(%peer, "closed for a newcomer: it had not said hello"),
            }
        });
    }
}

/// One caller, from its connection to its end.
struct Visit {
    state: Arc<TrackerState>,
    door: Arc<Door>,
    unread: Unread,
    place: ConnectionPlace,
    peer: SocketAddr,
    own: IpAddr,
}

impl Visit {
    /// Lets the caller in, and answers its calls until the connection ends.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let Visit { state, door, unread, place, peer, own } = self;
        let greeted = Greeted::new();
        let options = ServerOptions {
            requests_max: REQUESTS_MAX,
            greeted: greeted.clone(),
            in_turn: true, // the answers may be large
            unread: Some(unread),
            ..ServerOptions::default()
        };
        let begun = Instant::now();
        let entered = door.enter(stream, peer.ip(), options.sideband.clone()).await;
        let Some(Entered { connection, is_stranger }) = entered else { return };
        // The time for hello is counted from the begin of the connection.
        let hello_timeout = options.hello_timeout.saturating_sub(begun.elapsed());
        let options = ServerOptions { hello_timeout, ..options };
        let is_encrypted = connection.is_encrypted();
        let stranger = is_stranger.then(|| Stranger::new(door.clone(), peer.ip(), is_encrypted));
        let node = connection.who().cloned();
        let caller = Caller { asker: peer.ip(), own, node, stranger, is_encrypted };
        let service = TrackerConnection::new(state, place, greeted, caller);
        let guest = Guest::of(&connection);
        let serving = wire::serve(connection, options, service.serve());
        if let Some(end) = door.while_welcome(peer.ip(), guest, is_stranger, serving).await {
            tracing::debug!(%peer, %end, "connection ended");
        }
    }
}

/// A handle to a running server.
#[derive(Debug, Clone)]
pub struct Handle {
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
    door: Arc<Door>,
    /// Looks at the certificate files, if there is somebody who does.
    keeper: Option<Keeper>,
}

impl Handle {
    /// Applies the limits and rules of a configuration, and uses its certificate files from now on. Existing connections
    /// and entries stay.
    pub fn configure(&self, config: &TrackerConfig) {
        self.pool.set(count(config.connections_max), count(config.unknown_connections_max));
        self.state.set_limits(limits(config));
        self.state.set_rules(Rules::of(config));
        self.state.enrolment().configure(config);
        self.door.configure(config);
        if let Some(keeper) = &self.keeper {
            keeper.configure(config.tls, places(config));
        }
    }

    /// Looks at the certificate files now, since they have changed.
    pub fn look_at_certificates(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.look_now();
        }
    }

    /// Peers of a resource, drawn at random, at most [`PEERS_MAX`](shared::rpc::tracker::PEERS_MAX), as the tracker
    /// knows them.
    pub fn peers_of(&self, resource: ResourceId) -> Vec<PeerEntry> {
        self.state.peers_of(resource)
    }

    /// The size of the memory.
    pub fn size(&self) -> Size {
        self.state.size()
    }

    /// The number of connections, also of those that have not said hello.
    pub fn connections(&self) -> usize {
        self.pool.taken()
    }

    /// How many callers were not let in since the start, and why.
    pub fn refused(&self) -> Counts {
        self.door.refused()
    }

    /// The tracker's size in one line, with how many callers were refused, and its certificate.
    pub fn status(&self) -> String {
        let refused = self.refused();
        let refused = if refused.all() == 0 { String::new() } else { format!(", refused {refused}") };
        let tls = self.tls().map_or_else(String::new, |line| format!("; {line}"));
        format!("{}{refused}{tls}", self.state.status(self.connections()))
    }

    /// The tracker's certificate in one line; `None` where TLS is off.
    pub fn tls(&self) -> Option<Arc<str>> {
        self.door.line()
    }
}

fn limits(config: &TrackerConfig) -> RegistryLimits {
    RegistryLimits {
        entries_max: count(config.entries_max),
        entries_per_peer_max: count(config.entries_per_peer_max),
        catalogue_bytes_max: usize::try_from(config.catalogue_bytes_max.bytes()).unwrap_or(usize::MAX),
        publications_max: count(config.publications_max),
        publication_ttl: config.publication_ttl.duration(),
        ..RegistryLimits::default()
    }
}

fn count(number: NonZeroU32) -> usize {
    number.get() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::PeerId;
    use shared::rpc::PROTOCOL_VERSION;
    use shared::rpc::tracker::{TrackedPeer, TrackerCaller, TrackerHello};
    use shared::rpc::wire::ClientOptions;
    use tokio::io::DuplexStream;
    use tokio::sync::{Mutex, mpsc};

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Says hello on a stream in memory; the epoch of the tracker that answers.
    async fn greet(dialed: DuplexStream, number: u8) -> u64 {
        let (caller, carrier): (TrackerCaller, _) = wire::client(dialed, ClientOptions::default());
        let carrier = tokio::spawn(carrier);
        let (peer_id, zone, host) = (PeerId([number; 16]), String::new(), String::new());
        let peer = Some(TrackedPeer { peer_id, listen_port: 7987, zone, host, advertise: None });
        let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer };
        let welcome = caller.hello(hello, PATIENCE).await.unwrap().unwrap();
        assert_eq!(welcome.your_address, SocketAddr::from(([10, 0, 0, number], 7987)));
        carrier.abort();
        welcome.epoch
    }

    #[tokio::test]
    async fn it_serves_any_stream() {
        let core = Core::new(&TrackerConfig::default(), [7; 32], 99);
        let handle = core.handle();
        let (connect, accepted) = mpsc::channel(1);
        let accepted = Mutex::new(accepted);
        let serving = tokio::spawn(async move {
            core.serve_on(|| async {
                accepted.lock().await.recv().await.ok_or_else(io::Error::last_os_error)
            })
            .await;
        });
        for number in [2, 3] {
            let (dialed, stream) = tokio::io::duplex(1 << 16);
            let peer = SocketAddr::from(([10, 0, 0, number], 40_000));
            let own = SocketAddr::from(([10, 0, 1, 1], 7986));
            connect.send(Accepted { stream, peer, own }).await.unwrap();
            assert_eq!(greet(dialed, number).await, 99);
        }
        assert_eq!(handle.size().entries, 0);
        let both_ended = async {
            while handle.connections() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, both_ended).await.unwrap();
        serving.abort();
    }
}
