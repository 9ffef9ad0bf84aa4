//! Connections: who comes in, how long they may stay.

use crate::memory::Limits;
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

/// How often what was not renewed is forgotten.
const EXPIRE_EVERY: Duration = Duration::from_secs(2);

/// How often the log says how much there is.
const REPORT_EVERY: Duration = Duration::from_secs(600);

/// How many calls may be open at once on one connection. A daemon has one or two.
const REQUESTS_MAX: usize = 4;

/// How many bytes of answers may wait for those who do not take them, over all connections.
const UNREAD_BYTES_MAX: usize = 256 << 20;

/// How long to wait when the system has no room for one more connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A tracker that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
    unread: Unread,
}

impl Server {
    /// Opens the port. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the port is taken or may not be had; the text says what to do.
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

    /// What changes limits while it runs, and tells how it is doing.
    pub fn handle(&self) -> Handle {
        Handle { pool: self.pool.clone(), state: self.state.clone() }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves for ever. Dropping the future closes all connections.
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
                    expire.reset_immediately(); // others have their turn in between
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
        // An IPv4 address that came through an IPv6 socket is an IPv4 address.
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

/// Reaches a server that runs.
#[derive(Debug, Clone)]
pub struct Handle {
    pool: Arc<ConnectionPool>,
    state: Arc<TrackerState>,
}

impl Handle {
    /// Takes the limits of a configuration over; what is there already stays.
    pub fn set_limits(&self, config: &TrackerConfig) {
        self.pool.set(count(config.connections_max), count(config.unknown_connections_max));
        self.state.set_limits(limits(config));
    }

    /// How much there is, in a few words.
    pub fn status(&self) -> String {
        self.state.status(self.pool.taken())
    }
}

fn limits(config: &TrackerConfig) -> Limits {
    Limits {
        entries_max: count(config.entries_max),
        entries_per_peer_max: count(config.entries_per_peer_max),
        catalogue_bytes_max: usize::try_from(config.catalogue_bytes_max.bytes()).unwrap_or(usize::MAX),
        publications_max: count(config.publications_max),
        publication_ttl: config.publication_ttl.duration(),
        ..Limits::default()
    }
}

fn count(number: NonZeroU32) -> usize {
    number.get() as usize
}

/// One connection, from accept to close.
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
