//! What goes through an encrypted connection, and at which price.

use super::*;
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::id::{ListDigest, ResourceId, SwarmKey};
use crate::rpc::peer::*;
use crate::rpc::wire::{self, Ahead, Batched, ClientOptions, Gather, Greeted, LinkEnd, ServerOptions};
use crate::rpc::{Payload, Written};
use crate::window::Window;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{self, Poll};
use tarpc::context::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// TCP of which the reads are counted. It takes every connection for a fast one, and so it waits for as many bytes as it
/// may: a number that is too large hangs.
struct Counted {
    io: Batched,
    reads: Arc<AtomicUsize>,
}

impl Gather for Counted {
    fn expect(&mut self, missing: usize) {
        self.io.assume(1e12);
        self.io.expect(missing);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_read(cx, buf);
        this.reads.fetch_add(usize::from(polled.is_ready()), Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Serves chunks.
#[derive(Clone, Default)]
struct Server {
    greeted: Greeted,
    /// Set when the last chunk has left.
    written: Arc<Mutex<Option<Written>>>,
}

fn chunk(index: ChunkIndex) -> Vec<u8> {
    (0..CHUNK_BYTES as usize).map(|at| (at % 251) as u8 ^ index.0 as u8).collect()
}

impl Peer for Server {
    async fn hello(self, _: Context, _: Hello) -> Result<Welcome, HelloRefused> {
        Err(HelloRefused::Full)
    }

    async fn news(self, _: Context, _: NewsRequest) -> NewsReply {
        std::future::pending().await
    }

    async fn pick(self, _: Context, _: SwarmKey, _: Window) -> PickReply {
        PickReply::NotHere
    }

    async fn get_chunk(self, _: Context, _: SwarmKey, index: ChunkIndex) -> ChunkReply {
        let written = Written::default();
        *self.written.lock().unwrap() = Some(written.clone());
        ChunkReply::Chunk(Payload { bytes: Bytes::from(chunk(index)), written: Some(written) })
    }

    async fn complain(self, _: Context, _: SwarmKey, _: ChunkIndex) {}

    async fn subscribe(self, _: Context, _: Subscriptions) {}
}

fn key() -> SwarmKey {
    SwarmKey { resource: ResourceId([3; 32]), digest: ListDigest([4; 32]) }
}

/// An encrypted connection over TCP; the reads of the side that dialled are counted.
async fn over_tcp(
    ca: &Ca,
) -> (Secured<Ahead<Counted>>, Sideband, Secured<TcpStream>, Sideband, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far, reads) = (Sideband::new(), Sideband::new(), Arc::new(AtomicUsize::new(0)));
    let how = dialing(TlsMode::Require, &ca.setup(&NAMES));
    let dialling = dial(&how, Role::Peer, || async {
        let io = Batched::new(TcpStream::connect(address).await?);
        Ok((Ahead::new(Counted { io, reads: reads.clone() }, near.clone()), near.clone()))
    });
    let how = accepting(TlsMode::Require, &ca.setup(&NAMES));
    let accepted = async { accept(listener.accept().await.unwrap().0, &how, far.clone()).await };
    let (dialled, accepted) = tokio::join!(dialling, accepted);
    (dialled.unwrap(), near.clone(), accepted.unwrap(), far.clone(), reads.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_costs_few_reads_and_nobody_waits_for_more_than_comes() {
    let (near, sideband, far, far_sideband, reads) = over_tcp(&Ca::new()).await;
    let server = Server::default();
    server.greeted.accept();
    let options =
        ServerOptions { greeted: server.greeted.clone(), sideband: far_sideband, ..ServerOptions::default() };
    let serving = tokio::spawn(wire::serve(far, options, server.clone().serve()));
    let options = ClientOptions { sideband, ..ClientOptions::default() };
    let (caller, link): (PeerCaller, _) = wire::client(near, options);
    let link = tokio::spawn(link);
    const CHUNKS: u32 = 40;
    let before = reads.load(Ordering::Relaxed);
    for index in (0..CHUNKS).map(ChunkIndex) {
        let reply = caller.get_chunk(key(), index, SOON).await;
        let Ok(ChunkReply::Chunk(payload)) = reply else { panic!("{index:?}: {reply:?}") };
        assert!(payload.bytes == chunk(index), "chunk {index:?} differs");
        assert_eq!(caller.complain(key(), index, SOON).await, Ok(()), "a head behind a chunk");
    }
    let reads = reads.load(Ordering::Relaxed) - before;
    assert!(reads <= 40 * CHUNKS as usize, "{} reads per chunk", reads as f64 / f64::from(CHUNKS));
    // Several at once follow each other without a pause.
    let both = tokio::join!(
        caller.get_chunk(key(), ChunkIndex(1), SOON),
        caller.get_chunk(key(), ChunkIndex(2), SOON)
    );
    assert!(matches!(both, (Ok(ChunkReply::Chunk(_)), Ok(ChunkReply::Chunk(_)))), "{both:?}");
    drop(caller);
    assert!(matches!(link.await.unwrap(), LinkEnd::Closed));
    assert!(matches!(serving.await.unwrap(), LinkEnd::Closed));
}

#[tokio::test]
async fn megabytes_arrive_in_both_directions_at_once() {
    const BYTES: usize = 5 << 20;
    let (near, _, far, _, _) = over_tcp(&Ca::new()).await;
    let data: Arc<Vec<u8>> = Arc::new((0..BYTES).map(|at| (at % 253) as u8).collect());
    let (mut near, mut far) = (tokio::io::split(near), tokio::io::split(far));
    let (mut here, mut there) = (vec![0; BYTES], vec![0; BYTES]);
    let all = async {
        tokio::try_join!(
            async {
                near.1.write_all(&data).await?;
                near.1.flush().await
            },
            async {
                far.1.write_all(&data).await?;
                far.1.flush().await
            },
            async { near.0.read_exact(&mut here).await.map(drop) },
            async { far.0.read_exact(&mut there).await.map(drop) },
        )
    };
    tokio::time::timeout(SOON, all).await.unwrap().unwrap();
    assert!(here == *data && there == *data);
}

/// A chunk is written when it has left rustls as well: its upload slot is free only then.
#[tokio::test]
async fn a_chunk_that_waits_in_the_layers_is_not_written() {
    let ca = Ca::new();
    let (dialled, accepted) =
        meet(&dialing(TlsMode::Require, &ca.setup(&NAMES)), &accepting(TlsMode::Require, &ca.setup(&NAMES)))
            .await;
    let server = Server::default();
    server.greeted.accept();
    let options = ServerOptions { greeted: server.greeted.clone(), ..ServerOptions::default() };
    let serving = tokio::spawn(wire::serve(accepted.unwrap(), options, server.clone().serve()));
    // The first request is written by hand, so that its answer can be left lying.
    let (caller, link): (PeerCaller, _) = wire::client(dialled.unwrap(), ClientOptions::default());
    let mut link = Box::pin(link);
    let mut asking = Box::pin(caller.get_chunk(key(), ChunkIndex(0), SOON));
    let is_asked = || server.written.lock().unwrap().is_some();
    while !is_asked() {
        tokio::select! {
            biased;
            end = &mut link => panic!("{end}"),
            reply = &mut asking => panic!("{reply:?}"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!server.written.lock().unwrap().as_ref().unwrap().is_set(), "nobody has read it");
    let link = tokio::spawn(link);
    assert!(matches!(asking.await, Ok(ChunkReply::Chunk(_))));
    assert!(server.written.lock().unwrap().as_ref().unwrap().is_set());
    drop(caller);
    link.await.unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn what_waits_in_rustls_is_told_and_becomes_less() {
    let ca = Ca::new();
    let sideband = Sideband::new();
    let (near, far) = duplex(10_000);
    let how = dialing(TlsMode::Require, &ca.setup(&NAMES));
    let mut near = Some(near);
    let dialling = dial(&how, Role::Peer, || {
        let near = near.take().unwrap();
        async { Ok((near, sideband.clone())) }
    });
    let how = accepting(TlsMode::Require, &ca.setup(&NAMES));
    let (dialled, accepted) = tokio::join!(dialling, accept(far, &how, Sideband::new()));
    let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
    let sent = dialled.write(&[7; 100_000]).await.unwrap();
    assert_eq!(sent, 100_000, "rustls takes up to 256 KiB");
    let held = sideband.held();
    assert!((80_000..=100_200).contains(&held), "{held}");
    let mut record = [0; 16 << 10];
    tokio::select! {
        biased;
        _ = dialled.flush() => panic!("the other side has not read it"),
        read = accepted.read_exact(&mut record) => { read.unwrap(); }
    }
    assert!(sideband.held() < held, "{held} and then {}", sideband.held());
    let rest = async { accepted.read_exact(&mut vec![0; 100_000 - (16 << 10)]).await.unwrap() };
    let (flushed, _) = tokio::join!(dialled.flush(), rest);
    flushed.unwrap();
    assert_eq!(sideband.held(), 0);
}

/// A head and a body leave in one record, and many records in one write.
#[tokio::test]
async fn several_slices_do_not_cost_a_record_each() {
    let ca = Ca::new();
    let (near, far) = duplex(1 << 20);
    let (sent, mut far_end) = (Sideband::new(), Some(near));
    let how = dialing(TlsMode::Require, &ca.setup(&NAMES));
    let dialling = dial(&how, Role::Peer, || {
        let near = far_end.take().unwrap();
        async { Ok((near, sent.clone())) }
    });
    let how = accepting(TlsMode::Require, &ca.setup(&NAMES));
    let received = Sideband::new();
    let (dialled, accepted) = tokio::join!(dialling, accept(far, &how, received.clone()));
    let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
    let before = received.skipped();
    let pieces = [[1; 20]; 50];
    let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    assert!(dialled.is_write_vectored());
    assert_eq!(dialled.write_vectored(&slices).await.unwrap(), 1000);
    dialled.flush().await.unwrap();
    accepted.read_exact(&mut [0; 1000]).await.unwrap();
    assert_eq!(received.skipped() - before, 22, "one record");
}

/// A connection through somebody in the middle, who passes on the handshake: the sender, the middle's two ends, the
/// receiver.
async fn through_a_middle() -> (Secured<DuplexStream>, DuplexStream, DuplexStream, Secured<DuplexStream>) {
    let ca = Ca::new();
    let (near, mut middle) = duplex(1 << 20);
    let (mut other, far) = duplex(1 << 20);
    let mut near = Some(near);
    let how = dialing(TlsMode::Require, &ca.setup(&NAMES));
    let dialling = dial(&how, Role::Peer, || {
        let near = near.take().unwrap();
        async { Ok((near, Sideband::new())) }
    });
    let how = accepting(TlsMode::Require, &ca.setup(&NAMES));
    let meeting = async { tokio::join!(dialling, accept(far, &how, Sideband::new())) };
    let (dialled, accepted) = tokio::select! {
        both = meeting => both,
        _ = tokio::io::copy_bidirectional(&mut middle, &mut other) => panic!("the pipes ended"),
    };
    (dialled.unwrap(), middle, other, accepted.unwrap())
}

/// The bytes of frames have lengths, so that the transport above notices that a frame is not whole.
#[tokio::test]
async fn a_stream_that_is_cut_in_a_record_ends_and_gives_no_part_of_it() {
    let (mut dialled, mut middle, mut other, mut accepted) = through_a_middle().await;
    dialled.write_all(&[9; 30_000]).await.unwrap();
    dialled.flush().await.unwrap();
    let mut record = vec![0; 20_000];
    middle.read_exact(&mut record).await.unwrap();
    other.write_all(&record).await.unwrap();
    drop(other);
    let mut read = Vec::new();
    accepted.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [9; 16 << 10], "the record that is whole");
}

/// It is not the other side's breach of our protocol, for which it would be banned: whoever is in between did it.
#[tokio::test]
async fn a_changed_byte_is_an_error_of_the_connection() {
    let (mut dialled, mut middle, mut other, mut accepted) = through_a_middle().await;
    let message = b"some bytes";
    dialled.write_all(message).await.unwrap();
    dialled.flush().await.unwrap();
    let mut record = vec![0; message.len() + 22];
    middle.read_exact(&mut record).await.unwrap();
    record[10] ^= 1;
    other.write_all(&record).await.unwrap();
    let error = accepted.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
}
