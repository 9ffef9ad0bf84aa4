//! Tests of frames without a connection: any split of the bytes, and any bytes.

use super::super::frames::{self, Decoder};
use super::super::heads::Frame;
use super::super::{Greeted, HELLO_BYTES_MAX, Meter, NARROW_HEAD_BYTES_MAX, TIMEOUT_MAX};
use super::*;
use crate::rpc::Message;
use bytes::BufMut;
use proptest::prelude::*;
use std::io;
use std::time::Instant;
use tarpc::{ClientMessage, Response, ServerError};

type Requests = Decoder<ClientMessage<PeerRequest>>;
type Responses = Decoder<Response<PeerResponse>>;

pub(super) fn frame<Out: Frame>(mut message: Out) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = frames::encode(&mut message, &mut bytes).unwrap().bytes;
    bytes.extend_from_slice(&body);
    bytes
}

/// Feeds the decoder as a socket would, in pieces of at most `piece()` bytes.
pub(super) fn feed<In: Frame>(
    decoder: &mut Decoder<In>,
    mut bytes: &[u8],
    mut piece: impl FnMut() -> usize,
    mut check: impl FnMut(&Decoder<In>, usize),
) -> io::Result<Vec<In>> {
    let (mut messages, mut fed) = (Vec::new(), 0);
    loop {
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
        check(decoder, fed);
        if bytes.is_empty() {
            return Ok(messages);
        }
        let mut space = decoder.space();
        let count = piece().min(bytes.len()).min(space.remaining_mut());
        assert!(count > 0, "no room for bytes that are expected");
        space.put_slice(&bytes[..count]);
        decoder.filled(count);
        bytes = &bytes[count..];
        fed += count;
    }
}

fn any_response() -> impl Strategy<Value = Response<PeerResponse>> {
    let chunk = proptest::collection::vec(any::<u8>(), 0..40_000)
        .prop_map(|bytes| PeerResponse::GetChunk(ChunkReply::Chunk(Bytes::from(bytes).into())));
    let added = proptest::collection::vec(any::<u32>(), 0..6000).prop_map(|indices| {
        let have = HaveNews::Add(indices.into_iter().map(ChunkIndex).collect());
        PeerResponse::News(NewsReply { number: u64::MAX, updates: vec![NewsUpdate { key: key(), have }] })
    });
    let busy = any::<u32>().prop_map(|ms| PeerResponse::Pick(PickReply::Busy { retry_after_ms: ms }));
    let failed = "[a-z]{0,40}".prop_map(|text| ServerError::new(io::ErrorKind::Other, text));
    let message =
        prop_oneof![chunk.prop_map(Ok), added.prop_map(Ok), busy.prop_map(Ok), failed.prop_map(Err)];
    (any::<u64>(), message).prop_map(|(request_id, message)| Response { request_id, message })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_messages(
        messages in proptest::collection::vec(any_response(), 1..6),
        pieces in proptest::collection::vec(1usize..20_000, 1..50),
    ) {
        let bytes: Vec<u8> = messages.into_iter().flat_map(frame).collect();
        let mut pieces = pieces.iter().cycle();
        let mut decoder = Responses::new(None, Meter::new());
        let decoded = feed(&mut decoder, &bytes, || *pieces.next().unwrap(), |_, _| {}).unwrap();
        prop_assert!(decoder.is_between_frames());
        prop_assert_eq!(decoded.into_iter().flat_map(frame).collect::<Vec<u8>>(), bytes);
    }

    #[test]
    fn any_bytes_are_read_without_panic_or_large_buffers(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        lengths in proptest::option::of((0u32..4000, 0u32..4000)),
        at in any::<prop::sample::Index>(),
        response in any_response(),
    ) {
        if let Some((head, body)) = lengths {
            let prefix: Vec<u8> = [head.to_be_bytes(), body.to_be_bytes()].concat();
            bytes.splice(0..0, prefix);
        } else {
            // a valid frame with one bit flipped
            let noise = bytes.first().copied().unwrap_or(1);
            bytes = frame(response);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << (noise % 8);
        }
        let bound = |fed: usize| 32 * 1024 + 2 * fed;
        let mut strange = Requests::new(Some(Greeted::new()), Meter::new());
        let _ = feed(&mut strange, &bytes, || 977, |d, _| assert!(d.reserved_bytes() <= 16 << 10));
        let mut known = Requests::new(None, Meter::new());
        let _ = feed(&mut known, &bytes, || 977, |d, fed| assert!(d.reserved_bytes() <= bound(fed)));
        let mut answers = Responses::new(None, Meter::new());
        let _ = feed(&mut answers, &bytes, || 977, |d, fed| {
            assert!(d.reserved_bytes() <= bound(fed) + PeerResponse::BODY_BYTES_MAX);
        });
    }
}

#[test]
fn requests_come_out_as_they_went_in() {
    let requests = [
        PeerRequest::Hello { hello: hello() },
        PeerRequest::News { request: news() },
        PeerRequest::Pick { key: key(), wanted: Window::of(ChunkIndex(5), [7, 9].map(ChunkIndex)) },
        PeerRequest::GetChunk { key: key(), index: ChunkIndex(u32::MAX) },
    ];
    for request in requests {
        let expected = format!("{request:?}");
        let mut decoder = Requests::new(None, Meter::new());
        let bytes = frame(call(u64::MAX, SOON, request));
        let decoded = feed(&mut decoder, &bytes, || 1, |_, _| {}).unwrap();
        let [ClientMessage::Request(decoded)] = &decoded[..] else { panic!("{decoded:?}") };
        assert_eq!(decoded.id, u64::MAX);
        assert_eq!(format!("{:?}", decoded.message), expected);
        let left = decoded.context.deadline.saturating_duration_since(Instant::now());
        assert!(left <= SOON && left > SOON / 2, "{left:?}");
    }
}

/// tarpc accepts any deadline from the wire, and panics when it lies too far ahead.
#[test]
fn a_deadline_is_cut() {
    for (timeout_ms, at_most) in [(u32::MAX, TIMEOUT_MAX), (0, Duration::ZERO)] {
        let request = PeerRequest::Hello { hello: hello() };
        let head = postcard::to_stdvec(&(0u8, 1u64, timeout_ms, request)).unwrap();
        let (message, rest) = <ClientMessage<PeerRequest>>::read_head(&head).unwrap();
        assert!(rest.is_empty());
        let ClientMessage::Request(request) = message else { panic!("{message:?}") };
        assert!(request.context.deadline <= Instant::now() + at_most);
    }
}

/// Memory for an announced length is not reserved before the bytes arrive.
#[test]
fn announced_lengths_reserve_nothing() {
    let mut decoder = Responses::new(None, Meter::new());
    let lengths = [(PeerResponse::HEAD_BYTES_MAX as u32).to_be_bytes(), (1u32 << 20).to_be_bytes()].concat();
    feed(&mut decoder, &lengths, || 3, |_, _| {}).unwrap();
    let _ = decoder.space();
    assert!(decoder.reserved_bytes() <= 16 << 10, "{} bytes", decoder.reserved_bytes());
}

/// A chunk that is kept keeps no more memory than its own bytes.
#[test]
fn a_body_has_a_buffer_of_exactly_its_size() {
    let chunk = PeerResponse::GetChunk(ChunkReply::Chunk(Bytes::from(vec![1; 1 << 20]).into()));
    let bytes = frame(Response { request_id: 1, message: Ok(chunk) });
    let mut most = 0;
    let mut decoder = Responses::new(None, Meter::new());
    feed(&mut decoder, &bytes, || 100_000, |d, _| most = most.max(d.reserved_bytes())).unwrap();
    assert!(most <= (1 << 20) + (16 << 10), "{most} bytes");
}

#[test]
fn what_breaks_the_protocol_is_named() {
    let lengths =
        |head: usize, body: usize| [(head as u32).to_be_bytes(), (body as u32).to_be_bytes()].concat();
    let with_body = |mut bytes: Vec<u8>| {
        bytes[7] = 1; // one byte of body
        bytes.push(0);
        bytes
    };
    let with_junk = |mut bytes: Vec<u8>| {
        bytes[3] += 1;
        bytes.push(0);
        bytes
    };
    let pick = || frame(Response { request_id: 1, message: Ok(PeerResponse::Pick(PickReply::NotHere)) });
    let cases = [
        (lengths(PeerResponse::HEAD_BYTES_MAX + 1, 0), "are allowed"),
        (lengths(1, PeerResponse::BODY_BYTES_MAX + 1), "are allowed"),
        (lengths(0, 0), "no message"),
        (vec![255; 100], "are allowed"),
        (with_body(pick()), "a body on a message that has none"),
        (with_junk(pick()), "too many"),
    ];
    for (bytes, why) in cases {
        let mut decoder = Responses::new(None, Meter::new());
        let error = feed(&mut decoder, &bytes, || 5, |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn before_hello_only_hello_is_read() {
    let greeted = Greeted::new();
    let read = |bytes: &[u8]| {
        let mut decoder = Requests::new(Some(greeted.clone()), Meter::new());
        feed(&mut decoder, bytes, || 5, |_, _| {}).map(|messages| messages.len())
    };
    let greeting = frame(call(1, SOON, PeerRequest::Hello { hello: hello() }));
    let other = frame(call(1, SOON, PeerRequest::Complain { key: key(), index: ChunkIndex(0) }));
    let long = [HELLO_BYTES_MAX as u32 + 1, 0].map(u32::to_be_bytes).concat();
    assert_eq!(read(&greeting).unwrap(), 1);
    assert!(read(&other).is_err());
    assert!(read(&long).is_err());
    greeted.accept();
    assert_eq!(read(&other).unwrap(), 1);
    assert_eq!(read(&long).unwrap(), 0);
}

#[test]
fn a_caller_that_has_not_proved_itself_sends_short_heads_and_no_bodies() {
    let greeted = Greeted::new();
    greeted.accept_narrow();
    let read = |bytes: &[u8]| {
        let mut decoder = Requests::new(Some(greeted.clone()), Meter::new());
        feed(&mut decoder, bytes, || 5, |_, _| {}).map(|messages| messages.len())
    };
    let call = frame(call(1, SOON, PeerRequest::Complain { key: key(), index: ChunkIndex(0) }));
    let lengths = |head: usize, body: u32| [(head as u32).to_be_bytes(), body.to_be_bytes()].concat();
    assert_eq!(read(&call).unwrap(), 1, "hello was accepted");
    assert_eq!(read(&lengths(NARROW_HEAD_BYTES_MAX, 0)).unwrap(), 0);
    assert!(read(&lengths(NARROW_HEAD_BYTES_MAX + 1, 0)).is_err());
    assert!(read(&lengths(10, 1)).is_err());
    assert!(greeted.is_accepted() && greeted.is_narrow());
    greeted.accept();
    assert_eq!(read(&lengths(NARROW_HEAD_BYTES_MAX + 1, 0)).unwrap(), 0);
    assert!(!greeted.is_narrow());
}

/// A request as the caller makes it.
pub(super) fn call(id: u64, timeout: Duration, message: PeerRequest) -> ClientMessage<PeerRequest> {
    let mut context = tarpc::context::current();
    context.deadline = Instant::now() + timeout;
    ClientMessage::Request(tarpc::Request { id, context, message })
}

/// A request's bytes.
pub(super) fn call_bytes(id: u64, message: PeerRequest) -> Vec<u8> {
    frame(call(id, SOON, message))
}

/// The bytes of a request to forget another.
pub(super) fn cancel_bytes(id: u64) -> Vec<u8> {
    frame(ClientMessage::<PeerRequest>::Cancel { trace_context: Default::default(), request_id: id })
}

/// An answer's bytes.
pub(super) fn answer_bytes(id: u64, message: PeerResponse) -> Vec<u8> {
    frame(Response { request_id: id, message: Ok(message) })
}
