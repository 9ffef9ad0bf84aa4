//! Tests that nobody waits for more bytes than come. Too high a number would look like a slow network, or hang.

use super::super::frames::Decoder;
use super::super::{Ahead, Batched, Gather, Meter, Sideband};
use super::pure::frame;
use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use tarpc::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::io::read_buf;

/// The bytes that come between two questions, and the pieces in which they come. Whoever waits for more bytes than are
/// left of them waits for ever.
struct Bursts {
    bursts: VecDeque<Vec<u8>>,
    /// The number of bytes of the first burst that were read.
    read: usize,
    /// The sizes of reads, in turn.
    pieces: Vec<usize>,
    turn: usize,
    /// The number of bytes that were expected at each read.
    expected: Arc<Mutex<Vec<usize>>>,
}

impl Bursts {
    fn new(bursts: impl IntoIterator<Item = Vec<u8>>, pieces: &[usize]) -> Bursts {
        let (bursts, pieces) = (bursts.into_iter().collect(), pieces.to_vec());
        Bursts { bursts, read: 0, pieces, turn: 0, expected: Arc::default() }
    }
}

impl Gather for Bursts {
    fn expect(&mut self, missing: usize) {
        let left = self.bursts.front().map_or(0, |burst| burst.len() - self.read);
        assert!(missing <= left, "{missing} bytes are waited for, and {left} come");
        self.expected.lock().unwrap().push(missing);
    }
}

impl AsyncRead for Bursts {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(burst) = this.bursts.front() else { return Poll::Ready(Ok(())) };
        let piece = this.pieces[this.turn % this.pieces.len()];
        this.turn += 1;
        let bytes = piece.min(burst.len() - this.read).min(buffer.remaining());
        buffer.put_slice(&burst[this.read..this.read + bytes]);
        this.read += bytes;
        if this.read == burst.len() {
            this.bursts.pop_front();
            this.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

/// Nothing is written.
impl AsyncWrite for Bursts {
    fn poll_write(self: Pin<&mut Self>, _: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn answer(id: u64, body: usize) -> Vec<u8> {
    let message = match body {
        0 => PeerResponse::Complain(()),
        _ => PeerResponse::GetChunk(ChunkReply::Chunk(Bytes::from(vec![id as u8; body]).into())),
    };
    frame(Response { request_id: id, message: Ok(message) })
}

/// Reads answers until the end, as the transport does. Returns the sizes of their bodies.
async fn read_answers(mut io: impl AsyncRead + Unpin, sideband: Sideband) -> Vec<usize> {
    let mut decoder = Decoder::<Response<PeerResponse>>::new(None, Meter::new()).with_sideband(sideband);
    let mut bodies = Vec::new();
    loop {
        while let Some(answer) = decoder.next().unwrap() {
            match answer.message.unwrap() {
                PeerResponse::GetChunk(ChunkReply::Chunk(payload)) => bodies.push(payload.bytes.len()),
                _ => bodies.push(0),
            }
        }
        let bytes = read_buf(&mut io, &mut decoder.space()).await.unwrap();
        if bytes == 0 {
            assert!(decoder.is_between_frames());
            return bodies;
        }
        decoder.filled(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Each burst is some answers, after which the other side waits to be asked.
    #[test]
    fn nobody_waits_for_more_than_comes(
        bursts in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(0), 1usize..50, 1usize..200_000], 1..5),
            1..5,
        ),
        pieces in proptest::collection::vec(prop_oneof![1usize..20, 1usize..100_000], 1..50),
        buffer_bytes in prop_oneof![Just(1usize), 1usize..200_000],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bodies = bursts.concat();
        let bytes = |burst: Vec<usize>| burst.into_iter().flat_map(|body| answer(0, body)).collect();
        let bursts: Vec<Vec<u8>> = bursts.into_iter().map(bytes).collect();
        for is_layered in [false, true] {
            let sideband = Sideband::new();
            let stream = Ahead::new(Bursts::new(bursts.clone(), &pieces), sideband.clone());
            let read = match is_layered {
                false => runtime.block_on(read_answers(stream, sideband)),
                // What this layer holds back was read before anybody knew what it is.
                true => runtime.block_on(read_answers(BufReader::with_capacity(buffer_bytes, stream), sideband)),
            };
            prop_assert_eq!(&read, &bodies);
        }
    }
}

#[tokio::test]
async fn the_rest_of_a_body_is_what_is_expected() {
    let sideband = Sideband::new();
    let answers = [answer(0, 50_000), answer(1, 0), answer(2, 10)].concat();
    let (first, chunk) = (10_000, answer(0, 50_000).len());
    let bursts = Bursts::new([answers], &[first, 15_000]);
    let expected = bursts.expected.clone();
    let bodies = read_answers(Ahead::new(bursts, sideband.clone()), sideband).await;
    assert_eq!(bodies, [50_000, 0, 10]);
    let rest = |read: usize| chunk - read;
    // Without a body 8 KiB are read at once, into the rest of a body no more than it needs.
    let begun = [0, 0, rest(8 << 10), rest((8 << 10) + 15_000), rest((8 << 10) + 25_000)];
    let expected = expected.lock().unwrap();
    assert_eq!(expected[0], 0, "nothing is known");
    assert_eq!(expected[1..4], begun[2..5], "{expected:?}");
    assert!(expected[5..].iter().all(|&bytes| bytes == 0), "{expected:?}");
}

/// A [`Batched`] that takes every connection for a fast one, and so waits for as many bytes as it may.
struct Fast(Batched);

impl Gather for Fast {
    fn expect(&mut self, missing: usize) {
        self.0.assume(1e12);
        self.0.expect(missing);
    }
}

impl AsyncRead for Fast {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Fast {
    fn poll_write(self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

/// Asks over TCP for chunks, one after the other, through a layer that holds back up to `buffer_bytes` bytes.
async fn ask_over_tcp(buffer_bytes: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let near = listener.accept().await.unwrap().0;
    let fake = Fake::greeted();
    let server = tokio::spawn(serve(far, fake.options(), fake.clone().serve()));
    let sideband = Sideband::new();
    let options = ClientOptions { sideband: sideband.clone(), ..ClientOptions::default() };
    let near = BufReader::with_capacity(buffer_bytes, Ahead::new(Fast(Batched::new(near)), sideband));
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    let link = tokio::spawn(link);
    for index in 0..20 {
        let reply = caller.get_chunk(key(), ChunkIndex(index), SOON).await;
        assert!(matches!(reply, Ok(ChunkReply::Chunk(_))), "chunk {index}: {reply:?}");
        assert_eq!(caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
    }
    drop(caller);
    link.await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn chunks_and_heads_arrive_through_layers_that_hold_bytes_back() {
    for buffer_bytes in [1, 13, 5_000, 128 << 10, 3 << 20] {
        ask_over_tcp(buffer_bytes).await;
    }
}

/// The head of the next answer is cut, and its other half comes only after the chunk was taken.
#[tokio::test]
async fn half_a_head_behind_a_chunk_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let near = listener.accept().await.unwrap().0;
    let sideband = Sideband::new();
    let options = ClientOptions { sideband: sideband.clone(), ..ClientOptions::default() };
    let near = Ahead::new(Fast(Batched::new(near)), sideband);
    let (caller, link) = client::<PeerRequest, PeerResponse, _>(near, options);
    tokio::spawn(link);
    let answering = tokio::spawn(async move {
        let question = pure::call_bytes(0, PeerRequest::GetChunk { key: key(), index: ChunkIndex(0) }).len();
        far.read_exact(&mut vec![0; question]).await.unwrap();
        let (chunk, next) = (answer(0, 100_000), answer(1, 0));
        far.write_all(&[&chunk, &next[..3]].concat()).await.unwrap();
        far.read_exact(&mut [0; 8]).await.unwrap();
        far.write_all(&next[3..]).await.unwrap();
        far
    });
    let reply = caller.get_chunk(key(), ChunkIndex(0), SOON).await;
    assert!(matches!(reply, Ok(ChunkReply::Chunk(_))), "{reply:?}");
    assert_eq!(caller.complain(key(), ChunkIndex(0), SOON).await, Ok(()));
    drop(answering.await.unwrap());
}
