//! What a peer can do to be dropped.

use std::fmt;

/// What a peer did to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It sent chunks whose hash is wrong, more often than a damaged disk explains.
    Corrupt,
    /// It answered with what nobody asked for: a chunk outside the window, news of no swarm of ours, an
    /// index that does not exist.
    Nonsense,
    /// It accepted requests and sent no byte, or next to none, again and again.
    Stalled,
    /// It claimed chunks, and did not have them when it was asked, again and again.
    Empty,
    /// It told more news than anybody can have.
    Flood,
    /// It sent what is no message, or what only another one may send.
    Protocol,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Corrupt => "it sent corrupt chunks",
            DropReason::Nonsense => "it answered with what was not asked for",
            DropReason::Stalled => "it accepted requests and sent nothing",
            DropReason::Empty => "it claimed chunks that it does not have",
            DropReason::Flood => "it told more news than anybody can have",
            DropReason::Protocol => "it broke the protocol",
        })
    }
}
