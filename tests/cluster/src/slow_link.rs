//! A slow network path between two processes: forwards connections and delays each byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many pieces of at most [`PIECE_BYTES`] are delayed at once in each direction; then the sender waits.
const PIECES_MAX: usize = 64;
const PIECE_BYTES: usize = 64 << 10;

/// Forwards connections to a daemon until it is dropped.
pub struct SlowLink {
    addr: SocketAddr,
    to: Arc<OnceLock<SocketAddr>>,
    _runtime: Runtime,
}

impl SlowLink {
    /// Starts one on a free port of 127.0.0.1 that delays every byte by `delay` in each direction.
    pub fn start(delay: Duration) -> SlowLink {
        SlowLink::start_at((Ipv4Addr::LOCALHOST, 0).into(), delay)
    }

    /// Starts one at this address, which must be free.
    pub fn start_at(addr: SocketAddr, delay: Duration) -> SlowLink {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(addr)).expect("a free port");
        let addr = listener.local_addr().expect("it listens");
        let to = Arc::new(OnceLock::new());
        runtime.spawn(accept(listener, to.clone(), delay));
        SlowLink { addr, to, _runtime: runtime }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets the target. Until then connections are closed.
    pub fn lead_to(&self, addr: SocketAddr) {
        self.to.set(addr).expect("it leads to one place");
    }
}

async fn accept(listener: TcpListener, to: Arc<OnceLock<SocketAddr>>, delay: Duration) {
    while let Ok((near, _)) = listener.accept().await {
        let Some(&to) = to.get() else { continue };
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(to).await else { return };
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            // When one direction ends, the other is ended too.
            tokio::select! {
                () = carry(from_near, to_far, delay) => {}
                () = carry(from_far, to_near, delay) => {}
            }
        });
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let read = async move {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut piece).await {
            if sender.send((Instant::now() + delay, piece[..bytes].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = under_way.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
