//! The options of TCP sockets.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Limits the unsent bytes that the kernel holds for a bulk connection; further writes wait. Bytes in the kernel cannot
/// be taken back, and we cannot tell whether they have arrived. 128 KiB keep a link of 10 Gbit/s busy for 0.1 ms, in
/// which we write more.
const NOT_SENT_BYTES_MAX: u32 = 128 << 10;

/// Sets the options of our connections, on either side: no delay for small frames; a probe after 30 s of silence, so
/// that a dead machine is noticed after about a minute; and on `bulk` connections a short queue in the kernel.
///
/// # Errors
/// When the system refuses an option. The connection works all the same, only less well.
pub fn tune(stream: &TcpStream, bulk: bool) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let probes =
        TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    socket.set_tcp_keepalive(&probes.with_retries(3))?;
    #[cfg(target_os = "linux")]
    if bulk {
        socket.set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)?;
    }
    Ok(())
}

/// Marks the packets of a connection with a codepoint of differentiated services (DSCP), 0 to 63. Packets to an IPv4 address
/// are also marked if the socket is one of IPv6.
///
/// # Errors
/// When the system refuses it. The connection works all the same.
pub fn mark(stream: &TcpStream, dscp: u8) -> io::Result<()> {
    let socket = SockRef::from(stream);
    // The two low bits are for congestion notification, and TCP sets them itself.
    let byte = u32::from(dscp) << 2;
    if stream.local_addr()?.is_ipv6() {
        socket.set_tclass_v6(byte)?;
    }
    socket.set_tos_v4(byte)
}

/// Sets the congestion control of the connections that this listener accepts, by the kernel's name for it. The
/// accepting side is the side that sends chunks.
///
/// # Errors
/// When the kernel does not have it, or does not allow it to this user (`net.ipv4.tcp_allowed_congestion_control`).
pub fn set_congestion_control(listener: &TcpListener, name: &str) -> io::Result<()> {
    SockRef::from(listener).set_tcp_congestion(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_accepted_has_the_listeners_congestion_control() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        set_congestion_control(&listener, "reno").unwrap(); // every kernel has it
        let _dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(SockRef::from(&accepted).tcp_congestion().unwrap().starts_with(b"reno"));
        assert!(set_congestion_control(&listener, "no_such_one").is_err());
    }

    /// What the socket says of its marks, as IPv4 and as IPv6.
    fn marks(stream: &TcpStream) -> (u32, Option<u32>) {
        let socket = SockRef::from(stream);
        let is_v6 = stream.local_addr().unwrap().is_ipv6();
        (socket.tos_v4().unwrap() >> 2, is_v6.then(|| socket.tclass_v6().unwrap() >> 2))
    }

    #[tokio::test]
    async fn both_sides_of_a_connection_are_marked_over_either_protocol() {
        let both = crate::rpc::listen("[::]:0".parse().unwrap()).unwrap();
        let port = both.local_addr().unwrap().port();
        let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // A kernel without IPv6 has the first listener on IPv4, and only that.
        let mut ways = vec![(&v4, v4.local_addr().unwrap()), (&both, ([127, 0, 0, 1], port).into())];
        if both.local_addr().unwrap().is_ipv6() {
            ways.push((&both, (std::net::Ipv6Addr::LOCALHOST, port).into()));
        }
        for (listener, to) in ways {
            let dialed = TcpStream::connect(to).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            for stream in [&dialed, &accepted] {
                assert_eq!(marks(stream).0, 0, "without a mark");
                for dscp in [8, 46, 1, 63, 0] {
                    mark(stream, dscp).unwrap();
                    let marked = u32::from(dscp);
                    let (as_v4, as_v6) = marks(stream);
                    assert_eq!((as_v4, as_v6.unwrap_or(marked)), (marked, marked), "{to}");
                }
            }
        }
    }
}
