//! Tests of another side that breaks the protocol or tries to exhaust us.

use super::pure::{answer_bytes, call_bytes, cancel_bytes};
use super::*;
use crate::rpc::wire::{Budget, CallError, Meter, Unread};
use tarpc::server::ServeFn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Writes the bytes and closes. Returns how the server's connection ended.
async fn end_after(fake: &Fake, bytes: &[u8]) -> LinkEnd {
    let (mut near, server) = fake.pipe(64 << 10, fake.options());
    let _ = near.write_all(bytes).await;
    drop(near);
    tokio::time::timeout(SOON, server).await.unwrap().unwrap()
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    for greeted in [Fake::default(), Fake::greeted()] {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[255; 64], &[0; 64]] {
            let end = end_after(&greeted, bytes).await;
            assert!(matches!(end, LinkEnd::Malformed(_)), "{end:?} after {bytes:?}");
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_cut_short_ends_the_connection() {
    let whole = call_bytes(1, PeerRequest::Complain { key: key(), index: ChunkIndex(0) });
    for len in 1..whole.len() {
        let end = end_after(&Fake::greeted(), &whole[..len]).await;
        assert!(matches!(end, LinkEnd::Cut), "{end:?} after {len} bytes");
    }
    assert!(matches!(end_after(&Fake::greeted(), &[]).await, LinkEnd::Closed));
}

#[tokio::test]
async fn a_body_is_not_read_from_who_has_none_to_send() {
    let bytes = [1u32.to_be_bytes(), (1u32 << 20).to_be_bytes()].concat();
    assert!(matches!(end_after(&Fake::greeted(), &bytes).await, LinkEnd::Malformed(_)));
}

#[tokio::test]
async fn a_call_before_hello_ends_the_connection() {
    let bytes = call_bytes(1, PeerRequest::Complain { key: key(), index: ChunkIndex(0) });
    assert!(matches!(end_after(&Fake::default(), &bytes).await, LinkEnd::Malformed(_)));
    assert!(matches!(end_after(&Fake::default(), &cancel_bytes(1)).await, LinkEnd::Closed));
}

/// Asks for many chunks, with these bytes after each request, and reads nothing.
async fn check_unread(after_each: fn(u64) -> Vec<u8>) {
    let fake = Fake::greeted();
    let options = ServerOptions { write_timeout: Duration::from_millis(300), ..fake.options() };
    let (near, server) = fake.pipe(4 << 10, options);
    let (_unread, mut near) = tokio::io::split(near);
    let asking = tokio::spawn(async move {
        for id in 0..400 {
            let index = ChunkIndex(0);
            let bytes =
                [call_bytes(id, PeerRequest::GetChunk { key: key(), index }), after_each(id)].concat();
            if near.write_all(&bytes).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        std::future::pending().await
    });
    assert!(matches!(server.await.unwrap(), LinkEnd::Stalled));
    let peak = fake.chunks.peak.load(Ordering::SeqCst);
    assert!((1..=33).contains(&peak), "{peak} chunks were held at once");
    assert_eq!(fake.chunks(), 0, "chunks outlive their connection");
    asking.abort();
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded() {
    check_unread(|_| Vec::new()).await;
}

#[tokio::test]
async fn answers_to_cancelled_calls_are_bounded() {
    check_unread(|id| id.checked_sub(8).map(cancel_bytes).unwrap_or_default()).await;
}

/// A client that reads nothing gets one answer at a time, and all such clients together are bounded.
#[tokio::test]
async fn what_many_connections_leave_unread_is_bounded() {
    let (fake, unread) = (Fake::greeted(), Unread::new(8 << 20));
    let options = ServerOptions { in_turn: true, unread: Some(unread.clone()), ..fake.options() };
    let calls =
        (0..8).flat_map(|id| call_bytes(id, PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) }));
    let calls: Vec<u8> = calls.collect();
    let (mut near, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let (mut stream, server) = fake.pipe(4 << 10, options.clone());
        stream.write_all(&calls).await.unwrap();
        near.push(stream);
        ends.push(server);
    }
    until("the newest ones are let go", || ends.iter().filter(|end| end.is_finished()).count() >= 22).await;
    assert!(unread.bytes() <= 8 << 20, "{} bytes wait", unread.bytes());
    assert_eq!(fake.chunks(), ends.iter().filter(|end| !end.is_finished()).count(), "one for each");
    let pair = fake.link(options);
    assert_eq!(pair.caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()), "who reads is answered");
    drop(near);
    until("they are gone", || unread.bytes() == 0).await;
}

#[tokio::test]
async fn calls_in_turn_are_all_answered() {
    let fake = Fake::greeted();
    let pair = fake.link(ServerOptions { in_turn: true, ..fake.options() });
    let calls = (0..12).map(|index| {
        let caller = pair.caller.clone();
        async move {
            match index % 3 {
                0 => caller.complain(key(), ChunkIndex(index), SOON).await.unwrap(),
                _ => {
                    let reply = caller.get_chunk(key(), ChunkIndex(index), SOON).await.unwrap();
                    assert!(matches!(reply, ChunkReply::Chunk(_)));
                }
            }
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!(fake.chunks.peak.load(Ordering::SeqCst), 1, "the next is begun when the last was taken");
}

#[tokio::test]
async fn a_request_without_time_leaves_the_connection_well() {
    let fake = Fake::greeted();
    let (mut near, _server) = fake.pipe(4 << 10, fake.options());
    for timeout_ms in [0, u32::MAX] {
        let request = PeerRequest::News { request: news() };
        let head = postcard::to_stdvec(&(0u8, u64::from(timeout_ms), timeout_ms, request)).unwrap();
        near.write_all(&[head.len() as u32, 0].map(u32::to_be_bytes).concat()).await.unwrap();
        near.write_all(&head).await.unwrap();
    }
    until("the one with time runs alone", || fake.handlers() == 1).await;
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    tokio::spawn(link);
    assert_eq!(caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
}

#[tokio::test]
async fn an_answer_to_another_question_is_an_error() {
    let (near, far) = duplex(4 << 10);
    let service: ServeFn<PeerRequest, PeerResponse, _> =
        tarpc::server::serve(|_, _: PeerRequest| async { Ok(PeerResponse::Complain(())) });
    tokio::spawn(serve(far, ServerOptions::default(), service));
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    tokio::spawn(link);
    assert_eq!(caller.hello(hello(), SOON).await, Err(CallError::WrongReply));
}

#[tokio::test]
async fn an_answer_to_a_call_that_was_taken_back_is_skipped() {
    let (near, mut far) = duplex(4 << 10);
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    tokio::spawn(link);
    let brief = Duration::from_millis(10);
    assert_eq!(caller.complain(key(), ChunkIndex(0), brief).await, Err(CallError::TimedOut));
    let calling = caller.complain(key(), ChunkIndex(0), SOON);
    let answering = async {
        far.read_exact(&mut [0; 8]).await.unwrap();
        for id in 0..2 {
            far.write_all(&answer_bytes(id, PeerResponse::Complain(()))).await.unwrap();
        }
    };
    assert_eq!(tokio::join!(calling, answering).0, Ok(()));
}

/// An answer that comes twice, or without any call, could be one of endlessly many.
#[tokio::test]
async fn an_answer_too_many_ends_the_connection() {
    let (near, mut far) = duplex(4 << 10);
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    let link = tokio::spawn(link);
    let answer = answer_bytes(0, PeerResponse::Complain(()));
    let answering = async {
        far.read_exact(&mut [0; 8]).await.unwrap();
        far.write_all(&answer).await.unwrap();
    };
    let calling = caller.complain(key(), ChunkIndex(0), SOON);
    assert_eq!(tokio::join!(calling, answering).0, Ok(()));
    far.write_all(&answer).await.unwrap();
    let end = tokio::time::timeout(SOON, link).await.unwrap().unwrap();
    assert!(matches!(end, LinkEnd::Malformed(_)), "{end:?}");
}

#[tokio::test]
async fn who_asks_without_end_is_let_go() {
    let fake = Fake::greeted();
    let budget = Budget::new(50, 1);
    let options = ServerOptions { budget: Some(budget), ..fake.options() };
    let (near, server) = fake.pipe(4 << 10, options);
    let (mut unread, mut near) = tokio::io::split(near);
    tokio::spawn(async move { while unread.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {} });
    for id in 0..200 {
        let bytes = call_bytes(id, PeerRequest::Complain { key: key(), index: ChunkIndex(0) });
        if near.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let end = tokio::time::timeout(SOON, server).await.unwrap().unwrap();
    assert!(matches!(end, LinkEnd::Flooded), "{end:?}");
}

#[tokio::test]
async fn the_meter_sees_bodies_that_are_not_whole() {
    let (near, mut far) = duplex(2 << 20);
    let meter = Meter::new();
    let options = ClientOptions { meter: meter.clone(), ..ClientOptions::default() };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    tokio::spawn(link);
    let asking = tokio::spawn(async move { caller.get_chunk(key(), ChunkIndex(0), SOON).await });
    far.read_u32().await.unwrap(); // it asked
    let chunk = PeerResponse::GetChunk(ChunkReply::Chunk(Bytes::from(vec![0; 1 << 20]).into()));
    let bytes = answer_bytes(0, chunk);
    let head = bytes.len() - (1 << 20);
    let (begin, more) = bytes[..head + 500_000].split_at(head + 100_000);
    far.write_all(begin).await.unwrap();
    until("100,000 bytes are counted", || meter.received_bytes() == 100_000).await;
    far.write_all(more).await.unwrap();
    until("500,000 bytes are counted", || meter.received_bytes() == 500_000).await;
    drop(far);
    assert_eq!(asking.await.unwrap(), Err(CallError::Closed));
}
