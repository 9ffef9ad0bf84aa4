//! The bottom of a connection's layers, directly above the socket: counts the bytes that are received, so that the
//! socket is told how many of a body are still to come.

use super::sideband::Sideband;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A byte stream that may wait for many bytes at once.
pub trait Gather: AsyncRead + AsyncWrite + Unpin {
    /// Called before each read: the other side is bound to send at least `missing` more bytes, without being asked for
    /// them. 0 if that is not known; then the read must end with the first byte.
    fn expect(&mut self, missing: usize);
}

/// Reads each byte as it comes.
impl Gather for TcpStream {
    fn expect(&mut self, _missing: usize) {}
}

/// A stream that is told, before each read, how many bytes of a body are still to come.
#[derive(Debug)]
pub struct Ahead<S> {
    io: S,
    sideband: Sideband,
    /// The number of bytes that were read.
    received: u64,
}

impl<S> Ahead<S> {
    /// Wraps a new connection, of which no byte was read. The client or server above it gets the same sideband.
    pub fn new(io: S, sideband: Sideband) -> Ahead<S> {
        Ahead { io, sideband, received: 0 }
    }
}

impl<S: Gather> AsyncRead for Ahead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        this.io.expect(this.sideband.missing(this.received));
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        this.received += (buf.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl<S: Gather> AsyncWrite for Ahead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
