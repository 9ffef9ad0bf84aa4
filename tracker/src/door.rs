//! The tracker's door: which callers are let in, and who they are.
//!
//! A caller from outside of `allow_networks` is disconnected before anything is read from it. The others make a TLS
//! handshake where that is configured, few at a time. What the caller may do then is decided in `rights`.

use crate::refused::{Counts, Refused};
use ca::CRL;
use shared::host::certificates::Places;
use shared::host::config::{Network, TrackerConfig};
use shared::host::doors::Doors;
use shared::host::guard::{Guest, while_welcome};
use shared::identity::Role;
use shared::rpc::tls::{self, HANDSHAKE_TIMEOUT, Refusal, Secured};
use shared::rpc::wire::{LinkEnd, Sideband};
use shared::tls_mode::TlsMode;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Limits the handshakes at once. More callers wait; the pool of connections limits how many.
const HANDSHAKES_MAX: usize = 64;

/// How long a handshake keeps its place while others wait for one. An honest caller needs two ways through the network
/// and some milliseconds.
const KEEPS_PLACE: Duration = Duration::from_secs(1);

/// The roles that may call a tracker.
const CALLERS: &[Role] = &[Role::Peer, Role::Operator];

/// The door.
#[derive(Debug)]
pub(crate) struct Door {
    doors: watch::Receiver<Arc<Doors>>,
    allowed: RwLock<Allowed>,
    places: Semaphore,
    /// The number of callers that wait for a place.
    waiting: AtomicUsize,
    /// Wakes the handshakes when a caller begins to wait.
    crowded: Notify,
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
            places: Semaphore::new(HANDSHAKES_MAX),
            waiting: AtomicUsize::new(0),
            crowded: Notify::new(),
            refused: Refused::new(),
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
        if doors.mode == TlsMode::Off {
            return Some(Entered { connection: Secured::unsecured(io, sideband), is_stranger: false });
        }
        match self.shake(io, &doors, sideband).await {
            Ok(connection) => {
                let is_stranger = doors.mode == TlsMode::Require && connection.who().is_none();
                Some(Entered { connection, is_stranger })
            }
            Err(refusal) => {
                self.refused.handshake(caller, &refusal);
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
                self.refused.handshake(caller, &refusal);
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

    /// Makes a handshake once there is a place for it.
    async fn shake<S>(&self, io: S, doors: &Doors, sideband: Sideband) -> Result<Secured<S>, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = Instant::now();
        let how = doors.accepting(CALLERS, self.lets_strangers_in());
        let shaking = async {
            let place = match self.places.try_acquire() {
                Ok(place) => Some(place),
                Err(_) => self.wait_for_place().await,
            };
            let Some(_place) = place else { return Err(Refusal::TimedOut) };
            tokio::select! {
                entered = tls::accept(io, &how, sideband) => entered,
                () = self.place_is_needed() => Err(Refusal::TimedOut),
            }
        };
        timeout_at(begun + HANDSHAKE_TIMEOUT, shaking).await.unwrap_or(Err(Refusal::TimedOut))
    }

    fn lets_strangers_in(&self) -> bool {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner).strangers
    }

    async fn wait_for_place(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let _waiting = Waiting::begin(self);
        self.places.acquire().await.ok()
    }

    /// Returns when a handshake has had its time and others wait.
    async fn place_is_needed(&self) {
        sleep_until(Instant::now() + KEEPS_PLACE).await;
        loop {
            let crowded = self.crowded.notified();
            if self.waiting.load(Ordering::SeqCst) > 0 {
                return;
            }
            crowded.await;
        }
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

/// A caller that waits for a place, until this is dropped.
struct Waiting<'a>(&'a Door);

impl Waiting<'_> {
    fn begin(door: &Door) -> Waiting<'_> {
        door.waiting.fetch_add(1, Ordering::SeqCst);
        door.crowded.notify_waiters();
        Waiting(door)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
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
