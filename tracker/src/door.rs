//! The tracker's door: which callers are let in, and who they are.
//!
//! A caller from outside of `allow_networks` is disconnected before anything is read from it. The others make a TLS
//! handshake where that is configured, few at a time. What the caller may do then is decided in `rights`.

use ca::CRL;
use shared::host::certificates::Places;
use shared::host::config::{Network, TrackerConfig};
use shared::host::doors::Doors;
use shared::host::guard::{Guest, while_welcome};
use shared::host::handshakes::Handshakes;
use shared::host::refused::{Counts, Refused};
use shared::identity::Role;
use shared::rpc::tls::{Refusal, Secured};
use shared::rpc::wire::{LinkEnd, Sideband};
use shared::tls_mode::TlsMode;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// The roles that may call a tracker.
const CALLERS: &[Role] = &[Role::Peer, Role::Operator];

/// The door.
#[derive(Debug)]
pub(crate) struct Door {
    doors: watch::Receiver<Arc<Doors>>,
    allowed: RwLock<Allowed>,
    handshakes: Handshakes,
    refused: Refused,
}

/// What the configuration says of callers before they have said anything.
#[derive(Debug, Default)]
struct Allowed {
    /// Empty: all networks.
    networks: Vec<Network>,
    /// Whether a caller without a certificate may come in to ask for one.
    strangers: bool,
}

impl Door {
    /// A door with what `doors` has at each moment.
    pub(crate) fn new(config: &TrackerConfig, doors: watch::Receiver<Arc<Doors>>) -> Door {
        let door = Door {
            doors,
            allowed: RwLock::default(),
            handshakes: Handshakes::default(),
            refused: Refused::new("the status"),
        };
        door.configure(config);
        door
    }

    /// From now on this configuration counts for new callers.
    pub(crate) fn configure(&self, config: &TrackerConfig) {
        let allowed = Allowed { networks: config.allow_networks.clone(), strangers: config.ca.is_some() };
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    /// Whether a caller at this address may connect. One that may not is counted.
    pub(crate) fn admits(&self, caller: IpAddr) -> bool {
        let is_admitted = {
            let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
            allowed.networks.is_empty() || allowed.networks.iter().any(|network| network.contains(caller))
        };
        if !is_admitted {
            self.refused.network(caller);
        }
        is_admitted
    }

    /// Lets a caller in; the connection says who it is. `None` if it is refused, which is counted. Without TLS nothing
    /// is waited for.
    pub(crate) async fn enter<S>(&self, io: S, caller: IpAddr, sideband: Sideband) -> Option<Entered<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let doors = self.doors.borrow().clone();
        let how = doors.accepting(CALLERS, self.lets_strangers_in());
        match self.handshakes.accept(io, &how, sideband).await {
            Ok(connection) => {
                let is_stranger = doors.mode == TlsMode::Require && connection.who().is_none();
                Some(Entered { connection, is_stranger })
            }
            Err(refusal) => {
                self.refused.caller(caller, &refusal);
                None
            }
        }
    }

    /// Serves a caller until the connection ends, or until it would not be let in any more: its certificate was revoked,
    /// or it has none and one is required now. That is counted as well. A stranger may stay: it was let in without one, and
    /// may do nothing but ask for it.
    pub(crate) async fn while_welcome(
        &self,
        caller: IpAddr,
        guest: Guest,
        is_stranger: bool,
        serving: impl Future<Output = LinkEnd>,
    ) -> Option<LinkEnd> {
        match while_welcome(self.doors.clone(), guest, is_stranger, serving).await {
            Ok(end) => Some(end),
            Err(refusal) => {
                self.refused.caller(caller, &refusal);
                None
            }
        }
    }

    /// What connections are accepted with, in one line; `None` where TLS is off.
    pub(crate) fn line(&self) -> Option<Arc<str>> {
        let doors = self.doors.borrow();
        (doors.mode != TlsMode::Off).then(|| doors.line.clone())
    }

    /// How many callers were refused since the start.
    pub(crate) fn refused(&self) -> Counts {
        self.refused.counts()
    }

    /// Notes a stranger that asked for something else than a certificate, and got nothing.
    fn overreached(&self, stranger: &Stranger) {
        let why = if stranger.is_encrypted { Refusal::NoCertificate } else { Refusal::Plain };
        self.refused.caller(stranger.caller, &why);
    }

    fn lets_strangers_in(&self) -> bool {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner).strangers
    }
}

/// A caller that was let in.
#[derive(Debug)]
pub(crate) struct Entered<S> {
    /// Its connection, encrypted or not, with who it is.
    pub(crate) connection: Secured<S>,
    /// Whether it has no certificate where one is required, and was let in only to ask for one.
    pub(crate) is_stranger: bool,
}

/// A caller without a certificate where one is required. It was let in only to ask for one.
#[derive(Debug)]
pub(crate) struct Stranger {
    door: Arc<Door>,
    caller: IpAddr,
    is_encrypted: bool,
    /// Whether it has asked for something else. It counts as refused once.
    has_overreached: AtomicBool,
}

impl Stranger {
    /// One that came in by this door.
    pub(crate) fn new(door: Arc<Door>, caller: IpAddr, is_encrypted: bool) -> Stranger {
        Stranger { door, caller, is_encrypted, has_overreached: AtomicBool::new(false) }
    }

    /// Notes that it asks for something else than a certificate.
    pub(crate) fn overreaches(&self) {
        if !self.has_overreached.swap(true, Ordering::Relaxed) {
            self.door.overreached(self);
        }
    }
}

/// Where the configuration says that the certificate files are.
pub(crate) fn places(config: &TrackerConfig) -> Places {
    Places {
        identity: config.tls_identity.clone(),
        authorities: config.tls_ca.clone(),
        revoked: config.tls_crl.clone().or_else(|| config.ca.as_ref().map(|dir| dir.join(CRL))),
    }
}
