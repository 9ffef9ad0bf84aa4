//! The connections to other machines: dialing, accepting, and the bytes. All peers and trackers are reached through
//! here, so that a test can put streams in memory in the place of TCP.

use crate::identity::Membership;
#[cfg(test)]
use crate::whole::cable::{Cable, CableListener, Cables};
use shared::host::config::Dscp;
use shared::host::doors::Doors;
use shared::rpc::wire::{self, Batched, Gather};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// How other machines are reached: what carries the connections, and with what they begin.
#[derive(Debug, Clone)]
pub struct Ways {
    /// What carries the connections that we make.
    pub network: Network,
    /// Whether connections are encrypted, and who we are.
    pub doors: watch::Receiver<Arc<Doors>>,
    /// What is kept of who we are.
    pub membership: Arc<Membership>,
}

impl From<Network> for Ways {
    /// Without TLS.
    fn from(network: Network) -> Ways {
        Ways { network, doors: watch::channel(Arc::new(Doors::open())).1, membership: Arc::default() }
    }
}

/// What carries the connections.
#[derive(Debug, Clone)]
pub enum Network {
    /// TCP of this machine.
    System,
    /// Streams in memory.
    #[cfg(test)]
    Cables(Arc<Cables>),
}

impl Network {
    /// Connects to `to`, from the address `from` if it is given. It waits as long as the network does.
    ///
    /// # Errors
    /// When the address cannot be used, or nobody accepts.
    pub async fn connect(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<Stream> {
        match self {
            Network::System => {
                let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                if let Some(from) = from {
                    socket.bind(SocketAddr::new(from, 0))?;
                }
                Ok(Stream::Plain(socket.connect(to).await?))
            }
            #[cfg(test)]
            Network::Cables(cables) => {
                let from = from.expect("a machine of a world has one address and dials others");
                cables.connect(from, to).await.map(Stream::Cable)
            }
        }
    }
}

/// Where other machines are accepted.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port of this machine.
    Tcp(TcpListener),
    /// A port in memory.
    #[cfg(test)]
    Cable(CableListener),
}

impl Listener {
    /// Waits for a connection. Returns it with the other side's address. No connection is lost if the future is dropped
    /// before.
    ///
    /// # Errors
    /// When the system cannot accept, for example for lack of descriptors.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Listener::Tcp(listener) => {
                listener.accept().await.map(|(stream, from)| (Stream::Plain(stream), from))
            }
            #[cfg(test)]
            Listener::Cable(listener) => {
                listener.accept().await.map(|(cable, from)| (Stream::Cable(cable), from))
            }
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP, read as the bytes come.
    Plain(TcpStream),
    /// TCP whose bodies are read in large pieces.
    Bulk(Batched),
    /// A stream in memory.
    #[cfg(test)]
    Cable(Cable),
}

impl Stream {
    /// Sets the options of the connection, see [`wire::tune`].
    ///
    /// # Errors
    /// When the system refuses an option. The connection works all the same, only less well.
    pub fn tune(&self, bulk: bool) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => wire::tune(stream, bulk),
            Stream::Bulk(stream) => wire::tune(stream.get_ref(), bulk),
            #[cfg(test)]
            Stream::Cable(_) => Ok(()),
        }
    }

    /// Marks its packets, see [`wire::mark`].
    ///
    /// # Errors
    /// When the system refuses it. The connection works all the same.
    pub fn mark(&self, dscp: Dscp) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => wire::mark(stream, dscp.codepoint()),
            Stream::Bulk(stream) => wire::mark(stream.get_ref(), dscp.codepoint()),
            #[cfg(test)]
            Stream::Cable(_) => Ok(()),
        }
    }

    /// The same connection, read in large pieces where that saves something.
    pub fn batched(self) -> Stream {
        match self {
            Stream::Plain(stream) => Stream::Bulk(Batched::new(stream)),
            other => other,
        }
    }
}

/// Calls the method of the stream that it is.
macro_rules! on_stream {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Plain($io) => $call,
            Stream::Bulk($io) => $call,
            #[cfg(test)]
            Stream::Cable($io) => $call,
        }
    };
}

impl Gather for Stream {
    fn expect(&mut self, missing: usize) {
        if let Stream::Bulk(stream) = self {
            stream.expect(missing);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        on_stream!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A chunk's head and body leave in one system call only if each layer passes on vectored writes.
    #[tokio::test]
    async fn several_slices_leave_in_one_write_on_each_kind_of_stream() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (to, listener) = (port.local_addr().unwrap(), Listener::Tcp(port));
        for is_batched in [false, true] {
            let dialed = Network::System.connect(Some(to.ip()), to).await.unwrap();
            let (mut accepted, from) = listener.accept().await.unwrap();
            assert_eq!(from.ip(), to.ip());
            let mut dialed = if is_batched { dialed.batched() } else { dialed };
            dialed.tune(true).unwrap();
            assert!(dialed.is_write_vectored());
            let slices = [IoSlice::new(b"head"), IoSlice::new(b""), IoSlice::new(b"body")];
            assert_eq!(dialed.write_vectored(&slices).await.unwrap(), 8);
            let mut read = [0; 8];
            accepted.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"headbody");
        }
    }
}
