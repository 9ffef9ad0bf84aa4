//! A byte stream as a tarpc transport: messages in, messages out.

use super::budget::Budget;
use super::end::malformed;
use super::frames::{self, Decoder};
use super::heads::Frame;
use super::limits::TIMEOUT_MAX;
use super::sideband::Sideband;
use super::unread::{Unread, UnreadShare};
use crate::rpc::message::Payload;
use bytes::Buf;
use futures::{Sink, Stream};
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use tokio_util::io::poll_read_buf;

/// Limits the bytes of heads that wait to be written, so that many are written in one call. At this limit they are
/// written before another message is taken.
const HEADS_BYTES_MAX: usize = 64 << 10;

/// A transport on a byte stream. A body is never copied, and is dropped when its last byte has left the stream: when the
/// stream took it and was flushed. A layer such as TLS takes bytes before the socket does.
pub(super) struct Wire<S, In, Out> {
    io: S,
    decoder: Decoder<In>,
    /// Heads that wait to be written. `body` follows the last of them.
    heads: Vec<u8>,
    /// The number of bytes of `heads` that were written.
    written: usize,
    /// The body that is being written. It stays until the stream is flushed; its bytes are then empty.
    body: Option<Payload>,
    /// Whether the stream took bytes since it was last flushed.
    unflushed: bool,
    /// Tells how many of the bytes that the stream took wait in its layers.
    sideband: Sideband,
    /// The bytes that waited there when the stream last made us wait.
    below: u64,
    stall: Stall,
    last_traffic: Instant,
    /// The number of answers that may arrive: one for each call.
    unanswered: u64,
    /// The budget of the other side.
    budget: Option<Budget>,
    /// The bytes that wait here because the other side takes none.
    unread: Option<UnreadShare>,
    /// Whether reading is suspended.
    held: AtomicBool,
    /// Whether the other side has closed.
    ended: bool,
    out: PhantomData<fn(Out)>,
}

/// No field is structurally pinned.
impl<S: Unpin, In, Out> Unpin for Wire<S, In, Out> {}

impl<S, In, Out> Wire<S, In, Out>
where
    S: AsyncRead + AsyncWrite + Unpin,
    In: Frame,
    Out: Frame,
{
    pub(super) fn new(io: S, decoder: Decoder<In>, write_timeout: Duration) -> Self {
        Wire {
            io,
            decoder,
            heads: Vec::new(),
            written: 0,
            body: None,
            unflushed: false,
            sideband: Sideband::new(),
            below: 0,
            stall: Stall { timeout: write_timeout, begun: Instant::now(), sleep: None, armed: false },
            last_traffic: Instant::now(),
            unanswered: 0,
            budget: None,
            unread: None,
            held: AtomicBool::new(false),
            ended: false,
            out: PhantomData,
        }
    }

    /// Exchanges with the layers below what both must know.
    pub(super) fn with_sideband(self, sideband: Sideband) -> Self {
        Wire { decoder: self.decoder.with_sideband(sideband.clone()), sideband, ..self }
    }

    /// Limits the other side by a budget.
    pub(super) fn with_budget(self, budget: Option<Budget>) -> Self {
        Wire { budget, ..self }
    }

    /// Limits the bytes that wait to be taken, over all connections.
    pub(super) fn with_unread(self, unread: Option<&Unread>) -> Self {
        Wire { unread: unread.map(Unread::share), ..self }
    }

    /// Suspends or resumes reading. Resuming wakes nobody: the caller polls again.
    pub(super) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Checks that a message may arrive: at most one answer per call, and anything only within the budget.
    fn admit(&mut self) -> io::Result<()> {
        if In::IS_ANSWER {
            let left = self.unanswered.checked_sub(1);
            self.unanswered = left.ok_or_else(|| malformed("an answer to no call"))?;
        }
        if self.budget.as_ref().is_some_and(|budget| !budget.spend(1)) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(())
    }

    /// When a byte was last received or sent.
    pub(super) fn last_traffic(&self) -> Instant {
        self.last_traffic
    }

    /// Whether the other side has closed. Then nobody waits for answers any more.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing waits to be written, here or in the stream.
    pub(super) fn is_flushed(&self) -> bool {
        self.is_taken() && !self.unflushed
    }

    /// Whether the stream took everything.
    fn is_taken(&self) -> bool {
        self.written == self.heads.len() && self.body_bytes().is_empty()
    }

    fn body_bytes(&self) -> &[u8] {
        self.body.as_ref().map_or(&[], |body| &body.bytes)
    }

    /// Writes until nothing is left here or in the stream, or the stream takes no more.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_taken() {
            let heads = &self.heads[self.written..];
            let body = self.body.as_ref().map_or(&[][..], |body| &body.bytes);
            let io = Pin::new(&mut self.io);
            let polled = if body.is_empty() {
                io.poll_write(cx, heads)
            } else if heads.is_empty() {
                io.poll_write(cx, body)
            } else {
                io.poll_write_vectored(cx, &[IoSlice::new(heads), IoSlice::new(body)])
            };
            match polled? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(bytes) => self.advance(bytes),
                Poll::Pending => return self.poll_stall(cx),
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx)? {
                Poll::Ready(()) => self.note_flushed(),
                Poll::Pending => return self.poll_stall(cx),
            }
        }
        self.count_unread(0)?;
        Poll::Ready(Ok(()))
    }

    /// Waits while the stream takes no bytes, or does not pass on those that it took.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let below = self.sideband.held();
        self.count_unread(self.heads.len() + self.body_bytes().len() + below as usize)?;
        if below < self.below {
            self.note_traffic();
        }
        self.below = below;
        self.stall.poll(cx)
    }

    /// Notes the number of bytes that wait for the other side.
    fn count_unread(&mut self, bytes: usize) -> io::Result<()> {
        if self.unread.as_mut().is_none_or(|unread| unread.set(bytes)) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "too much waits for others that take nothing"))
    }

    /// Removes from the front of the queue what the stream took.
    fn advance(&mut self, bytes: usize) {
        self.note_traffic();
        self.unflushed = true;
        let of_heads = bytes.min(self.heads.len() - self.written);
        self.written += of_heads;
        if self.written == self.heads.len() {
            self.written = 0;
            self.heads.clear();
            self.heads.shrink_to(HEADS_BYTES_MAX);
        }
        if let Some(body) = &mut self.body {
            body.bytes.advance(bytes - of_heads);
        }
    }

    /// Notes that everything has left the stream. An empty body would keep its owner alive, and the upload slot with it.
    fn note_flushed(&mut self) {
        self.note_traffic();
        (self.unflushed, self.below) = (false, 0);
        let Some(body) = self.body.take() else { return };
        // Whoever owns the bytes looks at this when they are dropped, at the end of this function.
        if let Some(written) = &body.written {
            written.set();
        }
    }

    fn note_traffic(&mut self) {
        self.stall.armed = false;
        self.last_traffic = Instant::now();
    }
}

impl<S, In, Out> Stream for Wire<S, In, Out>
where
    S: AsyncRead + AsyncWrite + Unpin,
    In: Frame,
    Out: Frame,
{
    type Item = io::Result<In>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<In>>> {
        let this = self.get_mut();
        if this.held.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        loop {
            if let Some(message) = this.decoder.next()? {
                this.admit()?;
                return Poll::Ready(Some(Ok(message)));
            }
            let bytes = ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.decoder.space()))?;
            if bytes == 0 {
                this.ended = true;
                let whole = this.decoder.is_between_frames();
                return Poll::Ready((!whole).then(|| Err(io::ErrorKind::UnexpectedEof.into())));
            }
            this.decoder.filled(bytes);
            this.last_traffic = Instant::now();
        }
    }
}

impl<S, In, Out> Sink<Out> for Wire<S, In, Out>
where
    S: AsyncRead + AsyncWrite + Unpin,
    In: Frame,
    Out: Frame,
{
    type Error = io::Error;

    /// A body must have left before the next head is begun: frames are written one after the other.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.body.is_none() && this.heads.len() - this.written < HEADS_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        this.poll_drain(cx)
    }

    fn start_send(self: Pin<&mut Self>, mut message: Out) -> io::Result<()> {
        let this = self.get_mut();
        debug_assert!(this.body.is_none(), "poll_ready was not asked");
        this.unanswered += u64::from(message.is_call());
        if this.is_flushed() {
            this.stall.begun = Instant::now();
        }
        let body = match frames::encode(&mut message, &mut this.heads) {
            Ok(body) => body,
            Err(error) => match message.instead(&error) {
                Some(mut instead) => frames::encode(&mut instead, &mut this.heads)?,
                None => return Err(error),
            },
        };
        this.body = Some(body).filter(|body| !body.bytes.is_empty() || body.written.is_some());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        match Pin::new(&mut this.io).poll_shutdown(cx)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => this.poll_stall(cx),
        }
    }
}

/// Checks that the other side takes bytes: that some are taken within `timeout`, and all within the longest time of a
/// call.
struct Stall {
    timeout: Duration,
    /// When the oldest waiting bytes were queued, or later if frames follow without a break.
    begun: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether `sleep` was started after the last byte was taken.
    armed: bool,
}

impl Stall {
    /// Polled whenever the stream takes no bytes, or is not flushed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = (Instant::now() + self.timeout).min(self.begun + TIMEOUT_MAX);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.armed {
            sleep.as_mut().reset(deadline);
            self.armed = true;
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no byte was taken for too long")))
    }
}
