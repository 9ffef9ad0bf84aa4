//! Connections that do not come about, because one side does not show the other what it must: counted by kind, and
//! reported in the log once a day for each kind. Whoever knocks can do so a thousand times per second.

use super::bans::Rejections;
use shared::host::certificates::DailyReports;
use shared::rpc::control::Rejection;
use shared::rpc::tls::{CertificateFault, Refusal};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;

/// Limits the handshakes with callers at once. Further callers wait, within the time that they have for hello.
const HANDSHAKES_MAX: usize = 64;

/// The handshakes under way, and the reports of failed ones.
#[derive(Debug)]
pub struct Handshakes {
    /// [`HANDSHAKES_MAX`] permits.
    pub permits: Semaphore,
    reports: Mutex<DailyReports>,
    begun: Instant,
}

impl Default for Handshakes {
    fn default() -> Handshakes {
        Handshakes {
            permits: Semaphore::new(HANDSHAKES_MAX),
            reports: Mutex::default(),
            begun: Instant::now(),
        }
    }
}

/// Which side began a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// They called us.
    Theirs,
    /// We dialled them.
    Ours,
}

impl Handshakes {
    /// Notes that a connection with `peer` was refused. What is no refusal is passed over, such as a host that is away.
    pub fn refused(&self, rejections: &Rejections, side: Side, peer: SocketAddr, why: &Refusal) {
        let Some(kind) = kind(why) else {
            return tracing::debug!(%peer, error = %why, "no connection");
        };
        rejections.count(kind);
        let cause = kind.explain().0;
        let what = match side {
            Side::Theirs => "a caller was refused",
            Side::Ours => "a peer is not asked",
        };
        if self.is_news(cause) {
            tracing::warn!(%peer, error = %why, "{what}; further ones are only counted today, as {cause} in `ttctl peers`");
        } else {
            tracing::debug!(%peer, error = %why, "{what}");
        }
    }

    /// Notes that a caller came from a network from which none is served.
    pub fn outside(&self, rejections: &Rejections, peer: SocketAddr) {
        rejections.count(Rejection::Network);
        if self.is_news(Rejection::Network.explain().0) {
            tracing::warn!(%peer, "a caller was refused: its address is in none of the networks in allow_networks; \
                further ones are only counted today, as network in `ttctl peers`");
        }
    }

    fn is_news(&self, cause: &str) -> bool {
        let now = self.begun.elapsed().as_secs();
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).note(cause, now)
    }
}

/// As what a refusal is counted. `None` if nobody was refused: the other side is away or refused us, or broke off before
/// it had shown anything.
fn kind(why: &Refusal) -> Option<Rejection> {
    Some(match why {
        Refusal::Plain | Refusal::NoTls => Rejection::Plain,
        Refusal::NotReady | Refusal::NoIdentity(_) => Rejection::NotReady,
        Refusal::NoCertificate => Rejection::NoCertificate,
        Refusal::Certificate(fault) => match fault {
            CertificateFault::Expired { .. } | CertificateFault::NotYet { .. } => Rejection::Expired,
            CertificateFault::Foreign => Rejection::Foreign,
            CertificateFault::Revoked => Rejection::Revoked,
            CertificateFault::Role(_) => Rejection::Role,
            CertificateFault::Names(_) | CertificateFault::Other(_) => Rejection::Certificate,
        },
        Refusal::TimedOut | Refusal::Malformed(_) | Refusal::Refused(_) => Rejection::Handshake,
        Refusal::Closed | Refusal::Failed(_) => return None,
    })
}
