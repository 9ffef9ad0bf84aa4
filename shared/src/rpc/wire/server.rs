//! The side that is asked.

use super::budget::Budget;
use super::end::LinkEnd;
use super::frames::Decoder;
use super::greeted::Greeted;
use super::meter::Meter;
use super::transport::Wire;
use super::unread::Unread;
use crate::rpc::message::Message;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tarpc::server::{BaseChannel, Channel, Config, Serve};
use tarpc::{ClientMessage, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// How a server's connection behaves.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// How many calls may be open at once; those beyond are refused. It also bounds what the connection can make
    /// us hold: at most twice as many answers.
    pub requests_max: usize,
    /// What the service sets when hello was accepted or refused: one per connection.
    pub greeted: Greeted,
    /// How long the other side has to get through hello.
    pub hello_timeout: Duration,
    /// How long a connection may live with no call open and no byte passing.
    pub idle_timeout: Duration,
    /// How long bytes may wait without one of them being taken.
    pub write_timeout: Duration,
    /// Counts the bodies' bytes.
    pub meter: Meter,
    /// What the other side may spend: each frame costs 1. Without one it may ask as fast as it can.
    pub budget: Option<Budget>,
    /// Whether the next call is read only when the answer to the last one was taken.
    pub in_turn: bool,
    /// How much all connections together may leave untaken; who would leave more is hung up.
    pub unread: Option<Unread>,
    /// Set when the connection ends, before its handlers and its answers are dropped: one per connection.
    pub ended: Ended,
}

/// Whether a connection has ended. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Ended(Arc<AtomicBool>);

impl Ended {
    /// Whether it has.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Sets it when it is dropped.
struct Ending(Ended);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            requests_max: 16,
            greeted: Greeted::new(),
            hello_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(30),
            meter: Meter::new(),
            budget: None,
            in_turn: false,
            unread: None,
            ended: Ended::default(),
        }
    }
}

/// Answers the calls that come over `io` until the connection ends, and says why it did. Dropping the future
/// closes the connection and drops the handlers; so does the other side when it closes, or long polls would keep
/// the connections of those who are gone. A panic of a handler passes through: give each connection a
/// task of its own, so that nothing else ends with it.
pub async fn serve<S, T>(io: S, options: ServerOptions, service: T) -> LinkEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Serve + Clone,
    T::Req: Message + Serialize + DeserializeOwned,
    T::Resp: Message + Serialize + DeserializeOwned,
{
    let greeted = options.greeted.clone();
    let decoder = Decoder::new(Some(greeted.clone()), options.meter.clone());
    let wire: Wire<S, ClientMessage<T::Req>, Response<T::Resp>> =
        Wire::new(io, decoder, options.write_timeout)
            .with_budget(options.budget.clone())
            .with_unread(options.unread.as_ref());
    // answers to cancelled calls lie in this buffer without being counted as open calls
    let config = Config { pending_response_buffer: options.requests_max };
    let channel = BaseChannel::new(config, wire).max_concurrent_requests(options.requests_max);
    let mut requests = pin!(channel.requests());
    // The handlers run in this task, beside the stream of requests that also writes the answers.
    // tarpc's for_each_concurrent hangs: at its limit it no longer polls the stream.
    let mut handlers = FuturesUnordered::new();
    let start = Instant::now();
    let mut check = pin!(tokio::time::sleep_until(start + options.hello_timeout));
    let _ending = Ending(options.ended.clone()); // the last, so that it is dropped first
    loop {
        let next = poll_fn(|cx| {
            let channel = requests.channel();
            let mut answered = channel.in_flight_requests() == 0 && channel.transport().is_flushed();
            let polled = loop {
                let held = options.in_turn && !answered;
                requests.channel().transport().hold(held);
                let polled = requests.as_mut().poll_next(cx);
                let channel = requests.channel();
                answered = channel.in_flight_requests() == 0 && channel.transport().is_flushed();
                // Once the last answer is out, what comes next may be read.
                if !(held && answered && polled.is_pending()) {
                    break polled;
                }
            };
            let channel = requests.channel();
            if polled.is_pending() && answered && greeted.is_refused() {
                return Poll::Ready(Err(LinkEnd::Refused));
            }
            if polled.is_pending() && channel.transport().is_ended() {
                return Poll::Ready(Err(LinkEnd::Closed));
            }
            polled.map(Ok)
        });
        tokio::select! {
            next = next => match next {
                Ok(Some(Ok(request))) => handlers.push(request.execute(service.clone())),
                Ok(Some(Err(error))) => return LinkEnd::of(error),
                Ok(None) => return LinkEnd::Closed,
                Err(end) => {
                    // What can be done at once is done: a complaint waits for no answer.
                    while handlers.next().now_or_never().flatten().is_some() {}
                    return end;
                }
            },
            Some(()) = handlers.next() => {}
            () = &mut check => {
                let channel = requests.channel();
                let busy = channel.in_flight_requests() > 0;
                match still_good(&options, start, busy, channel.transport().last_traffic()) {
                    Ok(again) => check.as_mut().reset(again),
                    Err(end) => return end,
                }
            }
        }
    }
}

/// When to look again, or why the connection ends.
fn still_good(
    options: &ServerOptions,
    start: Instant,
    busy: bool,
    last_traffic: Instant,
) -> Result<Instant, LinkEnd> {
    let now = Instant::now();
    if !options.greeted.is_accepted() {
        let again = start + options.hello_timeout;
        return if now < again { Ok(again) } else { Err(LinkEnd::NoHello) };
    }
    let again = if busy { now } else { last_traffic } + options.idle_timeout;
    if now < again { Ok(again) } else { Err(LinkEnd::Idle) }
}
