//! The serving side of a connection.

use super::budget::Budget;
use super::end::LinkEnd;
use super::frames::Decoder;
use super::greeted::Greeted;
use super::heads::Frame;
use super::meter::Meter;
use super::sideband::Sideband;
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

/// The options of a server's connection.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Limits the open calls. Further calls are refused. It also bounds the answers that the connection can make us
    /// hold: at most twice this number.
    pub requests_max: usize,
    /// Set by the service when hello was accepted or refused. One per connection.
    pub greeted: Greeted,
    /// The time for the other side to say hello.
    pub hello_timeout: Duration,
    /// The connection ends after this time with no open call and no byte sent or received.
    pub idle_timeout: Duration,
    /// The connection ends if the other side takes none of the waiting bytes for this time.
    pub write_timeout: Duration,
    /// Counts the received bytes of bodies.
    pub meter: Meter,
    /// The budget of the other side; each frame costs 1. `None` sets no limit.
    pub budget: Option<Budget>,
    /// Whether the next call is read only after the answer to the last one was taken.
    pub in_turn: bool,
    /// Limits the bytes of answers that wait to be taken, of all connections together. A connection that would exceed
    /// it is closed.
    pub unread: Option<Unread>,
    /// Set when the connection ends, before its handlers and answers are dropped. One per connection.
    pub ended: Ended,
    /// That of the connection below. One per connection.
    pub sideband: Sideband,
}

/// Whether a connection has ended. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Ended(Arc<AtomicBool>);

impl Ended {
    /// Whether the connection has ended.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Sets the [`Ended`] when dropped.
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
            sideband: Sideband::new(),
        }
    }
}

/// Answers the calls that arrive on `io` until the connection ends. Returns the reason. Dropping the future closes the
/// connection and drops the handlers. The handlers are also dropped when the other side closes; otherwise long polls
/// would keep dead connections. A panic in a handler is passed on: give each connection its own task, so that nothing
/// else ends with it.
pub async fn serve<S, T>(io: S, options: ServerOptions, service: T) -> LinkEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Serve + Clone,
    T::Req: Message + Serialize + DeserializeOwned,
    T::Resp: Message + Serialize + DeserializeOwned,
{
    let greeted = options.greeted.clone();
    let wire: Wire<S, ClientMessage<T::Req>, Response<T::Resp>> = transport(io, &options);
    // Answers to canceled calls wait in this buffer and do not count as open calls.
    let config = Config { pending_response_buffer: options.requests_max };
    let channel = BaseChannel::new(config, wire).max_concurrent_requests(options.requests_max);
    let mut requests = pin!(channel.requests());
    // The handlers run in this task, next to the stream of requests that also writes the answers. tarpc's
    // for_each_concurrent is not used because it hangs: at its limit it no longer polls the stream.
    let mut handlers = FuturesUnordered::new();
    let start = Instant::now();
    let mut check = pin!(tokio::time::sleep_until(start + options.hello_timeout));
    let _ending = Ending(options.ended.clone()); // declared last, so that it is dropped first
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
                // After the last answer is written, the next call may be read.
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
                    // Handlers that can finish at once do: a complaint waits for no answer.
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

/// The messages on a connection, within its limits.
fn transport<S, In, Out>(io: S, options: &ServerOptions) -> Wire<S, In, Out>
where
    S: AsyncRead + AsyncWrite + Unpin,
    In: Frame,
    Out: Frame,
{
    let decoder = Decoder::new(Some(options.greeted.clone()), options.meter.clone());
    Wire::new(io, decoder, options.write_timeout)
        .with_sideband(options.sideband.clone())
        .with_budget(options.budget.clone())
        .with_unread(options.unread.as_ref())
}

/// The time of the next check, or the reason why the connection ends.
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
