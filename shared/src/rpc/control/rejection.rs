//! The reasons for turning peers away.

use serde::{Deserialize, Serialize};

/// Why a peer, or a stranger that connected to the peer port, was turned away. [`explain`](Rejection::explain) says
/// what each means.
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
    Network,
    Plain,
    NotReady,
    NoCertificate,
    Expired,
    Foreign,
    Revoked,
    Role,
    Certificate,
    OtherNode,
    RefusedUs,
    SlowHandshake,
    BrokenHandshake,
}

impl Rejection {
    /// All reasons, in order.
    pub const ALL: [Rejection; 29] = [
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
        Rejection::Network,
        Rejection::Plain,
        Rejection::NotReady,
        Rejection::NoCertificate,
        Rejection::Expired,
        Rejection::Foreign,
        Rejection::Revoked,
        Rejection::Role,
        Rejection::Certificate,
        Rejection::OtherNode,
        Rejection::RefusedUs,
        Rejection::SlowHandshake,
        Rejection::BrokenHandshake,
    ];

    /// The name that scripts see, and the explanation that users see.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Rejection::Corrupt => ("corrupt", "sent corrupt chunks"),
            Rejection::Nonsense => ("nonsense", "sent answers that nobody asked for"),
            Rejection::Stalled => ("stalled", "accepted requests and sent nothing, or hardly anything"),
            Rejection::Empty => ("empty", "claimed chunks that it does not have"),
            Rejection::Flood => ("flood", "sent more requests or news than any peer needs"),
            Rejection::Protocol => ("protocol", "sent data that is not a valid message"),
            Rejection::Cut => ("cut", "broke off in the middle of a message"),
            Rejection::Unread => ("unread", "asked for chunks and did not receive them"),
            Rejection::NoHello => ("no_hello", "did not say hello in time"),
            Rejection::Crowded => ("crowded", "was closed to make room: too many connections"),
            Rejection::Full => ("full", "was refused: too many connections"),
            Rejection::Version => ("version", "speaks another version of the protocol"),
            Rejection::Malformed => ("malformed", "sent an invalid hello"),
            Rejection::Banned => ("banned", "came back while it was banned"),
            Rejection::Ourselves => ("ourselves", "was this daemon itself"),
            Rejection::Twin => ("twin", "is already connected from another address"),
            Rejection::Network => ("network", "is in none of the networks in allow_networks"),
            Rejection::Plain => ("plain", "speaks no TLS, which is required here"),
            Rejection::NotReady => {
                ("not_ready", "speaks TLS, for which this machine has no usable certificate")
            }
            Rejection::NoCertificate => ("no_certificate", "showed no certificate"),
            Rejection::Expired => ("expired", "showed a certificate that has expired, or is not valid yet"),
            Rejection::Foreign => ("foreign", "showed a certificate of an authority that is not in tls_ca"),
            Rejection::Revoked => ("revoked", "showed a certificate that was revoked"),
            Rejection::Role => ("role", "showed a certificate without the role that is due"),
            Rejection::Certificate => ("certificate", "showed a certificate that cannot be used"),
            Rejection::OtherNode => ("other_node", "is another machine than a tracker named at its address"),
            Rejection::RefusedUs => ("refused_us", "refused the certificate of this machine"),
            Rejection::SlowHandshake => ("slow_handshake", "did not finish the TLS handshake in time"),
            Rejection::BrokenHandshake => {
                ("broken_handshake", "broke off in the TLS handshake, or sent something else")
            }
        }
    }
}
