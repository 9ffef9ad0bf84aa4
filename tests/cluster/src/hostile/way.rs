//! The ways in which a peer that is asked misbehaves.

use std::time::Duration;

/// How a peer misbehaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It is honest, for comparison with the others.
    Honest,
    /// The first chunks that it sends, in this number, are wrong.
    WrongBytes(u32),
    /// The last chunk is wrong, each time.
    WrongLast,
    /// It has none of the chunks that it claims.
    Empty,
    /// It takes requests, and answers none of them.
    Silent,
    /// It sends one byte of a chunk in each such interval.
    Drip(Duration),
    /// It grants chunks that nobody asked it for.
    Unasked,
    /// It sends endless news, and is too busy for anything else.
    News,
    /// After hello it sends no frames.
    Garbage,
    /// After hello it announces frames of four gigabytes.
    Oversized,
    /// It stops in the middle of each frame after hello.
    Cut,
    /// It sends each answer twice.
    Twice,
    /// It speaks this version of the protocol.
    Version(u16),
    /// It claims to be somebody else.
    Id([u8; 16]),
    /// It is no peer at all: a web server.
    Http,
}
