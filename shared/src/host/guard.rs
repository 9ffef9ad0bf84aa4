//! Ends connections that would not be accepted any more: their certificate was revoked, or TLS is required now and they
//! began without it.

use super::doors::Doors;
use crate::rpc::tls::{CertificateFault, Refusal, Secured, Shown};
use crate::tls_mode::TlsMode;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// What is remembered of the other side of a connection.
#[derive(Debug, Clone)]
pub struct Guest {
    is_encrypted: bool,
    shown: Option<Shown>,
}

impl Guest {
    /// The other side of this connection.
    pub fn of<S: AsyncRead + AsyncWrite + Unpin>(connection: &Secured<S>) -> Guest {
        Guest { is_encrypted: connection.is_encrypted(), shown: connection.shown() }
    }
}

impl Doors {
    /// Why a connection that exists would be refused if it began now. `may_be_unknown` is as in
    /// [`accepting`](Doors::accepting). A certificate that has ended meanwhile is no reason: whoever calls again needs
    /// another one, and until then it is the machine that it was.
    pub fn objection(&self, guest: &Guest, may_be_unknown: bool) -> Option<Refusal> {
        let requires = self.mode == TlsMode::Require;
        match (&guest.shown, &self.setup) {
            (Some(shown), Some(setup)) if self.mode != TlsMode::Off && shown.is_revoked(setup) => {
                Some(Refusal::Certificate(CertificateFault::Revoked))
            }
            (None, _) if !requires || may_be_unknown => None,
            (None, _) if guest.is_encrypted => Some(Refusal::NoCertificate),
            (None, _) => Some(Refusal::Plain),
            _ => None,
        }
    }
}

/// Serves a connection until it ends, or until the doors object to it. Then it is dropped, and the error says why.
///
/// # Errors
/// The objection.
pub async fn while_welcome<T>(
    mut doors: watch::Receiver<Arc<Doors>>,
    guest: Guest,
    may_be_unknown: bool,
    connection: impl Future<Output = T>,
) -> Result<T, Refusal> {
    let unwelcome = async {
        let mut why = None;
        let objects = |doors: &Arc<Doors>| {
            why = doors.objection(&guest, may_be_unknown);
            why.is_some()
        };
        // Without anybody who looks at the files nothing changes any more.
        if doors.wait_for(objects).await.is_err() {
            std::future::pending::<()>().await;
        }
        why
    };
    tokio::select! {
        biased; // a connection that has ended by itself is not accused
        end = connection => Ok(end),
        Some(why) = unwelcome => Err(why),
    }
}
