//! Decodes bytes to messages and encodes messages to bytes, without a socket, so that a fuzzer can drive it.

use super::buffers;
use super::end::malformed;
use super::greeted::Greeted;
use super::heads::Frame;
use super::limits::{HELLO_BYTES_MAX, NARROW_HEAD_BYTES_MAX};
use super::meter::Meter;
use super::sideband::Sideband;
use crate::rpc::message::Payload;
use bytes::buf::Limit;
use bytes::{Buf, BufMut, BytesMut};
use std::io;

/// The number of bytes of a frame's two lengths.
pub(super) const PREFIX_BYTES: usize = 8;

/// The number of bytes read at once while no body is expected: many small frames come in one read.
const READ_BYTES: usize = 8 << 10;

/// A buffer for heads that grew larger than this, in bytes, is freed instead of kept, so that thousands of idle
/// connections take little memory.
const KEEP_BYTES_MAX: usize = 64 << 10;

/// Decodes messages. The caller puts bytes into [`space`](Decoder::space) and then calls [`next`](Decoder::next) until
/// it returns no more messages.
///
/// It never reserves memory for bytes that were only promised. The buffer for a head grows as the head arrives. A body
/// gets a buffer of exactly its size, but only after its head arrived and turned out to have a body.
pub(super) struct Decoder<In> {
    /// Heads, and bytes that were read together with them.
    heads: BytesMut,
    /// The body that is arriving, in a buffer of exactly its size.
    body: BytesMut,
    expect: Expect<In>,
    /// Set on the side that receives hello.
    greeted: Option<Greeted>,
    meter: Meter,
    /// The number of bytes that were put into [`space`](Decoder::space).
    received: u64,
    /// Where it tells how much of a body is still to come.
    sideband: Sideband,
}

enum Expect<In> {
    Prefix,
    Head { head_len: usize, body_len: usize },
    Body { message: In, body_len: usize },
}

impl<In: Frame> Decoder<In> {
    pub(super) fn new(greeted: Option<Greeted>, meter: Meter) -> Decoder<In> {
        Decoder {
            heads: BytesMut::new(),
            body: BytesMut::new(),
            expect: Expect::Prefix,
            greeted,
            meter,
            received: 0,
            sideband: Sideband::new(),
        }
    }

    /// Tells the socket below how much of a body is still to come.
    pub(super) fn with_sideband(self, sideband: Sideband) -> Decoder<In> {
        Decoder { sideband, ..self }
    }

    /// The next message; `None` if more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are not valid in this protocol. The decoder must not be used after that.
    pub(super) fn next(&mut self) -> io::Result<Option<In>> {
        loop {
            match &mut self.expect {
                Expect::Prefix => {
                    let Some(prefix) = self.heads.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
                    let (head_len, body_len) = lengths(*prefix);
                    self.check_lengths(head_len, body_len)?;
                    self.heads.advance(PREFIX_BYTES);
                    self.expect = Expect::Head { head_len, body_len };
                }
                &mut Expect::Head { head_len, body_len } => {
                    if self.heads.len() < head_len {
                        return Ok(None);
                    }
                    let message = self.take_head(head_len, body_len)?;
                    if body_len == 0 {
                        self.expect = Expect::Prefix;
                        return Ok(Some(message));
                    }
                    self.begin_body(body_len);
                    self.expect = Expect::Body { message, body_len };
                }
                Expect::Body { body_len, .. } => {
                    if self.body.len() < *body_len {
                        return Ok(None);
                    }
                    return Ok(self.end_body());
                }
            }
        }
    }

    /// The buffer for the next bytes.
    pub(super) fn space(&mut self) -> Limit<&mut BytesMut> {
        let head_len = match self.expect {
            Expect::Prefix => 0,
            Expect::Head { head_len, .. } => head_len,
            Expect::Body { body_len, .. } => {
                let missing = body_len - self.body.len();
                return (&mut self.body).limit(missing);
            }
        };
        let len = self.heads.len();
        if len == 0 && self.heads.capacity() > KEEP_BYTES_MAX {
            self.heads = BytesMut::new();
        }
        if len == 0 || self.heads.capacity() - len < READ_BYTES / 8 {
            // There may be thousands of strangers, so a stranger's buffer has only room for hello. For a large head the
            // buffer doubles as bytes arrive, so the other side must send bytes before memory is reserved for more.
            let read = if self.is_strange() { PREFIX_BYTES + HELLO_BYTES_MAX } else { READ_BYTES };
            self.heads.reserve(read.max(head_len.saturating_sub(len).min(len)));
        }
        let free = self.heads.capacity() - len;
        (&mut self.heads).limit(free)
    }

    /// Notes that `bytes` bytes were put into [`space`](Decoder::space).
    pub(super) fn filled(&mut self, bytes: usize) {
        self.received += bytes as u64;
        if matches!(self.expect, Expect::Body { .. }) {
            self.meter.count_received(bytes);
        }
    }

    /// Whether no frame has begun.
    pub(super) fn is_between_frames(&self) -> bool {
        matches!(self.expect, Expect::Prefix) && self.heads.is_empty()
    }

    /// The number of bytes that it holds or has reserved.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn reserved_bytes(&self) -> usize {
        self.heads.capacity() + self.body.capacity()
    }

    fn check_lengths(&self, head_len: usize, body_len: usize) -> io::Result<()> {
        let (mut head_max, mut body_max) = (In::HEAD_BYTES_MAX, In::BODY_BYTES_MAX);
        if self.is_strange() {
            (head_max, body_max) = (head_max.min(HELLO_BYTES_MAX), 0);
        } else if self.greeted.as_ref().is_some_and(Greeted::is_narrow) {
            (head_max, body_max) = (head_max.min(NARROW_HEAD_BYTES_MAX), 0);
        }
        if head_len > head_max {
            return Err(malformed(format!("a head of {head_len} bytes, where {head_max} are allowed")));
        }
        if body_len > body_max {
            return Err(malformed(format!("a body of {body_len} bytes, where {body_max} are allowed")));
        }
        Ok(())
    }

    fn take_head(&mut self, head_len: usize, body_len: usize) -> io::Result<In> {
        let (mut message, rest) = In::read_head(&self.heads[..head_len])
            .map_err(|error| malformed(format!("a head that is no message: {error}")))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes too many in a head", rest.len())));
        }
        if self.is_strange() && !message.is_hello() {
            return Err(malformed("a call before hello was accepted"));
        }
        if body_len > 0 && message.payload().is_none() {
            return Err(malformed("a body on a message that has none"));
        }
        self.heads.advance(head_len);
        Ok(message)
    }

    /// Bytes of the body that were read together with the head are copied once, at most [`READ_BYTES`]. All others are
    /// read directly into the body's buffer.
    fn begin_body(&mut self, body_len: usize) {
        self.body = buffers::take_empty(body_len);
        let here = self.heads.len().min(body_len);
        self.body.extend_from_slice(&self.heads[..here]);
        self.heads.advance(here);
        self.meter.count_received(here);
        self.sideband.begin_body(self.received + (body_len - here) as u64);
    }

    fn end_body(&mut self) -> Option<In> {
        let Expect::Body { mut message, .. } = std::mem::replace(&mut self.expect, Expect::Prefix) else {
            return None;
        };
        self.sideband.end_body();
        if let Some(payload) = message.payload() {
            payload.bytes = std::mem::take(&mut self.body).freeze();
        }
        Some(message)
    }

    /// Whether hello was not accepted yet.
    fn is_strange(&self) -> bool {
        self.greeted.as_ref().is_some_and(|greeted| !greeted.is_accepted())
    }
}

/// Appends a message's lengths and head to `out`. Returns its body, which must be written next.
///
/// # Errors
/// When the message is larger than allowed. `out` is then unchanged.
pub(super) fn encode<Out: Frame>(message: &mut Out, out: &mut Vec<u8>) -> io::Result<Payload> {
    let body = message.payload().map(std::mem::take).unwrap_or_default();
    let len = body.bytes.len();
    if len > Out::BODY_BYTES_MAX {
        let max = Out::BODY_BYTES_MAX;
        return Err(io::Error::other(format!("a body of {len} bytes, where {max} are allowed")));
    }
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    if let Err(error) = message.write_head(out) {
        out.truncate(start);
        return Err(io::Error::other(format!("a head that does not fit its limit, or is no text: {error}")));
    }
    let head_len = out.len() - start - PREFIX_BYTES;
    out[start..start + 4].copy_from_slice(&(head_len as u32).to_be_bytes());
    out[start + 4..start + PREFIX_BYTES].copy_from_slice(&(len as u32).to_be_bytes());
    Ok(body)
}

fn lengths(prefix: [u8; PREFIX_BYTES]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = prefix;
    (u32::from_be_bytes([a, b, c, d]) as usize, u32::from_be_bytes([e, f, g, h]) as usize)
}
