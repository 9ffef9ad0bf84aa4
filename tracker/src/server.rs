//! Accepts connections, and ends them.

use crate::memory::RegistryLimits;
use crate::pool::ConnectionPool;
use crate::service::{TrackerConnection, TrackerState};
use shared::host::config::TrackerConfig;
use shared::rpc::tracker::Tracker;
use shared::rpc::wire::{self, Greeted, ServerOptions, Unread};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
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
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
    unread: Unread,
}

impl Server {
    /// Opens the port. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the port is in use or not permitted; the text says what to do.
    pub fn bind(config: &TrackerConfig) -> io::Result<Server> {
        let listener = shared::rpc::listen(config.listen.0)?;
        let addr = listener.local_addr()?;
        let pool = ConnectionPool::new(count(config.connections_max), count(config.unknown_connections_max));
        Ok(Server {
            listener,
            addr,
            pool,
            state: Arc::new(TrackerState::new(limits(config))),
            unread: Unread::new(UNREAD_BYTES_MAX),
        })
    }

    /// A handle to change the limits of the running server and to ask for its status.
    pub fn handle(&self) -> Handle {
        Handle { pool: self.pool.clone(), state: self.state.clone() }
    }

    /// The address on which it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves forever. Dropping the future closes all connections.
    pub async fn run(self) {
        let mut connections = JoinSet::new();
        let mut expire = interval(EXPIRE_EVERY);
        let mut report = interval_at(Instant::now() + REPORT_EVERY, REPORT_EVERY);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer, &mut connections),
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
                _ = report.tick() => self.state.report(connections.len()),
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let Ok(own) = stream.local_addr() else { return }; // it is gone already
        let Some((place, told_to_go)) = self.pool.enter() else {
            tracing::debug!(%peer, "too many connections");
            return;
        };
        if let Err(error) = wire::tune(&stream, false) {
            tracing::debug!(%peer, %error, "cannot set the socket's options");
        }
        // An IPv4 address on an IPv6 socket is converted to a plain IPv4 address.
        let (peer, own) = (SocketAddr::new(peer.ip().to_canonical(), peer.port()), own.ip().to_canonical());
        let greeted = Greeted::new();
        let options = ServerOptions {
            requests_max: REQUESTS_MAX,
            greeted: greeted.clone(),
            in_turn: true, // the answers may be large
            unread: Some(self.unread.clone()),
            ..ServerOptions::default()
        };
        let connection = TrackerConnection::new(self.state.clone(), place, greeted, peer.ip(), own);
        connections.spawn(converse(stream, peer, told_to_go, options, connection));
    }
}

/// A handle to a running server.
#[derive(Debug, Clone)]
pub struct Handle {
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
}

impl Handle {
    /// Applies the limits of a configuration. Existing connections and entries stay.
    pub fn set_limits(&self, config: &TrackerConfig) {
        self.pool.set(count(config.connections_max), count(config.unknown_connections_max));
        self.state.set_limits(limits(config));
    }

    /// The tracker's size in one line.
    pub fn status(&self) -> String {
        self.state.status(self.pool.taken())
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

/// Serves one connection until it ends.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    told_to_go: oneshot::Receiver<()>,
    options: ServerOptions,
    connection: TrackerConnection,
) {
    tokio::select! {
        end = wire::serve(stream, options, connection.serve()) => tracing::debug!(%peer, %end, "connection ended"),
        Ok(()) = told_to_go => tracing::debug!(%peer, "closed for a newcomer: it had not said hello"),
    }
}
