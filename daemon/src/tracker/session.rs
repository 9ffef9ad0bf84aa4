//! A connection to a tracker, from the name lookup to hello.

use super::advertise;
use super::health::Trouble;
use crate::identity;
use crate::inbox::Context;
use crate::jobs;
use shared::host::guard::Guest;
use shared::identity::Role;
use shared::plain::io_error;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tls::{self, JOIN, Refusal};
use shared::rpc::tracker::{TrackedPeer, TrackerCaller, TrackerHello, TrackerWelcome};
use shared::rpc::wire::{self, CallError, ClientOptions, LinkEnd, Sideband};
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a call to a tracker, or the lookup of its name, may take. Beyond it the connection ends and the tracker
/// counts as unreachable. Trackers answer within milliseconds, so one that takes longer hangs or is overloaded.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits the addresses of a tracker's name that are tried; the rest is ignored, since each may cost a timeout.
const ADDRESSES_MAX: usize = 8;

/// A connection to a tracker after hello. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) caller: TrackerCaller,
    pub(crate) welcome: TrackerWelcome,
    /// Whether the tracker runs on this machine.
    pub(crate) is_local: bool,
    /// The address at which it was asked to tell others of us.
    pub(super) advertised: Option<SocketAddr>,
    /// Whether nobody else can say something on it.
    pub(super) is_encrypted: bool,
    carrier: JoinHandle<LinkEnd>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Session {
    /// Connects and says hello as a peer.
    pub(crate) async fn open(context: &Context, url: &TrackerUrl) -> Result<Session, Trouble> {
        Session::open_as(context, url, Some(advertise::tracked(context).await)).await
    }

    /// Connects and says hello as a daemon that only asks.
    pub(crate) async fn open_to_ask(context: &Context, url: &TrackerUrl) -> Result<Session, Trouble> {
        Session::open_as(context, url, None).await
    }

    async fn open_as(
        context: &Context,
        url: &TrackerUrl,
        peer: Option<TrackedPeer>,
    ) -> Result<Session, Trouble> {
        let addresses = resolve(url).await?;
        let mut last = Trouble::Unreachable(format!("{} has no address", url.host()));
        for address in addresses {
            match Session::open_at(context, address, peer.clone()).await {
                Ok(session) => return Ok(session),
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
    }

    async fn open_at(
        context: &Context,
        address: SocketAddr,
        peer: Option<TrackedPeer>,
    ) -> Result<Session, Trouble> {
        let connect = async || Ok((context.connect(address, false).await?, Sideband::new()));
        let stream = tls::dial(&context.doors().dialing(), Role::Tracker, connect).await?;
        let options = ClientOptions { sideband: stream.sideband().clone(), ..ClientOptions::default() };
        let (guest, is_encrypted) = (Guest::of(&stream), stream.is_encrypted());
        let (caller, carrier): (TrackerCaller, _) = wire::client(stream, options);
        let carrier = context.while_welcome(guest, carrier);
        let carrier = jobs::spawn(async move {
            carrier.await.unwrap_or_else(|refusal| LinkEnd::Failed(Arc::new(refusal.into())))
        });
        let advertised = peer.as_ref().and_then(|peer| peer.advertise);
        let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer };
        let answer = caller.hello(hello, CALL_TIMEOUT).await;
        let is_local = address.ip().to_canonical().is_loopback();
        match answer {
            Ok(Ok(welcome)) if welcome.version == PROTOCOL_VERSION => {
                Ok(Session { caller, welcome, is_local, advertised, is_encrypted, carrier })
            }
            Ok(Ok(welcome)) => {
                carrier.abort();
                Err(Trouble::Nonsense(format!("it speaks protocol version {}", welcome.version)))
            }
            Ok(Err(error)) => {
                carrier.abort();
                Err(error.into())
            }
            Err(CallError::Closed) => {
                let end = carrier.await;
                if let Ok(LinkEnd::Failed(error)) = &end {
                    note_if_revoked(context, address, error);
                }
                match end {
                    // A tracker that requires TLS says nothing at all to a caller without it.
                    Ok(end) if !is_encrypted && is_hung_up(&end) => Err(Trouble::Barred(
                        "connection closed before hello: the tracker may require TLS".to_owned(),
                        JOIN,
                    )),
                    end => Err(ended(end)),
                }
            }
            Err(error) => {
                carrier.abort();
                Err(error.into())
            }
        }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.carrier.is_finished()
    }

    /// Waits until the connection has ended, and returns why.
    pub(crate) async fn ended(&mut self) -> Trouble {
        ended((&mut self.carrier).await)
    }
}

/// A revoked machine hears it from the tracker that refuses it: it gets no list any more.
fn note_if_revoked(context: &Context, tracker: SocketAddr, error: &io::Error) {
    if refusal_in(error).is_some_and(Refusal::is_of_revoked) {
        context.membership.failed(identity::Trouble {
            message: format!("the tracker at {tracker} says that this machine's certificate was revoked"),
            hint: Some("join with a new token (`ttctl ca token` on the tracker's machine)".to_owned()),
        });
    }
}

/// Whether the other side closed the connection without a word.
fn is_hung_up(end: &LinkEnd) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    match end {
        LinkEnd::Closed => true,
        LinkEnd::Failed(error) if refusal_in(error).is_none() => {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
        }
        _ => false,
    }
}

/// The refusal because of which a connection failed, if there was one.
fn refusal_in(error: &io::Error) -> Option<&Refusal> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>())
}

pub(super) fn ended(end: Result<LinkEnd, tokio::task::JoinError>) -> Trouble {
    match end {
        Ok(LinkEnd::Malformed(what)) => Trouble::Nonsense(format!("protocol error: {what}")),
        Ok(LinkEnd::Closed) => Trouble::Unreachable("connection closed".to_owned()),
        Ok(LinkEnd::Failed(error)) => match refusal_in(&error) {
            Some(refusal) => refusal.clone().into(),
            None => Trouble::Unreachable(LinkEnd::Failed(error).to_string()),
        },
        Ok(end) => Trouble::Unreachable(end.to_string()),
        Err(error) => Trouble::Unreachable(error.to_string()),
    }
}

pub(super) async fn resolve(url: &TrackerUrl) -> Result<Vec<SocketAddr>, Trouble> {
    let lookup = tokio::net::lookup_host((url.host(), url.port()));
    match tokio::time::timeout(CALL_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => Ok(addresses.take(ADDRESSES_MAX).collect()),
        Ok(Err(error)) => {
            Err(Trouble::Unreachable(format!("cannot resolve {}: {}", url.host(), io_error(&error))))
        }
        Err(_) => Err(Trouble::Unreachable(format!("resolving {} timed out", url.host()))),
    }
}

/// The addresses that we may dial among those that a tracker named. A tracker on another machine cannot make us dial
/// services of this one.
pub(super) fn dialable(peers: impl Iterator<Item = SocketAddr>, tracker_is_local: bool) -> Vec<PeerAddr> {
    let fits = |addr: &SocketAddr| {
        let ip = addr.ip();
        let broadcast = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
        addr.port() != 0
            && !ip.is_unspecified()
            && !ip.is_multicast()
            && !broadcast
            && (tracker_is_local || !ip.is_loopback())
    };
    peers.map(|addr| SocketAddr::new(addr.ip().to_canonical(), addr.port())).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_listen_on_is_not_dialled() {
        let named = [
            "10.0.0.1:7987",
            "10.0.0.1:0",
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "127.0.0.1:22",
            "[::1]:22",
            "[::ffff:127.0.0.1]:22",
            "[ff02::1]:1",
            "[fd00::1]:1",
        ];
        let named = || named.iter().map(|text| text.parse().unwrap());
        let texts = |peers: Vec<SocketAddr>| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(dialable(named(), false)), ["10.0.0.1:7987", "[fd00::1]:1"]);
        assert_eq!(
            texts(dialable(named(), true)),
            ["10.0.0.1:7987", "127.0.0.1:22", "[::1]:22", "127.0.0.1:22", "[fd00::1]:1"]
        );
    }
}
