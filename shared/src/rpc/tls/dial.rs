//! The side that calls.

use super::below::Below;
use super::common::HANDSHAKE_TIMEOUT;
use super::read::node_of;
use super::refusal::{CertificateFault, Refusal, is_broken_off};
use super::replay::Replay;
use super::secured::Secured;
use super::setup::Setup;
use crate::identity::Role;
use crate::rpc::wire::Sideband;
use crate::tls_mode::TlsMode;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

/// The types of records: whoever begins with another byte speaks no TLS.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;

/// How others are dialled.
#[derive(Debug, Clone, Default)]
pub struct Dialing {
    /// Whether they must, may or cannot speak TLS.
    pub mode: TlsMode,
    /// What we bring to the connection. `None` while there is nothing usable.
    pub setup: Option<Arc<Setup>>,
    /// Why there is no setup, if something is wrong.
    pub fault: Option<Arc<str>>,
}

/// Makes a connection to a machine that must have `role`. `connect` makes a stream and the sideband that it was given; it
/// is called again if the first stream showed that the other side speaks no TLS, and if that is allowed.
///
/// # Errors
/// Why there is no connection. The first error of `connect` is among the reasons.
pub async fn dial<S, F>(
    how: &Dialing,
    role: Role,
    mut connect: impl FnMut() -> F,
) -> Result<Secured<S>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = io::Result<(S, Sideband)>>,
{
    let mut connect = async || connect().await.map_err(|error| Refusal::Failed(Arc::new(error)));
    let setup = match (how.mode, &how.setup) {
        (TlsMode::Off, _) | (TlsMode::Prefer, None) => return plain(connect().await?),
        (TlsMode::Require, None) => return Err(Refusal::NoIdentity(how.fault.clone())),
        (_, Some(setup)) => setup,
    };
    let (io, sideband) = connect().await?;
    let shaking = shake(setup, role, io, sideband);
    match timeout(HANDSHAKE_TIMEOUT, shaking).await.unwrap_or(Err(Refusal::TimedOut)) {
        Err(Refusal::NoTls) if how.mode == TlsMode::Prefer => plain(connect().await?),
        done => done,
    }
}

fn plain<S>((io, sideband): (S, Sideband)) -> Result<Secured<S>, Refusal> {
    Ok(Secured::unsecured(io, sideband))
}

async fn shake<S>(setup: &Setup, role: Role, io: S, sideband: Sideband) -> Result<Secured<S>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(role.dns_name()).expect("the names of roles are DNS names");
    let connector = TlsConnector::from(setup.client().clone());
    let below = Below::new(Replay::new(io), sideband.clone());
    let stream = match connector.connect(name, below).into_fallible().await {
        Ok(stream) => stream,
        Err((error, below)) => {
            let speaks_tls = match below.first() {
                Some(first) => RECORDS.contains(&first),
                None => !is_broken_off(&error),
            };
            return Err(if speaks_tls { Refusal::of(error, role) } else { Refusal::NoTls });
        }
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let who = shown.map(node_of).transpose().map_err(CertificateFault::from).map_err(Refusal::Certificate)?;
    Ok(Secured::tls(TlsStream::Client(stream), who, role, sideband))
}
