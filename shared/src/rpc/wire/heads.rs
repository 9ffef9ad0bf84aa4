//! The content of a frame's head: tarpc's messages without what a stranger must not control.
//!
//! tarpc's own format has the deadline as a `Duration`, which makes the server panic if it is long enough, and a trace
//! context. Ours has milliseconds, limited to [`TIMEOUT_MAX`], and no trace context.

use super::limits::TIMEOUT_MAX;
use crate::rpc::message::{Message, Payload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};
use tarpc::{ClientMessage, Request, Response, ServerError, context};

/// Limits the text of a [`FailureHead`], in bytes; the rest is cut off. It is a line for people.
pub(super) const FAILURE_BYTES_MAX: usize = 256;

/// A message as a frame with a head and a body.
pub(super) trait Frame: Sized {
    const HEAD_BYTES_MAX: usize;
    const BODY_BYTES_MAX: usize;
    /// Whether it is an answer to a call.
    const IS_ANSWER: bool;

    /// The message's payload, if it has one.
    fn payload(&mut self) -> Option<&mut Payload>;

    /// Whether it may arrive before hello was accepted.
    fn is_hello(&self) -> bool;

    /// Whether it is a call.
    fn is_call(&self) -> bool {
        false
    }

    /// Appends the head to `out`; at most [`Self::HEAD_BYTES_MAX`] bytes.
    fn write_head(&self, out: &mut Vec<u8>) -> postcard::Result<()>;

    /// Reads the message of a head. Returns it with the bytes that are left over.
    fn read_head(head: &[u8]) -> postcard::Result<(Self, &[u8])>;

    /// The message to send if this message cannot be sent.
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

/// Why the server sends no reply of the service.
#[derive(Serialize, Deserialize)]
enum FailureHead {
    /// Too many calls are open.
    Busy,
    /// Any other reason, as text for users.
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
            _ => true, // canceling an unknown call does nothing
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

    /// A request that is too large makes only its own call fail.
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

    /// Without an answer the caller would wait until its deadline.
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
