//! A TCP connection that is read in large pieces.

use super::ahead::Gather;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long bytes of a body may wait in the kernel before they are read, at the rate measured before. Stalls are
/// detected by the bytes that are read, so this is far below the shortest stall (300 ms).
const GATHER: Duration = Duration::from_millis(10);

/// Limits the bytes that are gathered before a read, however fast they come.
const GATHER_BYTES_MAX: usize = 64 << 10;

/// A TCP connection whose reader is not woken for every packet of a body.
///
/// A machine that fetches from sixteen peers gets a few KiB from each in turn, and waking up for each costs more than
/// copying the bytes. So while a body is read, the kernel is told to wake us only when enough bytes are there
/// (`SO_RCVLOWAT`, socket(7)): as many as arrive in 10 ms, at most 64 KiB, and never more than are still to come. How
/// many these are is told from outside, see [`Gather`]. Waiting for one more would be waiting for ever. Heads are read
/// as they come.
#[derive(Debug)]
pub struct Batched {
    stream: TcpStream,
    /// The number of bytes that are certain to come; 0 if that is not known.
    missing: usize,
    /// The number of bytes that the kernel was told to wait for.
    low_water: usize,
    /// The last measured rate of bodies, in bytes per second.
    rate: f64,
    /// The current measurement.
    sample: Option<ReadSample>,
}

#[derive(Debug)]
struct ReadSample {
    begun: Instant,
    bytes: usize,
}

impl Batched {
    /// Wraps a connection.
    pub fn new(stream: TcpStream) -> Batched {
        Batched { stream, missing: 0, low_water: 1, rate: 0.0, sample: None }
    }

    /// The connection, for its options.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Sets the measured rate, in bytes per second.
    #[cfg(test)]
    pub(in crate::rpc) fn assume(&mut self, rate: f64) {
        self.rate = rate;
    }

    /// Prepares a read. If the kernel refuses the option, that only costs speed.
    fn prepare(&mut self) {
        if self.missing == 0 {
            self.sample = None;
        } else {
            self.sample.get_or_insert_with(|| ReadSample { begun: Instant::now(), bytes: 0 });
        }
        let low_water = low_water(self.rate, self.missing);
        if low_water != self.low_water && set_low_water(self.stream.as_fd(), low_water).is_ok() {
            self.low_water = low_water;
        }
    }

    /// Notes the bytes of a read. Bytes that were in the kernel already are read at once and say nothing about the
    /// rate, so nothing is concluded from less than [`GATHER`].
    fn note(&mut self, bytes: usize) {
        let Some(sample) = &mut self.sample else { return };
        sample.bytes += bytes;
        let elapsed = sample.begun.elapsed();
        if elapsed >= GATHER {
            self.rate = sample.bytes as f64 / elapsed.as_secs_f64();
            *sample = ReadSample { begun: Instant::now(), bytes: 0 };
        }
    }
}

/// The number of bytes to wait for. It is a power of two, so that the system call for it is rare, or what is missing.
fn low_water(bytes_per_s: f64, missing: usize) -> usize {
    let gathered = (bytes_per_s * GATHER.as_secs_f64()) as usize;
    gathered.min(GATHER_BYTES_MAX).next_power_of_two().min(missing).max(1)
}

#[expect(unsafe_code, reason = "no library offers SO_RCVLOWAT yet")]
fn set_low_water(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let value = bytes as libc::c_int;
    // SAFETY: the descriptor is open, and the pointer is to a c_int whose size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Gather for Batched {
    fn expect(&mut self, missing: usize) {
        self.missing = missing;
    }
}

impl AsyncRead for Batched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        this.prepare();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.note(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Batched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn bodies_are_gathered_by_their_rate_and_heads_are_not() {
        assert_eq!(low_water(1e9, 0), 1, "a head");
        assert_eq!(low_water(1e9, 1), 1, "the last byte of a body");
        assert_eq!(low_water(0.0, 1 << 20), 1, "nothing is known yet");
        assert_eq!(low_water(50.0, 1 << 20), 1, "whoever drips is seen to drip");
        assert_eq!(low_water(1.5e6, 1 << 20), 16 << 10);
        assert_eq!(low_water(1e10, 1 << 20), GATHER_BYTES_MAX);
        assert_eq!(low_water(1e10, 20_000), 20_000, "no more than the rest of the body");
    }

    #[tokio::test]
    async fn the_end_of_a_body_and_the_head_behind_it_are_not_waited_for() {
        const BODY: usize = 100_000;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut near = Batched::new(listener.accept().await.unwrap().0);
        near.rate = 1e9;
        let sender = tokio::spawn(async move {
            for _ in 0..3 {
                far.write_all(&[7; BODY]).await.unwrap();
                far.write_all(b"head").await.unwrap();
                // The next bytes come only after these were read.
                assert_eq!(far.read_u8().await.unwrap(), 1);
            }
        });
        let reader = async {
            for _ in 0..3 {
                let (mut body, mut read) = (vec![0; BODY], 0);
                while read < BODY {
                    near.expect(BODY - read);
                    read += near.read(&mut body[read..]).await.unwrap();
                    assert!(near.low_water > 1, "the kernel was told");
                    near.rate = 1e9;
                }
                assert!(body.iter().all(|&byte| byte == 7));
                let mut head = [0; 4];
                near.expect(0);
                near.read_exact(&mut head).await.unwrap();
                assert_eq!((&head, near.low_water), (b"head", 1));
                near.write_u8(1).await.unwrap();
                near.rate = 1e9;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap();
        sender.await.unwrap();
    }
}
