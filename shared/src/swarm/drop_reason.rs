//! The offenses for which a peer is dropped.

use std::fmt;

/// The offense for which a peer was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It sent more chunks with a wrong hash than a damaged disk explains.
    Corrupt,
    /// It sent an answer that fits no question: a chunk outside the window, news of a swarm that we are not in, or a
    /// chunk index that does not exist.
    Nonsense,
    /// It repeatedly accepted requests and sent nothing, or next to nothing.
    Stalled,
    /// It repeatedly claimed chunks that it did not have when asked.
    Empty,
    /// It sent more news than an honest peer can have.
    Flood,
    /// It sent bytes that are not a valid message, or a message that its side may not send.
    Protocol,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Corrupt => "it sent corrupt chunks",
            DropReason::Nonsense => "it sent answers that nobody asked for",
            DropReason::Stalled => "it accepted requests and sent nothing",
            DropReason::Empty => "it claimed chunks that it does not have",
            DropReason::Flood => "it sent more news than any peer can have",
            DropReason::Protocol => "it broke the protocol",
        })
    }
}
