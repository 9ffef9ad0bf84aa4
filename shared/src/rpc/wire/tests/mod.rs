//! Tests of both ends of connections, over pipes in memory, with a fake of the peers' service.

mod document;
mod gather;
mod heads;
mod hostile;
mod layers;
mod limits;
mod pure;

use super::{ClientOptions, Greeted, LinkEnd, ServerOptions, client, serve};
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use crate::rpc::peer::*;
use crate::rpc::{PROTOCOL_VERSION, Payload, Written};
use crate::window::Window;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{self, Poll};
use std::time::Duration;
use tarpc::context::Context;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(5);

/// Answers as a peer would. Chunks are full ones of zeros; each holds a guard while it is in memory.
#[derive(Clone, Default)]
struct Fake {
    greeted: Greeted,
    /// The running handlers, and the chunks in memory.
    handlers: Arc<Count>,
    chunks: Arc<Count>,
    /// Whether the last chunk was written.
    written: Arc<Mutex<Option<Written>>>,
    /// The number of chunks that saw, when they were dropped, that they were written.
    seen_written: Arc<AtomicUsize>,
}

/// Counts living objects, and the most that lived at once.
#[derive(Default)]
struct Count {
    now: AtomicUsize,
    peak: AtomicUsize,
}

struct Guard(Arc<Count>);

impl Guard {
    fn new(count: &Arc<Count>) -> Guard {
        let now = count.now.fetch_add(1, Ordering::SeqCst) + 1;
        count.peak.fetch_max(now, Ordering::SeqCst);
        Guard(count.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A chunk's bytes with a guard. As an upload slot does, it looks at its end whether all bytes were written.
struct Held {
    bytes: Vec<u8>,
    written: Written,
    /// The number of chunks that saw at their end that all bytes were written.
    seen_written: Arc<AtomicUsize>,
    _guard: Guard,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.seen_written.fetch_add(usize::from(self.written.is_set()), Ordering::SeqCst);
    }
}

impl Peer for Fake {
    async fn hello(self, _: Context, hello: Hello) -> Result<Welcome, HelloRefused> {
        let _guard = Guard::new(&self.handlers);
        if hello.listen_port == 0 {
            self.greeted.refuse();
            return Err(HelloRefused::Malformed);
        }
        self.greeted.accept();
        let peer_id = PeerId([2; 16]);
        Ok(Welcome { version: PROTOCOL_VERSION, capabilities: 0, peer_id, zone: String::new() })
    }

    /// Never answers.
    async fn news(self, _: Context, _: NewsRequest) -> NewsReply {
        let _guard = Guard::new(&self.handlers);
        std::future::pending().await
    }

    async fn pick(self, _: Context, _: SwarmKey, _: Window) -> PickReply {
        PickReply::NotHere
    }

    /// Chunks from 1,000 on are too large.
    async fn get_chunk(self, _: Context, _: SwarmKey, index: ChunkIndex) -> ChunkReply {
        let bytes = CHUNK_BYTES as usize + usize::from(index.0 >= 1000);
        let written = self.written.lock().unwrap().insert(Written::default()).clone();
        let held = Held {
            bytes: vec![index.0 as u8; bytes],
            written: written.clone(),
            seen_written: self.seen_written.clone(),
            _guard: Guard::new(&self.chunks),
        };
        ChunkReply::Chunk(Payload { bytes: Bytes::from_owner(held), written: Some(written) })
    }

    async fn complain(self, _: Context, _: SwarmKey, _: ChunkIndex) {}

    async fn subscribe(self, _: Context, _: Subscriptions) {}
}

impl Fake {
    /// A fake whose connections have passed hello.
    fn greeted() -> Fake {
        let fake = Fake::default();
        fake.greeted.accept();
        fake
    }

    fn options(&self) -> ServerOptions {
        ServerOptions { greeted: self.greeted.clone(), ..ServerOptions::default() }
    }

    /// Serves one end of a pipe of `pipe_bytes` bytes, and returns the other.
    fn pipe(&self, pipe_bytes: usize, options: ServerOptions) -> (DuplexStream, JoinHandle<LinkEnd>) {
        let (near, far) = duplex(pipe_bytes);
        (near, tokio::spawn(serve(far, options, self.clone().serve())))
    }

    /// The same, with a client at the other end.
    fn link(&self, options: ServerOptions) -> Pair {
        let (near, server) = self.pipe(64 << 10, options);
        let (caller, link) = client(near, ClientOptions::default());
        Pair { caller, client: tokio::spawn(link), server }
    }

    fn handlers(&self) -> usize {
        self.handlers.now.load(Ordering::SeqCst)
    }

    fn is_written(&self) -> bool {
        self.written.lock().unwrap().as_ref().is_some_and(Written::is_set)
    }

    fn seen_written(&self) -> usize {
        self.seen_written.load(Ordering::SeqCst)
    }

    fn chunks(&self) -> usize {
        self.chunks.now.load(Ordering::SeqCst)
    }
}

struct Pair {
    caller: PeerCaller,
    client: JoinHandle<LinkEnd>,
    server: JoinHandle<LinkEnd>,
}

fn hello() -> Hello {
    Hello {
        version: PROTOCOL_VERSION,
        capabilities: 0,
        peer_id: PeerId([1; 16]),
        listen_port: 7987,
        zone: String::new(),
        link: LinkKind::Bulk,
    }
}

fn key() -> SwarmKey {
    SwarmKey { resource: ResourceId([3; 32]), digest: ListDigest([4; 32]) }
}

fn news() -> NewsRequest {
    NewsRequest { received: 0 }
}

/// Waits until a condition holds, at most five seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(SOON, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what} did not come to hold");
}

#[tokio::test]
async fn a_chunk_arrives_as_it_was_sent() {
    let fake = Fake::default();
    let pair = fake.link(fake.options());
    let welcome = pair.caller.hello(hello(), SOON).await.unwrap().unwrap();
    assert_eq!(welcome.peer_id, PeerId([2; 16]));
    for index in [7, 8] {
        let reply = pair.caller.get_chunk(key(), ChunkIndex(index), SOON).await.unwrap();
        let ChunkReply::Chunk(payload) = reply else { panic!("{reply:?}") };
        assert_eq!(payload.bytes, vec![index as u8; CHUNK_BYTES as usize]);
    }
    assert_eq!(fake.chunks(), 0);
    drop(pair.caller);
    assert!(matches!(pair.client.await.unwrap(), LinkEnd::Closed));
    assert!(matches!(pair.server.await.unwrap(), LinkEnd::Closed));
}

/// A stream that records the number of bytes of each write.
struct Recorder {
    stream: DuplexStream,
    writes: Arc<Mutex<Vec<usize>>>,
}

impl Recorder {
    fn note(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.writes.lock().unwrap().push(*bytes);
        }
        polled
    }
}

impl AsyncRead for Recorder {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.note(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.note(polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn the_head_of_a_chunk_goes_out_with_its_body() {
    let (fake, writes) = (Fake::greeted(), Arc::new(Mutex::new(Vec::new())));
    let (near, far) = duplex(2 << 20);
    let far = Recorder { stream: far, writes: writes.clone() };
    let server = tokio::spawn(serve(far, fake.options(), fake.clone().serve()));
    let (caller, link) = client(near, ClientOptions::default());
    let link = tokio::spawn(link);
    let reply = caller.get_chunk(key(), ChunkIndex(1), SOON).await.unwrap();
    assert!(matches!(reply, ChunkReply::Chunk(_)), "{reply:?}");
    drop(caller);
    link.await.unwrap();
    server.await.unwrap();
    let writes = writes.lock().unwrap();
    assert!(matches!(writes[..], [bytes] if bytes > CHUNK_BYTES as usize), "{writes:?}");
}
