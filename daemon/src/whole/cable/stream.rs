//! One side of a connection as a byte stream.

use super::fabric::{Fabric, Moved, Number, Side};
use bytes::Bytes;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A side of a connection in memory. Dropping it closes it.
pub(crate) struct Cable {
    fabric: Arc<Mutex<Fabric>>,
    number: Number,
    side: Side,
    reads_at: Option<Pin<Box<Sleep>>>,
    writes_at: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cable({}, {})", self.number, self.side)
    }
}

impl Cable {
    pub(super) fn new(fabric: Arc<Mutex<Fabric>>, number: Number, side: Side) -> Cable {
        Cable { fabric, number, side, reads_at: None, writes_at: None }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Fabric) -> T) -> T {
        act(&mut self.fabric.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.with(|fabric| fabric.close(self.number, self.side));
    }
}

/// Waits until `at`. Returns whether that is over already.
fn is_over(sleep: &mut Option<Pin<Box<Sleep>>>, at: Option<Instant>, cx: &mut Context<'_>) -> bool {
    let Some(at) = at else {
        *sleep = None;
        return false;
    };
    let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
    if sleep.deadline() != at {
        sleep.as_mut().reset(at);
    }
    sleep.as_mut().poll(cx).is_ready()
}

impl Cable {
    fn poll_moved<T>(
        &mut self,
        cx: &mut Context<'_>,
        timer: impl Fn(&mut Cable) -> &mut Option<Pin<Box<Sleep>>>,
        mut act: impl FnMut(&mut Fabric, &Context<'_>) -> Moved<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match self.with(|fabric| act(fabric, cx)) {
                Moved::Done(done) => return Poll::Ready(Ok(done)),
                Moved::Failed(kind) => return Poll::Ready(Err(kind.into())),
                Moved::Wait(at) if is_over(timer(self), at, cx) => {}
                Moved::Wait(_) => return Poll::Pending,
            }
        }
    }

    fn poll_write_slices(&mut self, cx: &mut Context<'_>, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        let (number, side) = (self.number, self.side);
        self.poll_moved(cx, |cable| &mut cable.writes_at, |fabric, cx| fabric.write(number, side, slices, cx))
    }
}

impl AsyncRead for Cable {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, room) = (self.get_mut(), buf.remaining());
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        let (number, side) = (this.number, this.side);
        let read: Poll<io::Result<Bytes>> = this.poll_moved(
            cx,
            |cable| &mut cable.reads_at,
            |fabric, cx| fabric.read(number, side, room, cx),
        );
        read.map_ok(|read| buf.put_slice(&read))
    }
}

impl AsyncWrite for Cable {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_slices(cx, &[bytes])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
        self.get_mut().poll_write_slices(cx, &slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|fabric| fabric.end(self.number, self.side));
        Poll::Ready(Ok(()))
    }
}
