//! A connection, encrypted or not.

use super::below::{Below, RECORD_EXTRA_BYTES};
use super::refusal::Refusal;
use super::replay::Replay;
use super::shown::Shown;
use crate::identity::{Node, Role};
use crate::rpc::wire::Sideband;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

/// How many bytes rustls takes before it must have passed some on. More than one record at a time saves system calls.
pub(super) const SEND_BYTES_MAX: usize = 256 << 10;

/// The largest payload of a record.
const RECORD_BYTES_MAX: u64 = 16 << 10;

/// A connection, encrypted or not. The transport runs on it as on any other stream.
///
/// That the other side goes away without the farewell of TLS is an ordinary end here: frames have a length, so a frame
/// that was cut off is noticed anyway.
#[derive(Debug)]
pub struct Secured<S>(Inner<S>);

#[derive(Debug)]
enum Inner<S> {
    Plain(Replay<S>, Sideband),
    Tls(Box<Encrypted<S>>),
}

#[derive(Debug)]
struct Encrypted<S> {
    stream: TlsStream<Below<S>>,
    who: Option<Node>,
    /// The role that the other side has, for the words of an error.
    role: Role,
    sideband: Sideband,
    /// The encrypted bytes that rustls has and the socket has not taken.
    held: u64,
}

impl<S> Secured<S> {
    pub(super) fn plain(stream: Replay<S>, sideband: Sideband) -> Secured<S> {
        Secured(Inner::Plain(stream, sideband))
    }

    /// A connection whose handshake is over.
    pub(super) fn tls(
        mut stream: TlsStream<Below<S>>,
        who: Option<Node>,
        role: Role,
        sideband: Sideband,
    ) -> Secured<S> {
        match &mut stream {
            TlsStream::Client(stream) => stream.get_mut().1.set_buffer_limit(Some(SEND_BYTES_MAX)),
            TlsStream::Server(stream) => stream.get_mut().1.set_buffer_limit(Some(SEND_BYTES_MAX)),
        }
        Secured(Inner::Tls(Box::new(Encrypted { stream, who, role, sideband, held: 0 })))
    }

    /// A connection without TLS, of which nothing was read.
    pub fn unsecured(io: S, sideband: Sideband) -> Secured<S> {
        Secured::plain(Replay::new(io), sideband)
    }

    /// The sideband of the connection. The client or server above it gets the same one.
    pub fn sideband(&self) -> &Sideband {
        match &self.0 {
            Inner::Plain(_, sideband) => sideband,
            Inner::Tls(encrypted) => &encrypted.sideband,
        }
    }

    /// Who is at the other side, by a certificate that was verified. `None` if the connection is not encrypted, or if the
    /// caller showed none.
    pub fn who(&self) -> Option<&Node> {
        match &self.0 {
            Inner::Plain(..) => None,
            Inner::Tls(encrypted) => encrypted.who.as_ref(),
        }
    }

    /// The certificate by which that is known. It may be revoked while the connection lasts.
    pub fn shown(&self) -> Option<Shown> {
        match &self.0 {
            Inner::Plain(..) => None,
            Inner::Tls(encrypted) => {
                let chain = encrypted.stream.get_ref().1.peer_certificates()?;
                chain.first().map(Shown::new)
            }
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.0, Inner::Tls(_))
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        match &self.0 {
            Inner::Plain(stream, _) => stream.get_ref(),
            Inner::Tls(encrypted) => encrypted.stream.get_ref().0.get_ref(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Encrypted<S> {
    /// Notes what rustls took and what the socket took of it, and tells the transport what is in between.
    ///
    /// rustls does not say how much it has. The number is calculated from the payload, and is exact at the latest when
    /// nothing is left.
    fn note(&mut self, taken: u64) {
        let (below, common) = match &mut self.stream {
            TlsStream::Client(stream) => {
                let (below, connection) = stream.get_mut();
                (below, connection.wants_write())
            }
            TlsStream::Server(stream) => {
                let (below, connection) = stream.get_mut();
                (below, connection.wants_write())
            }
        };
        self.held += taken + taken.div_ceil(RECORD_BYTES_MAX) * RECORD_EXTRA_BYTES;
        self.held = self.held.saturating_sub(below.take_written());
        if !common {
            self.held = 0;
        }
        self.sideband.set_held(self.held);
    }

    fn noted(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.note(if let Poll::Ready(Ok(bytes)) = polled { bytes as u64 } else { 0 });
        polled.map_err(|error| self.explained(error))
    }

    /// An error in words that say what it means. None of them is the other side's breach of our protocol: whoever is in
    /// between can garble bytes, too.
    fn explained(&self, error: io::Error) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            return Refusal::of(error, self.role).into();
        }
        error
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream, _) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(encrypted) => match Pin::new(&mut encrypted.stream).poll_read(cx, buf) {
                // It went without a farewell.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled.map_err(|error| encrypted.explained(error)),
            },
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            Inner::Tls(encrypted) => {
                let polled = Pin::new(&mut encrypted.stream).poll_write(cx, bytes);
                encrypted.noted(polled)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream, _) => Pin::new(stream).poll_write_vectored(cx, slices),
            Inner::Tls(encrypted) => {
                let polled = Pin::new(&mut encrypted.stream).poll_write_vectored(cx, slices);
                encrypted.noted(polled)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Plain(stream, _) => stream.is_write_vectored(),
            Inner::Tls(encrypted) => encrypted.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream, _) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(encrypted) => {
                let polled = Pin::new(&mut encrypted.stream).poll_flush(cx);
                encrypted.note(0);
                polled.map_err(|error| encrypted.explained(error))
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(encrypted) => {
                let polled = Pin::new(&mut encrypted.stream).poll_shutdown(cx);
                encrypted.note(0);
                polled
            }
        }
    }
}
