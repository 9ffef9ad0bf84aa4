//! Entry points for tests/fuzz. A stranger's bytes are decoded as the transport does it, and the result is checked.
//! Each function panics when something is wrong.

use super::frames::{self, Decoder};
use super::greeted::Greeted;
use super::heads::{FAILURE_BYTES_MAX, Frame};
use super::meter::Meter;
use crate::rpc::message::Message;
use bytes::BufMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::io;
use tarpc::{ClientMessage, Response};

/// Any request or response of a service.
pub trait Any: Message + Serialize + DeserializeOwned + Debug {}

impl<T: Message + Serialize + DeserializeOwned + Debug> Any for T {}

/// Checks a request's head: if it is valid, it means the same after it was written and read again.
pub fn request_head<Req: Any>(head: &[u8]) {
    check_head::<ClientMessage<Req>>(head, shown_request);
}

/// Checks a response's head: if it is valid, it means the same after it was written and read again.
pub fn response_head<Resp: Any>(head: &[u8]) {
    check_head::<Response<Resp>>(head, shown_response);
}

/// Checks a stream of requests, cut into pieces. `is_greeted` says whether hello was accepted already.
pub fn requests<Req: Any>(bytes: &[u8], pieces: &[u8], is_greeted: bool) {
    let greeted = Greeted::new();
    if is_greeted {
        greeted.accept();
    }
    let decoder = || Decoder::<ClientMessage<Req>>::new(Some(greeted.clone()), Meter::new());
    check_stream(decoder, bytes, pieces, shown_request);
}

/// Checks a stream of responses, cut into pieces.
pub fn responses<Resp: Any>(bytes: &[u8], pieces: &[u8]) {
    check_stream(|| Decoder::<Response<Resp>>::new(None, Meter::new()), bytes, pieces, shown_response);
}

/// The text of a request without its deadline, which is relative to now.
fn shown_request<Req: Any>(message: &ClientMessage<Req>) -> String {
    match message {
        ClientMessage::Request(request) => format!("{} {:?}", request.id, request.message),
        other => format!("{other:?}"),
    }
}

/// The text of a response, with a failure's text cut as it is when sent.
fn shown_response<Resp: Any>(response: &Response<Resp>) -> String {
    let message = response.message.as_ref().map_err(|error| {
        let end = error.detail.floor_char_boundary(FAILURE_BYTES_MAX);
        (error.kind, error.detail[..end].to_owned())
    });
    format!("{} {message:?}", response.request_id)
}

fn check_head<In: Frame>(head: &[u8], shown: impl Fn(&In) -> String) {
    let Ok((message, _)) = In::read_head(head) else { return };
    let mut again = Vec::new();
    message.write_head(&mut again).expect("what was read can be written");
    let (copy, rest) = In::read_head(&again).expect("what was written can be read");
    assert!(rest.is_empty(), "a head was not read to its end");
    assert_eq!(shown(&message), shown(&copy));
}

fn check_stream<In: Frame>(
    decoder: impl Fn() -> Decoder<In>,
    bytes: &[u8],
    pieces: &[u8],
    shown: impl Fn(&In) -> String,
) {
    let whole = feed(decoder(), bytes, &[], &shown);
    let cut = feed(decoder(), bytes, pieces, &shown);
    assert_eq!(whole, cut, "how the stream is cut makes a difference");
}

/// Feeds the decoder as a socket would. Returns the messages, and how the stream ended.
fn feed<In: Frame>(
    mut decoder: Decoder<In>,
    mut bytes: &[u8],
    pieces: &[u8],
    shown: impl Fn(&In) -> String,
) -> (Vec<String>, Result<bool, String>) {
    let (mut messages, mut fed) = (Vec::new(), 0);
    let mut pieces = pieces.iter().map(|&piece| usize::from(piece) + 1).cycle();
    loop {
        loop {
            match decoder.next() {
                Ok(Some(mut message)) => {
                    let body = message.payload().map(|payload| payload.bytes.clone());
                    messages.push(format!("{} {body:?}", shown(&message)));
                    check_written(&mut message);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                    return (messages, Err(error.to_string()));
                }
            }
        }
        let bytes_max = (32 << 10) + 2 * fed + In::BODY_BYTES_MAX;
        assert!(decoder.reserved_bytes() <= bytes_max, "{} bytes after {fed}", decoder.reserved_bytes());
        if bytes.is_empty() {
            return (messages, Ok(decoder.is_between_frames()));
        }
        let mut space = decoder.space();
        let count = pieces.next().unwrap_or(usize::MAX).min(bytes.len()).min(space.remaining_mut());
        assert!(count > 0, "no room for bytes that are expected");
        space.put_slice(&bytes[..count]);
        decoder.filled(count);
        bytes = &bytes[count..];
        fed += count;
    }
}

/// Checks that a message that was read can be sent.
fn check_written<In: Frame>(message: &mut In) {
    let mut out = Vec::new();
    frames::encode(message, &mut out).expect("what was read can be written");
    assert!(out.len() <= frames::PREFIX_BYTES + In::HEAD_BYTES_MAX);
}
