//! Tests of timeouts and limits, and of when things are dropped.

use super::pure::call_bytes;
use super::*;
use crate::rpc::wire::CallError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn who_never_says_hello_is_let_go() {
    let fake = Fake::default();
    let (_near, server) = fake.pipe(1024, fake.options());
    let start = Instant::now();
    assert!(matches!(server.await.unwrap(), LinkEnd::NoHello));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_hello_byte_by_byte_gains_no_time() {
    let fake = Fake::default();
    let (mut near, server) = fake.pipe(1024, fake.options());
    let slow = tokio::spawn(async move {
        for byte in call_bytes(1, PeerRequest::Hello { hello: hello() }) {
            near.write_all(&[byte]).await?;
            sleep(Duration::from_secs(1)).await;
        }
        std::io::Result::Ok(near)
    });
    let start = Instant::now();
    assert!(matches!(server.await.unwrap(), LinkEnd::NoHello));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert!(slow.await.unwrap().is_err());
}

#[tokio::test]
async fn a_refused_hello_is_answered_before_the_connection_ends() {
    let fake = Fake::default();
    let pair = fake.link(fake.options());
    let malformed = Hello { listen_port: 0, ..hello() };
    assert_eq!(pair.caller.hello(malformed, SOON).await, Ok(Err(HelloRefused::Malformed)));
    assert!(matches!(pair.server.await.unwrap(), LinkEnd::Refused));
    assert_eq!(pair.caller.hello(hello(), SOON).await, Err(CallError::Closed));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_but_not_under_an_open_call() {
    let fake = Fake::default();
    let pair = fake.link(fake.options());
    pair.caller.hello(hello(), SOON).await.unwrap().unwrap();
    let start = Instant::now();
    assert_eq!(pair.caller.news(news(), 9 * MINUTE).await, Err(CallError::TimedOut));
    assert_eq!(start.elapsed(), 9 * MINUTE, "cut while a call was open");
    assert!(matches!(pair.server.await.unwrap(), LinkEnd::Idle));
    let idle = start.elapsed() - 9 * MINUTE;
    assert!(idle <= 5 * MINUTE + Duration::from_secs(1), "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_bytes_is_let_go() {
    let fake = Fake::greeted();
    let (mut near, server) = fake.pipe(4 << 10, fake.options());
    let request = PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) };
    near.write_all(&call_bytes(1, request)).await.unwrap();
    // A client that reads a little now and then is slow, not stalled.
    for _ in 0..10 {
        near.read_exact(&mut [0; 1024]).await.unwrap();
        sleep(Duration::from_secs(20)).await;
    }
    assert!(!server.is_finished());
    assert_eq!(fake.chunks(), 1);
    let start = Instant::now();
    assert!(matches!(server.await.unwrap(), LinkEnd::Stalled));
    assert!(start.elapsed() <= Duration::from_secs(31), "{:?}", start.elapsed());
    assert_eq!(fake.chunks(), 0);
}

/// Byte by byte it would hold a chunk and a place for ever, longer than anybody waits for an answer.
#[tokio::test(start_paused = true)]
async fn who_takes_a_byte_now_and_then_is_let_go_in_the_end() {
    let fake = Fake::greeted();
    let (mut near, server) = fake.pipe(4 << 10, fake.options());
    let request = PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) };
    near.write_all(&call_bytes(1, request)).await.unwrap();
    let start = Instant::now();
    while !server.is_finished() && start.elapsed() < 20 * MINUTE {
        let _ = near.read(&mut [0; 16]).await;
        sleep(Duration::from_secs(10)).await;
    }
    assert!(matches!(server.await.unwrap(), LinkEnd::Stalled));
    assert!((9 * MINUTE..=11 * MINUTE).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(fake.chunks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_notices_that_nothing_is_taken() {
    let (near, _far) = duplex(64);
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    let link = tokio::spawn(link);
    let changes = Subscriptions { removed: Vec::new(), added: vec![key()] };
    let call = caller.subscribe(changes, 9 * MINUTE);
    assert_eq!(call.await, Err(CallError::Closed));
    assert!(matches!(link.await.unwrap(), LinkEnd::Stalled));
}

/// Dropping a body frees an upload slot: not before its last byte is written, and no later.
#[tokio::test]
async fn a_body_is_dropped_when_its_last_byte_was_written() {
    let fake = Fake::greeted();
    let pipe_bytes = 4 << 10;
    let (mut near, _server) = fake.pipe(pipe_bytes, fake.options());
    let request = PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) };
    near.write_all(&call_bytes(1, request)).await.unwrap();
    let (head, body) = (near.read_u32().await.unwrap(), near.read_u32().await.unwrap());
    assert_eq!(body, CHUNK_BYTES);
    // After this, one byte more is left than the pipe holds.
    let mut read = vec![0; head as usize + body as usize - pipe_bytes - 1];
    near.read_exact(&mut read).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!((fake.chunks(), fake.is_written()), (1, false), "dropped before it was written");
    near.read_exact(&mut [0]).await.unwrap();
    until("the chunk is dropped", || fake.chunks() == 0).await;
    assert!(fake.is_written());
}

#[tokio::test]
async fn what_was_broken_off_is_not_written_and_the_connection_has_ended_before_it_is_dropped() {
    for (read, abort) in [(0, false), (100, false), (100, true)] {
        let fake = Fake::greeted();
        let options = fake.options();
        let ended = options.ended.clone();
        let (mut near, server) = fake.pipe(4 << 10, options);
        let request = PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) };
        near.write_all(&call_bytes(1, request)).await.unwrap();
        near.read_exact(&mut vec![0; read]).await.unwrap();
        until("the chunk is on its way", || fake.chunks() == 1).await;
        assert!(!ended.is_set());
        match abort {
            true => server.abort(),
            false => drop(near),
        }
        until("the chunk is dropped", || fake.chunks() == 0).await;
        assert!(ended.is_set() && !fake.is_written());
    }
}

#[tokio::test]
async fn a_dropped_call_ends_its_handler() {
    let fake = Fake::greeted();
    let pair = fake.link(fake.options());
    let caller = pair.caller.clone();
    let call = tokio::spawn(async move { caller.news(news(), SOON).await });
    until("the handler runs", || fake.handlers() == 1).await;
    call.abort();
    until("the handler ended", || fake.handlers() == 0).await;
    assert_eq!(pair.caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
}

#[tokio::test]
async fn too_many_calls_are_refused_and_the_others_go_on() {
    let fake = Fake::greeted();
    let (near, _server) = fake.pipe(64 << 10, fake.options());
    let options = ClientOptions { in_flight_max: 32, ..ClientOptions::default() };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    tokio::spawn(link);
    let open: Vec<_> = (0..16)
        .map(|_| {
            let caller: PeerCaller = caller.clone();
            tokio::spawn(async move { caller.news(news(), SOON).await })
        })
        .collect();
    until("16 handlers run", || fake.handlers() == 16).await;
    assert_eq!(caller.complain(key(), ChunkIndex(0), SOON).await, Err(CallError::Refused));
    open[0].abort();
    until("a handler ended", || fake.handlers() == 15).await;
    assert_eq!(caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
}

#[tokio::test]
async fn a_full_window_counts_against_the_time_of_a_call() {
    let fake = Fake::greeted();
    let (near, _server) = fake.pipe(64 << 10, fake.options());
    let options = ClientOptions { in_flight_max: 1, ..ClientOptions::default() };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    tokio::spawn(link);
    let brief = Duration::from_millis(50);
    let (first, second) = tokio::join!(
        caller.news(news(), Duration::MAX.min(brief * 4)),
        caller.complain(key(), ChunkIndex(0), brief)
    );
    assert_eq!(first, Err(CallError::TimedOut));
    assert_eq!(second, Err(CallError::TimedOut));
    assert_eq!(caller.complain(key(), ChunkIndex(0), Duration::MAX).await, Ok(()));
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_its_call_only() {
    let fake = Fake::greeted();
    let pair = fake.link(fake.options());
    let answer = pair.caller.get_chunk(key(), ChunkIndex(1000), SOON).await;
    assert!(matches!(answer, Err(CallError::Failed(_))), "{answer:?}");
    let changes = Subscriptions { removed: Vec::new(), added: vec![key(); 10_000] };
    let answer = pair.caller.subscribe(changes, SOON).await;
    assert!(matches!(answer, Err(CallError::Failed(_))), "{answer:?}");
    assert_eq!(pair.caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
}

#[tokio::test]
async fn dropping_either_end_ends_all() {
    let fake = Fake::greeted();
    for drop_server in [true, false] {
        let pair = fake.link(fake.options());
        let caller = pair.caller.clone();
        let call = tokio::spawn(async move { caller.news(news(), SOON).await });
        until("the handler runs", || fake.handlers() == 1).await;
        if drop_server {
            pair.server.abort()
        } else {
            pair.client.abort()
        }
        assert_eq!(call.await.unwrap(), Err(CallError::Closed));
        until("the handler ended", || fake.handlers() == 0).await;
    }
}

/// tarpc's own for_each_concurrent would hang here: at its limit it stops polling the writer of answers.
#[tokio::test]
async fn many_calls_through_a_narrow_window_all_end() {
    let fake = Fake::greeted();
    let options = ServerOptions { requests_max: 4, ..fake.options() };
    let (near, _server) = fake.pipe(64 << 10, options);
    let options = ClientOptions { in_flight_max: 4, ..ClientOptions::default() };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    tokio::spawn(link);
    let calls = (0..100).map(|index| caller.get_chunk(key(), ChunkIndex(index), 2 * SOON));
    for reply in futures::future::join_all(calls).await {
        assert!(matches!(reply, Ok(ChunkReply::Chunk(_))), "{reply:?}");
    }
}

#[tokio::test]
async fn an_open_poll_does_not_outlive_the_connection_of_its_asker() {
    let fake = Fake::greeted();
    let pair = fake.link(fake.options());
    let poll = tokio::spawn(async move { pair.caller.news(news(), MINUTE).await });
    until("the poll is open", || fake.handlers() == 1).await;
    pair.client.abort();
    let end = tokio::time::timeout(SOON, pair.server).await.unwrap().unwrap();
    assert!(matches!(end, LinkEnd::Closed), "{end:?}");
    assert_eq!(fake.handlers(), 0);
    assert_eq!(poll.await.unwrap(), Err(CallError::Closed));
}
