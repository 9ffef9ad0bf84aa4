//! Why a connection ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use tarpc::ChannelError;

/// Why a connection ended.
#[derive(Debug, Clone)]
pub enum LinkEnd {
    /// The other side closed it, or all callers were dropped.
    Closed,
    /// We refused its hello.
    Refused,
    /// The other side did not say hello in time.
    NoHello,
    /// No call was made for too long.
    Idle,
    /// The other side took none of the waiting bytes for too long.
    Stalled,
    /// The other side sent something invalid.
    Malformed(String),
    /// The other side closed in the middle of a frame.
    Cut,
    /// The other side asked for more than its budget.
    Flooded,
    /// The stream failed.
    Failed(Arc<io::Error>),
}

impl LinkEnd {
    pub(super) fn of(error: ChannelError<io::Error>) -> LinkEnd {
        let (ChannelError::Read(error)
        | ChannelError::Ready(error)
        | ChannelError::Write(error)
        | ChannelError::Flush(error)
        | ChannelError::Close(error)) = error;
        match error.kind() {
            io::ErrorKind::InvalidData => LinkEnd::Malformed(error.to_string()),
            io::ErrorKind::TimedOut => LinkEnd::Stalled,
            io::ErrorKind::UnexpectedEof => LinkEnd::Cut,
            io::ErrorKind::QuotaExceeded => LinkEnd::Flooded,
            _ => LinkEnd::Failed(error),
        }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkEnd::Closed => f.write_str("closed"),
            LinkEnd::Refused => f.write_str("its hello was refused"),
            LinkEnd::NoHello => f.write_str("it did not say hello in time"),
            LinkEnd::Idle => f.write_str("idle"),
            LinkEnd::Stalled => f.write_str("it stopped receiving"),
            LinkEnd::Malformed(what) => write!(f, "it broke the protocol: {what}"),
            LinkEnd::Cut => f.write_str("it broke off in the middle of a frame"),
            LinkEnd::Flooded => f.write_str("it asked for too much"),
            LinkEnd::Failed(error) => error.fmt(f),
        }
    }
}

/// An error that ends a connection because of what the other side sent.
pub(super) fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
