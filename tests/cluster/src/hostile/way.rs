//! How one who is asked misbehaves.

use std::time::Duration;

/// What is wrong with one who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It is honest: what the others are compared with.
    Honest,
    /// This many chunks are wrong: the first ones that it sends.
    WrongBytes(u32),
    /// The last chunk is wrong, each time.
    WrongLast,
    /// It has nothing of what it claims.
    Empty,
    /// It takes requests, and answers none of them.
    Silent,
    /// It sends one byte of a chunk in this time.
    Drip(Duration),
    /// It grants chunks that nobody asked it for.
    Unasked,
    /// It tells news without end, and is too busy for anything else.
    News,
    /// After hello it sends no frames.
    Garbage,
    /// After hello it announces frames of four gigabytes.
    Oversized,
    /// It breaks off in the middle of each frame after hello.
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
