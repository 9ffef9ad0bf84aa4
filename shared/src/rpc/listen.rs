//! Opens the TCP port of a daemon or a tracker, for IPv6 and IPv4 where the machine has both.

use crate::plain::io_error;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// Limits the connections that wait to be accepted. The system drops further ones, which retry. A whole fleet may
/// reconnect at once after an outage.
const BACKLOG: i32 = 1024;

/// Listens for TCP connections. `[::]` accepts IPv4 as well, and means 0.0.0.0 on a machine without IPv6.
///
/// # Errors
/// When the port is in use or not permitted. The text names the address and says what to do.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let opened = match open(addr) {
        Err(error) if addr.ip().is_unspecified() && addr.is_ipv6() && lacks_ipv6(&error) => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port()))
        }
        opened => opened,
    };
    opened.map_err(|error| io::Error::new(error.kind(), explain(addr, &error)))
}

fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // Lingering connections of a former process must not block the port.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    const EAFNOSUPPORT: i32 = 97;
    matches!(error.kind(), AddrNotAvailable | Unsupported) || error.raw_os_error() == Some(EAFNOSUPPORT)
}

fn explain(addr: SocketAddr, error: &io::Error) -> String {
    let port = addr.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "cannot listen on {addr}: port {port} is already in use (`ss -ltnp` shows by which process)"
            )
        }
        io::ErrorKind::PermissionDenied if port < 1024 => {
            format!("cannot listen on {addr}: ports below 1024 need root; use a higher port")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("cannot listen on {addr}: this machine has no such address")
        }
        _ => format!("cannot listen on {addr}: {}", io_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn one_port_takes_both_families() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let four = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port());
        TcpStream::connect(four).await.unwrap();
        if !addr.is_ipv6() {
            return cluster::skip::skipped("this machine has no IPv6");
        }
        let six = SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), addr.port());
        TcpStream::connect(six).await.unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = listen(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("is already in use ("), "{error}");
    }
}
