//! The side that was called.

use super::below::Below;
use super::common::HANDSHAKE_TIMEOUT;
use super::read::node_of;
use super::refusal::{CertificateFault, Refusal};
use super::replay::Replay;
use super::secured::Secured;
use super::setup::Setup;
use crate::identity::{Node, Role};
use crate::rpc::wire::Sideband;
use crate::tls_mode::TlsMode;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

/// The first byte of a TLS connection: a record with a message of the handshake. A frame of ours begins with the highest
/// byte of a length below 16 MiB, which is 0.
const HANDSHAKE: u8 = 22;

/// What is said to a caller when TLS is required and we have no usable certificate: a fatal alert, `internal_error`.
const CANNOT: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// How long, and for how many bytes, a refused caller is listened to. A connection that is closed while bytes wait on it
/// is reset, and the reset overtakes the alert that says why.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES_MAX: u64 = 64 << 10;

/// How callers are accepted.
#[derive(Debug, Clone, Default)]
pub struct Accepting {
    /// Whether they must, may or cannot speak TLS.
    pub mode: TlsMode,
    /// What we bring to the connection. `None` while there is nothing usable.
    pub setup: Option<Arc<Setup>>,
    /// Why there is no setup, if something is wrong.
    pub fault: Option<Arc<str>>,
    /// The roles of which a caller must have one, if it shows a certificate.
    pub callers: &'static [Role],
    /// Whether a caller may show no certificate even if TLS is required, because it is about to ask for one. It may begin
    /// without TLS, too: it asks for the authority, and then comes back with that.
    pub may_be_unknown: bool,
}

impl Accepting {
    fn server(&self) -> Option<&Arc<rustls::ServerConfig>> {
        let without_certificate = self.may_be_unknown || self.mode != TlsMode::Require;
        self.setup.as_ref().filter(|_| self.mode != TlsMode::Off)?.server(without_certificate)
    }
}

/// Finds out from a caller's first byte whether it speaks TLS, and makes the connection that it may have.
///
/// The sideband is that of the connection; it must have been given to an [`Ahead`](crate::rpc::wire::Ahead) below, if
/// there is one. A caller that shows no certificate is let in where `how` allows it:
/// [`Secured::who`] says who it is. No more than 64 KiB are held for a caller before it is let in.
///
/// # Errors
/// Why the caller was refused. It is told by an alert, if it speaks TLS.
pub async fn accept<S>(io: S, how: &Accepting, sideband: Sideband) -> Result<Secured<S>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut io = Replay::new(io);
    let first = match timeout(HANDSHAKE_TIMEOUT, io.peek()).await {
        Ok(first) => first.map_err(|error| Refusal::Failed(Arc::new(error)))?,
        Err(_) => return Err(Refusal::TimedOut),
    };
    match (first, how.server()) {
        (None, _) => Err(Refusal::Closed),
        (Some(HANDSHAKE), Some(server)) => {
            let acceptor = TlsAcceptor::from(server.clone());
            let shaking = shake(acceptor, Below::new(io, sideband.clone()), how, sideband);
            timeout(HANDSHAKE_TIMEOUT, shaking).await.unwrap_or(Err(Refusal::TimedOut))
        }
        (Some(HANDSHAKE), None) if how.mode == TlsMode::Require => {
            let _ = timeout(LINGER, io.write_all(&CANNOT)).await;
            linger(&mut io).await;
            Err(Refusal::NoIdentity(how.fault.clone()))
        }
        (Some(HANDSHAKE), None) => Err(Refusal::NotReady),
        (Some(_), _) if how.mode == TlsMode::Require && !how.may_be_unknown => Err(Refusal::Plain),
        (Some(_), _) => Ok(Secured::plain(io, sideband)),
    }
}

/// Makes the handshake, and judges the certificate that it brought.
async fn shake<S>(
    acceptor: TlsAcceptor,
    io: Below<S>,
    how: &Accepting,
    sideband: Sideband,
) -> Result<Secured<S>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let role = how.callers.first().copied().unwrap_or(Role::Peer);
    match acceptor.accept(io).into_fallible().await {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let who = shown.map(|certificate| caller(certificate, how)).transpose()?;
            Ok(Secured::tls(TlsStream::Server(stream), who, role, sideband))
        }
        Err((error, mut io)) => {
            linger(&mut io).await;
            Err(Refusal::of(error, role))
        }
    }
}

/// Whose certificate it is, if that one may call us.
fn caller(certificate: &CertificateDer<'_>, how: &Accepting) -> Result<Node, Refusal> {
    let node = node_of(certificate).map_err(CertificateFault::from).map_err(Refusal::Certificate)?;
    match how.callers.first() {
        Some(due) if !how.callers.iter().any(|role| node.roles.contains(role)) => {
            Err(Refusal::Certificate(CertificateFault::Role(*due)))
        }
        _ => Ok(node),
    }
}

/// Lets a refused caller read why.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S) {
    let reading = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    let _ = timeout(LINGER, reading).await;
}
