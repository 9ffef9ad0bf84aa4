//! Tests of a connection with a layer that takes bytes before the socket does, as TLS is one.

use super::pure::call_bytes;
use super::*;
use crate::rpc::wire::{CallError, Sideband, Unread};
use std::task::ready;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// The bytes that the layer takes, as many as rustls does.
const LAYER_BYTES_MAX: usize = 64 << 10;

/// The bytes that the pipe below takes.
const PIPE_BYTES: usize = 4 << 10;

/// A layer that takes bytes, and passes on what the stream below takes.
struct Layer {
    io: DuplexStream,
    held: Vec<u8>,
    sideband: Sideband,
}

impl Layer {
    fn poll_pass_on(&mut self, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let bytes = ready!(Pin::new(&mut self.io).poll_write(cx, &self.held))?;
            self.held.drain(..bytes);
            self.sideband.set_held(self.held.len() as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Layer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Layer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = bytes.len().min(LAYER_BYTES_MAX - this.held.len());
        this.held.extend_from_slice(&bytes[..taken]);
        this.sideband.set_held(this.held.len() as u64);
        let passed_on = this.poll_pass_on(cx)?;
        if taken == 0 && passed_on.is_pending() { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_pass_on(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_pass_on(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

/// Serves one end of a pipe through a [`Layer`], and returns the other.
fn layered(fake: &Fake, options: ServerOptions) -> (DuplexStream, JoinHandle<LinkEnd>) {
    let (near, far) = duplex(PIPE_BYTES);
    let far = Layer { io: far, held: Vec::new(), sideband: options.sideband.clone() };
    (near, tokio::spawn(serve(far, options, fake.clone().serve())))
}

/// Asks for a chunk. Returns the number of bytes of the answer.
async fn ask(near: &mut DuplexStream) -> usize {
    let request = PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) };
    near.write_all(&call_bytes(1, request)).await.unwrap();
    let (head, body) = (near.read_u32().await.unwrap(), near.read_u32().await.unwrap());
    assert_eq!(body, CHUNK_BYTES);
    (head + body) as usize
}

/// Otherwise the upload slot would be free while the layer still holds 64 KiB.
#[tokio::test]
async fn a_body_is_dropped_when_it_is_flushed() {
    let fake = Fake::greeted();
    let (mut near, _server) = layered(&fake, fake.options());
    let bytes = ask(&mut near).await;
    // After this, the layer took everything, and has a byte more than the pipe takes.
    let mut read = vec![0; bytes - PIPE_BYTES - 1];
    near.read_exact(&mut read).await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((fake.chunks(), fake.is_written()), (1, false), "dropped before it was flushed");
    near.read_exact(&mut [0]).await.unwrap();
    until("the chunk is dropped", || fake.chunks() == 0).await;
    assert_eq!((fake.is_written(), fake.seen_written()), (true, 1), "its owner sees that it was written");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_what_a_layer_holds_is_let_go() {
    let fake = Fake::greeted();
    let (mut near, server) = layered(&fake, fake.options());
    let bytes = ask(&mut near).await;
    near.read_exact(&mut vec![0; bytes - PIPE_BYTES - 1]).await.unwrap();
    let start = Instant::now();
    assert!(matches!(server.await.unwrap(), LinkEnd::Stalled));
    assert!((29..=31).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(fake.chunks(), 0);
}

/// The layer takes 64 KiB at once, and then none for longer than the time for which the other side may take none.
#[tokio::test(start_paused = true)]
async fn who_takes_a_little_of_what_a_layer_holds_now_and_then_is_not_let_go() {
    let fake = Fake::greeted();
    let (mut near, server) = layered(&fake, fake.options());
    let mut bytes = ask(&mut near).await;
    let slowly = async |near: &mut DuplexStream, bytes: &mut usize| {
        for _ in 0..10 {
            sleep(Duration::from_secs(20)).await;
            near.read_exact(&mut [0; 1024]).await.unwrap();
            *bytes -= 1024;
        }
    };
    slowly(&mut near, &mut bytes).await;
    assert!(!server.is_finished(), "in the middle of the body");
    near.read_exact(&mut vec![0; bytes - (20 << 10)]).await.unwrap();
    bytes = 20 << 10;
    slowly(&mut near, &mut bytes).await;
    assert!(!server.is_finished(), "while the stream is flushed");
    near.read_exact(&mut vec![0; bytes]).await.unwrap();
    until("the chunk is dropped", || fake.is_written()).await;
}

#[tokio::test]
async fn what_layers_hold_counts_as_unread() {
    let (fake, unread) = (Fake::greeted(), Unread::new(8 << 20));
    let options = ServerOptions { in_turn: true, unread: Some(unread.clone()), ..fake.options() };
    let (mut near, _server) = layered(&fake, options);
    let bytes = ask(&mut near).await;
    near.read_exact(&mut vec![0; bytes - PIPE_BYTES - 10_000]).await.unwrap();
    until("the layer's bytes are counted", || unread.bytes() == 10_000).await;
    near.read_exact(&mut vec![0; PIPE_BYTES + 10_000]).await.unwrap();
    until("none is left", || unread.bytes() == 0).await;
}

/// The next call is read after the answer to the last one has left the layer.
#[tokio::test]
async fn calls_in_turn_are_answered_through_a_layer() {
    let fake = Fake::greeted();
    let (near, _server) = layered(&fake, ServerOptions { in_turn: true, ..fake.options() });
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, ClientOptions::default());
    tokio::spawn(link);
    let calls = (0..12).map(|index| caller.get_chunk(key(), ChunkIndex(index), SOON));
    for reply in futures::future::join_all(calls).await {
        assert!(matches!(reply, Ok(ChunkReply::Chunk(_))), "{reply:?}");
    }
    assert_eq!(fake.chunks.peak.load(Ordering::SeqCst), 1);
}

/// A layer may have something to say at the end, which the other side does not take.
#[tokio::test(start_paused = true)]
async fn an_end_that_is_not_taken_waits_no_longer_than_a_write() {
    let (near, _far) = duplex(16);
    let sideband = Sideband::new();
    let options = ClientOptions { sideband: sideband.clone(), ..ClientOptions::default() };
    let near = Layer { io: near, held: vec![0; 100], sideband };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    drop(caller);
    let start = Instant::now();
    let end = tokio::time::timeout(Duration::from_secs(120), link).await.expect("it ends");
    assert!(matches!(end, LinkEnd::Stalled), "{end:?}");
    assert!(start.elapsed() <= Duration::from_secs(31), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_layer_holds_ends_with_its_connection() {
    let (near, _far) = duplex(16);
    let sideband = Sideband::new();
    let options = ClientOptions { sideband: sideband.clone(), ..ClientOptions::default() };
    let near = Layer { io: near, held: Vec::new(), sideband };
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    let link = tokio::spawn(link);
    let call = caller.complain(key(), ChunkIndex(0), 20 * SOON);
    assert_eq!(call.await, Err(CallError::Closed));
    assert!(matches!(link.await.unwrap(), LinkEnd::Stalled));
}
