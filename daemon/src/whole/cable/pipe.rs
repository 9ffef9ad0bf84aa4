//! One direction of a connection: a queue of pieces and the moments at which they arrive.

use super::path::Path;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::task::Waker;
use tokio::time::Instant;

/// The bytes between two ends.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Limits the bytes that were written and not read yet. Beyond it the writer waits.
    buffer: usize,
    /// Written, not sent yet.
    waiting: BytesMut,
    /// When the first of `waiting` was written.
    pub(super) since: Instant,
    /// Sent, with the moment of arrival. An empty piece is the end of the stream.
    flying: VecDeque<(Instant, Bytes)>,
    /// The bytes of `flying`.
    flying_bytes: usize,
    /// The arrival of the last piece. Pieces do not overtake each other.
    last_arrival: Instant,
    /// Whether the writer has ended the stream.
    is_ended: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// What is there to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Bytes have arrived, or the end of the stream.
    Arrived(Instant),
    /// The next piece arrives at this moment.
    Arrives(Instant),
    /// Nothing is sent.
    Nothing,
}

impl Pipe {
    pub(super) fn new(buffer: usize, now: Instant) -> Pipe {
        Pipe {
            buffer,
            waiting: BytesMut::new(),
            since: now,
            flying: VecDeque::new(),
            flying_bytes: 0,
            last_arrival: now,
            is_ended: false,
            reader: None,
            writer: None,
        }
    }

    /// The number of bytes that may be written now.
    pub(super) fn room(&self) -> usize {
        self.buffer.saturating_sub(self.waiting.len() + self.flying_bytes)
    }

    pub(super) fn push(&mut self, now: Instant, bytes: &[u8]) {
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.waiting.extend_from_slice(bytes);
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ends the stream behind all bytes that were written.
    pub(super) fn end(&mut self, arrival: Instant) {
        if !self.is_ended {
            self.is_ended = true;
            if self.waiting.is_empty() {
                self.fly(arrival, Bytes::new());
            }
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Forgets what was not sent yet.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Takes the next piece to send.
    pub(super) fn take(&mut self, bytes_max: usize) -> Bytes {
        let piece = self.waiting.len().min(bytes_max);
        self.waiting.split_to(piece).freeze()
    }

    /// A piece was sent and arrives at this moment, but not before the one in front of it.
    pub(super) fn fly(&mut self, arrival: Instant, piece: Bytes) {
        self.last_arrival = self.last_arrival.max(arrival);
        self.flying_bytes += piece.len();
        let is_last = self.is_ended && self.waiting.is_empty() && !piece.is_empty();
        self.flying.push_back((self.last_arrival, piece));
        if is_last {
            self.flying.push_back((self.last_arrival, Bytes::new()));
        }
    }

    /// Whether bytes were sent or written that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        self.flying_bytes > 0 || self.has_waiting()
    }

    /// Whether bytes have arrived that nobody has read.
    pub(super) fn has_arrived(&self, path: &Path, now: Instant) -> bool {
        matches!(self.next(path, now), Next::Arrived(_)) && self.flying_bytes > 0
    }

    pub(super) fn next(&self, path: &Path, now: Instant) -> Next {
        match self.flying.front() {
            None => Next::Nothing,
            Some((arrival, _)) => match path.arrival(*arrival) {
                arrival if arrival <= now => Next::Arrived(arrival),
                arrival => Next::Arrives(arrival),
            },
        }
    }

    /// Reads from the first piece. Returns nothing at the end of the stream.
    pub(super) fn read(&mut self, bytes_max: usize) -> Bytes {
        let Some((_, piece)) = self.flying.front_mut() else { return Bytes::new() };
        let read = piece.slice(..piece.len().min(bytes_max));
        piece.advance(read.len());
        self.flying_bytes -= read.len();
        if piece.is_empty() && !read.is_empty() {
            self.flying.pop_front();
        }
        read
    }
}
