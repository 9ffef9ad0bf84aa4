//! A TCP connection that is read in large pieces.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A read buffer with less room than this, in bytes, is for a head. It is read as soon as any byte comes.
const BODY_BYTES_MIN: usize = 16 << 10;

/// How long bytes of a body may wait in the kernel before they are read, at the rate measured before. Stalls are
/// detected by the bytes that are read, so this is far below the shortest stall (300 ms).
const GATHER: Duration = Duration::from_millis(10);

/// Limits the bytes that are gathered before a read, however fast they come.
const GATHER_BYTES_MAX: usize = 64 << 10;

/// A TCP connection whose reader is not woken for every packet of a body.
///
/// A machine that fetches from sixteen peers gets a few KiB from each in turn, and waking up for each costs more than
/// copying the bytes. So while a body is read, the kernel is told to wake us only when enough bytes are there
/// (`SO_RCVLOWAT`, socket(7)): as many as arrive in 10 ms, at most 64 KiB, and never more than the body still needs.
/// Heads are read as they come.
#[derive(Debug)]
pub struct Batched {
    stream: TcpStream,
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
        Batched { stream, low_water: 1, rate: 0.0, sample: None }
    }

    /// The connection, for its options.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Prepares a read into a buffer with `room` bytes. If the kernel refuses the option, that only costs speed.
    fn expect(&mut self, room: usize) {
        if room < BODY_BYTES_MIN {
            self.sample = None;
        } else {
            self.sample.get_or_insert_with(|| ReadSample { begun: Instant::now(), bytes: 0 });
        }
        let low_water = low_water(self.rate, room);
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

/// The number of bytes to wait for. It is a power of two, so that the system call for it is rare.
fn low_water(bytes_per_s: f64, room: usize) -> usize {
    if room < BODY_BYTES_MIN {
        return 1;
    }
    let gathered = (bytes_per_s * GATHER.as_secs_f64()) as usize;
    gathered.min(GATHER_BYTES_MAX).next_power_of_two().min(room)
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

impl AsyncRead for Batched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (room, before) = (buf.remaining(), buf.filled().len());
        this.expect(room);
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
        assert_eq!(low_water(1e9, BODY_BYTES_MIN - 1), 1, "a head");
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
                let mut body = vec![0; BODY];
                near.read_exact(&mut body[..BODY - 20_000]).await.unwrap();
                assert!(near.low_water > 1, "the kernel was told");
                near.read_exact(&mut body[BODY - 20_000..]).await.unwrap();
                assert!(body.iter().all(|&byte| byte == 7));
                let mut head = [0; 4];
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
