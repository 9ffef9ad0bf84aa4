//! Values other than numbers with a unit: addresses, zones, groups.

use crate::url::PEER_PORT;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A text that a key does not accept. The error says what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadValue(pub(super) &'static str);

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for BadValue {}

/// The address to listen on: an address with a port, or a port on all addresses, IPv4 and IPv6.
///
/// ```
/// use shared::host::config::ListenAddr;
///
/// assert_eq!("7987".parse::<ListenAddr>().unwrap().to_string(), "[::]:7987");
/// assert_eq!("127.0.0.1:99".parse::<ListenAddr>().unwrap().0.port(), 99);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenAddr(pub SocketAddr);

impl ListenAddr {
    /// The default address on which a daemon listens for peers.
    pub const PEERS: ListenAddr = ListenAddr::all(PEER_PORT);

    /// This port, on all addresses.
    pub const fn all(port: u16) -> ListenAddr {
        ListenAddr(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    }
}

impl FromStr for ListenAddr {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<ListenAddr, BadValue> {
        let is_port = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let addr =
            if is_port { text.parse().ok().map(ListenAddr::all) } else { text.parse().ok().map(ListenAddr) };
        addr.ok_or(BadValue("an address and a port (\"0.0.0.0:7987\", \"[::1]:7987\") or a port (\"7987\")"))
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The files of this machine that a download takes chunks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReuseScope {
    /// All files that the daemon shares or fetches, and the one that the download replaces.
    All,
    /// Only the file that the download replaces.
    SameName,
    /// No file.
    None,
}

impl FromStr for ReuseScope {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<ReuseScope, BadValue> {
        match text {
            "all" => Ok(ReuseScope::All),
            "same-name" => Ok(ReuseScope::SameName),
            "none" => Ok(ReuseScope::None),
            _ => Err(BadValue("\"all\", \"same-name\" or \"none\"")),
        }
    }
}

impl fmt::Display for ReuseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReuseScope::All => "all",
            ReuseScope::SameName => "same-name",
            ReuseScope::None => "none",
        })
    }
}

/// Whether what is put into the shared directory is shared, and how it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchMode {
    /// Nothing is shared by itself.
    Off,
    /// The system tells of changes, and scans find the others.
    Events,
    /// Scans find them.
    Scan,
}

/// The name of a group of machines that are close to each other: a site, a room, a rack. Empty if none is configured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Zone(String);

impl Zone {
    /// Limits a zone's name in bytes. A longer one is an error; peers refuse it too.
    pub const BYTES_MAX: usize = 64;

    /// The zone as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Zone, BadValue> {
        if text.len() > Zone::BYTES_MAX || text.chars().any(char::is_control) {
            return Err(BadValue("a name of at most 64 bytes without control characters"));
        }
        Ok(Zone(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A group of this machine, by name or id. It is looked up when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<GroupName, BadValue> {
        let is_name = !text.is_empty() && text.len() <= 64;
        if !is_name || text.contains([':', '/']) || text.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(BadValue("the name or the number of a group"));
        }
        Ok(GroupName(text.to_owned()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a TCP congestion control of the kernel, such as "cubic". The kernel is asked for it when it is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CongestionControl(String);

impl CongestionControl {
    /// Limits the name in bytes, like the kernel (`TCP_CA_NAME_MAX` without the NUL).
    const BYTES_MAX: usize = 15;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CongestionControl {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<CongestionControl, BadValue> {
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > CongestionControl::BYTES_MAX || !text.bytes().all(is_letter) {
            return Err(BadValue("the name of a TCP congestion control, such as \"cubic\""));
        }
        Ok(CongestionControl(text.to_owned()))
    }
}

impl fmt::Display for CongestionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_address_may_be_a_port() {
        for (text, addr) in
            [("7987", "[::]:7987"), ("0", "[::]:0"), ("[::1]:5", "[::1]:5"), ("1.2.3.4:5", "1.2.3.4:5")]
        {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), addr);
        }
        for text in ["", "65536", "-1", "+1", "localhost:7987", "1.2.3.4", ":7987", "::1:7987:"] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn zones_and_groups_are_bounded() {
        assert!("salle 12 été".parse::<Zone>().is_ok());
        assert!("x".repeat(65).parse::<Zone>().is_err());
        assert!("a\nb".parse::<Zone>().is_err());
        assert!("tinytorrent".parse::<GroupName>().is_ok());
        for text in ["", "a b", "a:b", "a/b", "a\n"] {
            assert!(text.parse::<GroupName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_congestion_control_is_a_name_of_the_kernel() {
        assert_eq!("cubic".parse::<CongestionControl>().unwrap().as_str(), "cubic");
        for text in ["", "a b", "Cubic", "a/b", "sixteen_letters_"] {
            assert!(text.parse::<CongestionControl>().is_err(), "{text:?}");
        }
    }
}
