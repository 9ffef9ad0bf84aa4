//! What is in a frame's head: tarpc's messages, less what a stranger must not decide.
//!
//! tarpc's own form has the deadline as a `Duration`, which panics the server when it is long enough, and a
//! trace context. Ours has milliseconds, cut to [`TIMEOUT_MAX`], and no trace.

use super::limits::TIMEOUT_MAX;
use crate::rpc::message::{Message, Payload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};
use tarpc::{ClientMessage, Request, Response, ServerError, context};

/// The longest text of a [`FailureHead`] that is sent, in bytes.
pub(super) const FAILURE_BYTES_MAX: usize = 256;

/// A message as a frame: what its head and its body may be.
pub(super) trait Frame: Sized {
    const HEAD_BYTES_MAX: usize;
    const BODY_BYTES_MAX: usize;
    /// Whether it is the answer to a call.
    const IS_ANSWER: bool;

    /// The message's payload, if it has one.
    fn payload(&mut self) -> Option<&mut Payload>;

    /// Whether it may come before hello was accepted.
    fn is_hello(&self) -> bool;

    /// Whether it is a call, which may be answered once.
    fn is_call(&self) -> bool {
        false
    }

    /// Appends the head to `out`, at most [`Self::HEAD_BYTES_MAX`] bytes of it.
    fn write_head(&self, out: &mut Vec<u8>) -> postcard::Result<()>;

    /// The message of a head, and the bytes that were left over.
    fn read_head(head: &[u8]) -> postcard::Result<(Self, &[u8])>;

    /// What to send when the message itself cannot be sent.
    fn instead(&self, why: &io::Error) -> Option<Self>;
}

#[derive(Serialize, Deserialize)]
enum RequestHead<T> {
    Call { id: u64, timeout_ms: u32, request: T },
    Cancel { id: u64 },
}

#[derive(Serialize, Deserialize)]
struct ResponseHead<T> {
    id: u64,
    reply: Result<T, FailureHead>,
}

/// Why the server has no reply.
#[derive(Serialize, Deserialize)]
enum FailureHead {
    /// Too many calls are open.
    Busy,
    /// Anything else, for people.
    Failed(String),
}

impl<Req: Message + Serialize + DeserializeOwned> Frame for ClientMessage<Req> {
    const HEAD_BYTES_MAX: usize = Req::HEAD_BYTES_MAX;
    const BODY_BYTES_MAX: usize = Req::BODY_BYTES_MAX;
    const IS_ANSWER: bool = false;

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            ClientMessage::Request(request) => request.message.payload(),
            _ => None,
        }
    }

    fn is_hello(&self) -> bool {
        match self {
            ClientMessage::Request(request) => request.message.is_hello(),
            _ => true, // to cancel what is not there does nothing
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, ClientMessage::Request(_))
    }

    fn write_head(&self, out: &mut Vec<u8>) -> postcard::Result<()> {
        let head = match self {
            ClientMessage::Request(Request { id, context, message }) => {
                let timeout = context.deadline.saturating_duration_since(Instant::now()).min(TIMEOUT_MAX);
                RequestHead::Call { id: *id, timeout_ms: timeout.as_millis() as u32, request: message }
            }
            ClientMessage::Cancel { request_id, .. } => RequestHead::Cancel { id: *request_id },
            _ => return Err(postcard::Error::SerdeSerCustom), // tarpc has no third kind
        };
        write(&head, Self::HEAD_BYTES_MAX, out)
    }

    fn read_head(head: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (head, rest) = postcard::take_from_bytes(head)?;
        let message = match head {
            RequestHead::Call { id, timeout_ms, request } => {
                let timeout = Duration::from_millis(timeout_ms.into()).min(TIMEOUT_MAX);
                let mut context = context::current();
                context.deadline = Instant::now() + timeout;
                ClientMessage::Request(Request { id, context, message: request })
            }
            RequestHead::Cancel { id } => {
                ClientMessage::Cancel { trace_context: Default::default(), request_id: id }
            }
        };
        Ok((message, rest))
    }

    /// A request that is too large fails its call, nothing else.
    fn instead(&self, _: &io::Error) -> Option<Self> {
        None
    }
}

impl<Resp: Message + Serialize + DeserializeOwned> Frame for Response<Resp> {
    const HEAD_BYTES_MAX: usize = Resp::HEAD_BYTES_MAX;
    const BODY_BYTES_MAX: usize = Resp::BODY_BYTES_MAX;
    const IS_ANSWER: bool = true;

    fn payload(&mut self) -> Option<&mut Payload> {
        self.message.as_mut().ok().and_then(Resp::payload)
    }

    fn is_hello(&self) -> bool {
        true
    }

    fn write_head(&self, out: &mut Vec<u8>) -> postcard::Result<()> {
        let reply = self.message.as_ref().map_err(FailureHead::of);
        write(&ResponseHead { id: self.request_id, reply }, Self::HEAD_BYTES_MAX, out)
    }

    fn read_head(head: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (ResponseHead { id, reply }, rest) = postcard::take_from_bytes(head)?;
        Ok((Response { request_id: id, message: reply.map_err(ServerError::from) }, rest))
    }

    /// Without an answer the caller would wait for its whole deadline.
    fn instead(&self, why: &io::Error) -> Option<Self> {
        let why = ServerError::new(io::ErrorKind::Other, format!("the answer cannot be sent: {why}"));
        Some(Response { request_id: self.request_id, message: Err(why) })
    }
}

impl FailureHead {
    fn of(error: &ServerError) -> FailureHead {
        if error.kind == io::ErrorKind::WouldBlock {
            return FailureHead::Busy;
        }
        let end = error.detail.floor_char_boundary(FAILURE_BYTES_MAX);
        FailureHead::Failed(error.detail[..end].to_owned())
    }
}

impl From<FailureHead> for ServerError {
    fn from(failure: FailureHead) -> ServerError {
        match failure {
            FailureHead::Busy => ServerError::new(io::ErrorKind::WouldBlock, String::new()),
            FailureHead::Failed(detail) => ServerError::new(io::ErrorKind::Other, detail),
        }
    }
}

fn write<T: Serialize>(head: &T, bytes_max: usize, out: &mut Vec<u8>) -> postcard::Result<()> {
    postcard::serialize_with_flavor(head, Bounded { out, left: bytes_max })
}

/// Appends to a vector, up to a limit.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl postcard::ser_flavors::Flavor for Bounded<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.left = self.left.checked_sub(data.len()).ok_or(postcard::Error::SerializeBufferFull)?;
        self.out.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
