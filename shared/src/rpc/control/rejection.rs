//! Why peers are turned away.

use serde::{Deserialize, Serialize};

/// Why a peer, or a stranger on the peers' port, was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    Corrupt,
    Nonsense,
    Stalled,
    Empty,
    Flood,
    Protocol,
    Cut,
    Unread,
    NoHello,
    Crowded,
    Full,
    Version,
    Malformed,
    Banned,
    Ourselves,
    Twin,
}

impl Rejection {
    /// All of them, in order.
    pub const ALL: [Rejection; 16] = [
        Rejection::Corrupt,
        Rejection::Nonsense,
        Rejection::Stalled,
        Rejection::Empty,
        Rejection::Flood,
        Rejection::Protocol,
        Rejection::Cut,
        Rejection::Unread,
        Rejection::NoHello,
        Rejection::Crowded,
        Rejection::Full,
        Rejection::Version,
        Rejection::Malformed,
        Rejection::Banned,
        Rejection::Ourselves,
        Rejection::Twin,
    ];

    /// Its name, for scripts, and what it means, for people.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Rejection::Corrupt => ("corrupt", "sent corrupt chunks"),
            Rejection::Nonsense => ("nonsense", "answered with what was not asked for"),
            Rejection::Stalled => ("stalled", "accepted requests and sent nothing, or next to nothing"),
            Rejection::Empty => ("empty", "claimed chunks that it does not have"),
            Rejection::Flood => ("flood", "asked, or told, more than any peer needs to"),
            Rejection::Protocol => ("protocol", "sent what is no message of the protocol"),
            Rejection::Cut => ("cut", "broke off in the middle of a message"),
            Rejection::Unread => ("unread", "did not take what it had asked for"),
            Rejection::NoHello => ("no_hello", "did not say hello in time"),
            Rejection::Crowded => ("crowded", "had to make room for others: too many connections"),
            Rejection::Full => ("full", "came when there were too many connections"),
            Rejection::Version => ("version", "speaks another version of the protocol"),
            Rejection::Malformed => ("malformed", "introduced itself wrongly"),
            Rejection::Banned => ("banned", "came back while it was refused"),
            Rejection::Ourselves => ("ourselves", "was this daemon itself"),
            Rejection::Twin => ("twin", "is connected under another address already"),
        }
    }
}
