//! Between rustls and the socket: a large buffer for bodies, and the counts that TLS hides from the transport.

use super::replay::Replay;
use crate::rpc::wire::Sideband;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// How much of a body is received at once. rustls asks for 4 KiB at a time, which would be 256 system calls per chunk.
/// The buffer exists only while a body is received: a tracker has thousands of connections without one.
const BUFFER_BYTES: usize = 128 << 10;

/// What a record has beside its payload: a head of five bytes, the type of the payload, and the tag.
pub(super) const RECORD_EXTRA_BYTES: u64 = 5 + 1 + 16;

/// The type of records with encrypted payload.
const APPLICATION_DATA: u8 = 23;

/// The stream below rustls.
#[derive(Debug)]
pub(super) struct Below<S> {
    io: Replay<S>,
    sideband: Sideband,
    /// What was received and not yet taken by rustls: the bytes from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
    records: Records,
    /// The bytes that the socket took since this was last asked.
    written: u64,
}

impl<S> Below<S> {
    pub(super) fn new(io: Replay<S>, sideband: Sideband) -> Below<S> {
        Below { io, sideband, buffer: Vec::new(), taken: 0, records: Records::default(), written: 0 }
    }

    /// The stream below.
    pub(super) fn get_ref(&self) -> &S {
        self.io.get_ref()
    }

    /// The first byte that was received.
    pub(super) fn first(&self) -> Option<u8> {
        self.records.first
    }

    /// The bytes that the socket took since this was last asked.
    pub(super) fn take_written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    /// Notes received bytes. What is no payload is skipped in the count of the body under way.
    fn note(records: &mut Records, sideband: &Sideband, bytes: &[u8]) {
        sideband.skip(records.pass(bytes));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Below<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.buffer.len() {
            this.taken = 0;
            if !this.sideband.is_in_body() {
                this.buffer = Vec::new();
                let before = buf.filled().len();
                ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
                Self::note(&mut this.records, &this.sideband, &buf.filled()[before..]);
                return Poll::Ready(Ok(()));
            }
            this.buffer.clear();
            this.buffer.reserve_exact(BUFFER_BYTES);
            ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.buffer))?;
            Self::note(&mut this.records, &this.sideband, &this.buffer);
        }
        let waiting = &this.buffer[this.taken..];
        let bytes = waiting.len().min(buf.remaining());
        buf.put_slice(&waiting[..bytes]);
        this.taken += bytes;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Below<S> {
    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.written += bytes as u64;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Below<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.wrote(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Follows the records in what is received, so that their heads and tags are not taken for bytes of a body.
///
/// The count must never be too large: the socket would wait for bytes that do not come. It may be too small, by the
/// encrypted messages of the handshake, and then the last bytes of a body are received as they come.
#[derive(Debug, Default)]
struct Records {
    first: Option<u8>,
    head: [u8; 5],
    /// How much of the head is there.
    head_len: usize,
    /// The bytes of the record that are still to come.
    left: usize,
}

impl Records {
    /// Passes over received bytes. The result is how many bytes of the records that began in them are no payload. These
    /// may not have come yet, but then the other side is bound to send them, as it is with the rest of the record.
    fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        self.first = self.first.or(bytes.first().copied());
        let mut extra = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let passed = (self.head.len() - self.head_len).min(bytes.len());
            self.head[self.head_len..][..passed].copy_from_slice(&bytes[..passed]);
            self.head_len += passed;
            bytes = &bytes[passed..];
            if self.head_len == self.head.len() {
                let [kind, _, _, high, low] = self.head;
                (self.left, self.head_len) = (u16::from_be_bytes([high, low]).into(), 0);
                let whole = (self.left + self.head.len()) as u64;
                extra += if kind == APPLICATION_DATA { whole.min(RECORD_EXTRA_BYTES) } else { whole };
            }
        }
        extra
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, payload: usize) -> Vec<u8> {
        let len = u16::try_from(payload).unwrap().to_be_bytes();
        [&[kind, 3, 3, len[0], len[1]], &vec![0; payload][..]].concat()
    }

    #[test]
    fn heads_and_tags_are_no_payload() {
        let mut records = Records::default();
        assert_eq!(records.pass(&record(22, 500)), 505, "a message of the handshake is none at all");
        assert_eq!(records.pass(&record(APPLICATION_DATA, 16_401)), 22);
        assert_eq!(records.pass(&record(APPLICATION_DATA, 3)), 8, "never more than the record has");
        assert_eq!(records.first, Some(22));
    }

    proptest! {
        #[test]
        fn it_is_the_same_however_the_bytes_arrive(
            kinds in proptest::collection::vec((20u8..24, 0usize..400), 1..8),
            cuts in proptest::collection::vec(1usize..300, 1..20),
        ) {
            let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, len)| record(*kind, *len)).collect();
            let whole = Records::default().pass(&bytes);
            let (mut records, mut rest, mut pieces) = (Records::default(), &bytes[..], 0);
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces += records.pass(piece);
                rest = left;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(pieces, whole);
            prop_assert_eq!(records.left, 0);
        }
    }
}
