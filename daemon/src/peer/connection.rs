//! A connection that we dial, up to its hello, and how it ends. What is asked on it is in `link`.

use crate::inbox::Context;
use crate::jobs;
use crate::net::Stream;
use crate::throttle::Throttled;
use sha2::{Digest, Sha256};
use shared::host::guard::Guest;
use shared::id::PeerId;
use shared::identity::{NodeName, Role};
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::control::Rejection;
use shared::rpc::peer::{HelloRefused, LinkKind, PeerCaller, Welcome, ZONE_BYTES_MAX};
use shared::rpc::tls::{self, Refusal, Secured};
use shared::rpc::wire::{self, Ahead, CallError, ClientOptions, LinkEnd, Meter, Sideband};
use shared::swarm::{DropReason, PeerAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinError, JoinHandle};

/// Limits the wait for the answer to hello; after that the dial has failed. A daemon answers hello at once, whatever
/// else it does.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection after hello. Dropping it closes it.
pub(super) struct DialedConnection {
    pub(super) caller: PeerCaller,
    pub(super) welcome: Welcome,
    /// Its name in its certificate, if the connection is encrypted.
    pub(super) node: Option<NodeName>,
    pub(super) round_trip: Duration,
    pub(super) carrier: JoinHandle<LinkEnd>,
}

/// Why a link ends.
pub(super) enum End {
    /// It broke, as happens to honest peers.
    Broken(String),
    /// The peer did something that no honest peer does.
    Misbehaved(DropReason, String),
}

impl End {
    pub(super) fn of(end: Result<LinkEnd, JoinError>) -> End {
        match end {
            Ok(end @ LinkEnd::Malformed(_)) => End::Misbehaved(DropReason::Protocol, end.to_string()),
            Ok(end) => End::Broken(end.to_string()),
            Err(error) => End::Broken(error.to_string()),
        }
    }
}

impl Drop for DialedConnection {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// Why a peer cannot be connected.
pub(super) enum DialError {
    /// It failed this time; a later try may succeed.
    Failed(String),
    /// It never works, so the peer is not dialed again.
    ForGood(Rejection, String),
    /// The other side broke the protocol.
    Broke(String),
}

impl DialedConnection {
    pub(super) async fn dial(
        context: &Context,
        peer: PeerAddr,
        kind: LinkKind,
        meter: Meter,
        broken: watch::Sender<Option<String>>,
    ) -> Result<DialedConnection, DialError> {
        let stream = secured(context, peer, kind).await.map_err(|refusal| {
            context.rejections.refused.callee(peer, &refusal);
            DialError::Failed(refusal.to_string())
        })?;
        let options =
            ClientOptions { meter, sideband: stream.sideband().clone(), ..ClientOptions::default() };
        let (guest, node) = (Guest::of(&stream), stream.who().map(|node| node.name.clone()));
        if let Some(node) = &node {
            if let Err(another) = context.nodes.expect(peer, node) {
                context.rejections.refused.other_node(peer, &another);
                return Err(DialError::Failed(another.to_string()));
            }
            if context.bans.refuses_node(node) {
                return Err(DialError::Failed(
                    "this node misbehaved and is not asked for a while".to_owned(),
                ));
            }
        }
        let (caller, carrier): (PeerCaller, _) = wire::client(stream, options);
        let carrier = context.while_welcome(guest, carrier);
        let mut carrier = jobs::spawn(async move {
            let end = carrier.await.unwrap_or_else(|refusal| {
                tracing::info!(%peer, error = %refusal, "disconnected from a peer that would not be dialled any more");
                LinkEnd::Failed(Arc::new(refusal.into()))
            });
            if let LinkEnd::Malformed(_) = end {
                broken.send_replace(Some(end.to_string()));
            }
            end
        });
        let asked = Instant::now();
        let answer = caller.hello(context.hello(kind), HELLO_TIMEOUT).await;
        let round_trip = asked.elapsed();
        match answer {
            Ok(Ok(welcome))
                if welcome.version == PROTOCOL_VERSION && welcome.zone.len() <= ZONE_BYTES_MAX =>
            {
                Ok(DialedConnection { caller, welcome, node, round_trip, carrier })
            }
            // If something else came instead of an answer, it decides whether this is a peer at all.
            Err(CallError::Closed) => Err(match End::of((&mut carrier).await) {
                End::Misbehaved(_, why) => DialError::Broke(why),
                End::Broken(why) => DialError::Failed(why),
            }),
            refused => {
                carrier.abort();
                Err(refusal(refused))
            }
        }
    }
}

/// Connects to a peer, and makes the handshake.
async fn secured(
    context: &Context,
    peer: PeerAddr,
    kind: LinkKind,
) -> Result<Secured<Throttled<Ahead<Stream>>>, Refusal> {
    let bulk = kind == LinkKind::Bulk;
    let limits = context.limits();
    limits.bulk.store(bulk, Ordering::Relaxed);
    let connect = || {
        let limits = limits.clone();
        async move {
            let stream = context.connect(peer, bulk).await?;
            let sideband = Sideband::new();
            let stream = Ahead::new(stream.batched(), sideband.clone());
            Ok((Throttled::new(stream, limits), sideband))
        }
    };
    tls::dial(&context.doors().dialing(), Role::Peer, connect).await
}

impl DialedConnection {
    /// The id by which two addresses of one peer are recognized. An id is drawn by the peer itself, so anybody can claim
    /// that of another one; only with the name of its node it is its own.
    pub(super) fn id(&self) -> PeerId {
        let Some(node) = &self.node else { return self.welcome.peer_id };
        let hash = Sha256::new()
            .chain_update(node.as_str())
            .chain_update([0u8])
            .chain_update(self.welcome.peer_id.0);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        PeerId(id)
    }
}

fn refusal(answer: Result<Result<Welcome, HelloRefused>, CallError>) -> DialError {
    match answer {
        Ok(Ok(welcome)) if welcome.version == PROTOCOL_VERSION => {
            DialError::ForGood(Rejection::Malformed, "the name of its zone is too long".to_owned())
        }
        Ok(Ok(welcome)) => {
            DialError::ForGood(Rejection::Version, format!("it speaks protocol version {}", welcome.version))
        }
        Ok(Err(HelloRefused::Version(wrong))) => DialError::ForGood(Rejection::Version, wrong.to_string()),
        Ok(Err(HelloRefused::Malformed)) => {
            DialError::ForGood(Rejection::Malformed, "it rejected our hello as malformed".to_owned())
        }
        Ok(Err(HelloRefused::Banned)) => DialError::Failed("it has banned us for a while".to_owned()),
        Ok(Err(HelloRefused::Full)) => DialError::Failed("it has too many connections".to_owned()),
        Err(CallError::WrongReply) => {
            DialError::Broke("it answered the hello with something else".to_owned())
        }
        Err(error) => DialError::Failed(error.to_string()),
    }
}

/// The bulk connection of a link. The first caller dials it. The meter counts over all its connections.
#[derive(Clone, Default)]
pub(super) struct Bulk {
    connection: Arc<Mutex<Option<DialedConnection>>>,
    pub(super) meter: Meter,
    /// How the peer broke the protocol on any of its connections, if it did.
    pub(super) broken: watch::Sender<Option<String>>,
    /// The node at the other side, since the quick connection.
    pub(super) node: Arc<OnceLock<NodeName>>,
}

impl Bulk {
    /// No connection yet. The quick one says to which node it must lead.
    pub(super) fn new(node: Arc<OnceLock<NodeName>>) -> Bulk {
        Bulk { node, ..Bulk::default() }
    }

    pub(super) async fn caller(&self, context: &Context, peer: PeerAddr) -> Result<PeerCaller, DialError> {
        let mut slot = self.connection.lock().await;
        if slot.as_ref().is_none_or(|connection| connection.carrier.is_finished()) {
            let (meter, broken) = (self.meter.clone(), self.broken.clone());
            let connection = DialedConnection::dial(context, peer, LinkKind::Bulk, meter, broken).await?;
            if self.node.get().is_some() && self.node.get() != connection.node.as_ref() {
                const WHY: &str = "another machine answers there than on our other connection";
                context.rejections.refused.other_node(peer, &WHY);
                return Err(DialError::Failed(WHY.to_owned()));
            }
            *slot = Some(connection);
        }
        Ok(slot.as_ref().expect("it was made just now").caller.clone())
    }

    /// Waits until the peer breaks the protocol. Returns how.
    pub(super) async fn when_broken(self) -> String {
        let mut broken = self.broken.subscribe();
        let why = broken.wait_for(Option::is_some).await.map(|why| why.clone());
        why.ok().flatten().unwrap_or_default()
    }
}
