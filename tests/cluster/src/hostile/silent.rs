//! Clients that dial and never say anything, or only begin to.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const TRY_AGAIN: Duration = Duration::from_millis(100);

/// How a TLS handshake begins: the head of a record, whose rest never comes.
const BEGIN_OF_HANDSHAKE: &[u8] = &[22, 3, 1, 0x3f];

/// Connections that say nothing more. If the other side closes one, it is opened again. Dropping this closes them.
#[derive(Debug)]
pub struct Silent {
    _runtime: Runtime,
}

impl Silent {
    /// Holds `many` connections with a daemon.
    pub fn hold(addr: SocketAddr, many: usize) -> Silent {
        Silent::hold_after(addr, many, &[], Duration::ZERO)
    }

    /// Holds `many` connections that have begun a TLS handshake. Each comes back a second after it was closed.
    pub fn hold_in_handshake(addr: SocketAddr, many: usize) -> Silent {
        Silent::hold_after(addr, many, BEGIN_OF_HANDSHAKE, Duration::from_secs(1))
    }

    fn hold_after(addr: SocketAddr, many: usize, begin: &'static [u8], pause: Duration) -> Silent {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        (0..many).for_each(|_| drop(runtime.spawn(say_nothing(addr, begin, pause))));
        Silent { _runtime: runtime }
    }
}

async fn say_nothing(addr: SocketAddr, begin: &[u8], pause: Duration) {
    loop {
        match TcpStream::connect(addr).await {
            Ok(mut stream) => {
                let _ = stream.set_zero_linger(); // frees the port at once, since ports are few
                let _ = stream.write_all(begin).await;
                let _ = stream.read(&mut [0]).await;
                drop(stream);
                tokio::time::sleep(pause).await;
            }
            Err(_) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}
