//! Clients that dial and never say anything.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Connections that say nothing. If the other side closes one, it is opened again. Dropping this closes them.
#[derive(Debug)]
pub struct Silent {
    _runtime: Runtime,
}

impl Silent {
    /// Holds `many` connections with a daemon.
    pub fn hold(addr: SocketAddr, many: usize) -> Silent {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        (0..many).for_each(|_| drop(runtime.spawn(say_nothing(addr))));
        Silent { _runtime: runtime }
    }
}

async fn say_nothing(addr: SocketAddr) {
    loop {
        match TcpStream::connect(addr).await {
            Ok(mut stream) => {
                let _ = stream.set_zero_linger(); // frees the port at once, since ports are few
                let _ = stream.read(&mut [0]).await;
            }
            Err(_) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}
