//! The calling side of a connection.

use super::end::LinkEnd;
use super::frames::Decoder;
use super::limits::TIMEOUT_MAX;
use super::meter::Meter;
use super::sideband::Sideband;
use super::transport::Wire;
use crate::rpc::message::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};
use tarpc::client::{Channel, Config, RpcError};
use tarpc::{ClientMessage, RequestName, Response, context};
use tokio::io::{AsyncRead, AsyncWrite};

/// The options of a client's connection.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Limits the open calls. Further calls wait. Keep it at or below the server's `requests_max`, beyond which the
    /// server refuses.
    pub in_flight_max: usize,
    /// Counts the received bytes of bodies.
    pub meter: Meter,
    /// The connection ends if the other side takes none of the waiting bytes for this time.
    pub write_timeout: Duration,
    /// That of the connection below. One per connection.
    pub sideband: Sideband,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            in_flight_max: 16,
            meter: Meter::new(),
            write_timeout: Duration::from_secs(30),
            sideband: Sideband::new(),
        }
    }
}

/// Sends calls to the other side of a connection. Clones use the same connection.
#[derive(Debug)]
pub struct Caller<Req, Resp> {
    channel: Channel<Req, Resp>,
}

/// A client on `io`: the caller, and the future that runs the connection. Nothing is sent or received unless the future
/// is polled. Dropping it closes the connection. It ends when the connection does, or when all callers are dropped.
pub fn client<Req, Resp, S>(
    io: S,
    options: ClientOptions,
) -> (Caller<Req, Resp>, impl Future<Output = LinkEnd>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    Req: Message + RequestName + Serialize + DeserializeOwned,
    Resp: Message + Serialize + DeserializeOwned,
{
    let decoder = Decoder::new(None, options.meter);
    let wire: Wire<S, Response<Resp>, ClientMessage<Req>> =
        Wire::new(io, decoder, options.write_timeout).with_sideband(options.sideband);
    let mut config = Config::default();
    config.max_in_flight_requests = options.in_flight_max;
    config.pending_request_buffer = options.in_flight_max;
    let client = tarpc::client::new(config, wire);
    let link = async move {
        match client.dispatch.await {
            Ok(()) => LinkEnd::Closed,
            Err(error) => LinkEnd::of(error),
        }
    };
    (Caller { channel: client.client }, link)
}

impl<Req: RequestName, Resp> Caller<Req, Resp> {
    /// Sends a call and waits for its answer for at most `timeout`, including the time in the queue. The timeout is
    /// limited to [`TIMEOUT_MAX`]. Dropping the future cancels the call at the other side.
    ///
    /// # Errors
    /// When there is no answer. A refusal by the service is an answer.
    pub async fn call(&self, request: Req, timeout: Duration) -> Result<Resp, CallError> {
        let timeout = timeout.min(TIMEOUT_MAX);
        let mut context = context::current();
        context.deadline = Instant::now() + timeout;
        match tokio::time::timeout(timeout, self.channel.call(context, request)).await {
            Ok(answer) => answer.map_err(CallError::from),
            Err(_) => Err(CallError::TimedOut),
        }
    }
}

impl<Req, Resp> Clone for Caller<Req, Resp> {
    fn clone(&self) -> Self {
        Caller { channel: self.channel.clone() }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The connection has ended.
    Closed,
    /// No answer came in time.
    TimedOut,
    /// Too many calls are open at the other side.
    Refused,
    /// The answer belongs to another call, so the other side is faulty.
    WrongReply,
    /// The other side could not answer, or the call could not be sent.
    Failed(String),
}

impl From<RpcError> for CallError {
    fn from(error: RpcError) -> CallError {
        match error {
            RpcError::Shutdown | RpcError::Channel(_) => CallError::Closed,
            RpcError::DeadlineExceeded => CallError::TimedOut,
            RpcError::Server(error) if error.kind == io::ErrorKind::WouldBlock => CallError::Refused,
            RpcError::Server(error) => CallError::Failed(error.detail),
            RpcError::Send(error) => CallError::Failed(error.to_string()),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Closed => f.write_str("the connection was closed"),
            CallError::TimedOut => f.write_str("no answer in time"),
            CallError::Refused => f.write_str("too many requests at once"),
            CallError::WrongReply => f.write_str("the answer is for another request"),
            CallError::Failed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for CallError {}

/// Gives a service's caller one method per call. tarpc's generated client is not used because it panics when the answer
/// belongs to another call.
macro_rules! calls {
    (
        $caller:ident = $request:ident => $response:ident;
        $( $(#[$doc:meta])* $method:ident / $variant:ident ( $($arg:ident: $type:ty),* ) -> $answer:ty; )*
    ) => {
        #[doc = concat!("Asks a `", stringify!($caller), "`; every call takes the longest time to wait for its answer.")]
        pub type $caller = $crate::rpc::wire::Caller<$request, $response>;

        impl $caller {
            $(
                $(#[$doc])*
                pub async fn $method(
                    &self,
                    $($arg: $type,)*
                    timeout: std::time::Duration,
                ) -> Result<$answer, $crate::rpc::wire::CallError> {
                    match self.call($request::$variant { $($arg),* }, timeout).await? {
                        $response::$variant(answer) => Ok(answer),
                        _ => Err($crate::rpc::wire::CallError::WrongReply),
                    }
                }
            )*
        }
    };
}

pub(in crate::rpc) use calls;
