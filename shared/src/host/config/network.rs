//! Networks, and the address that a machine has for others.

use super::BadValue;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network, such as `10.0.0.0/8`, or one address.
///
/// ```
/// use shared::host::config::Network;
///
/// let network: Network = "10.1.0.0/16".parse().unwrap();
/// assert!(network.contains("10.1.2.3".parse().unwrap()) && network.contains("::ffff:10.1.2.3".parse().unwrap()));
/// assert!("fd00::1".parse::<Network>().unwrap().contains("fd00::1".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in the network. An IPv4 address that is written as an IPv6 address is the same address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Network, BadValue> {
        let address = || text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
        let network = text
            .parse()
            .or_else(|_| address())
            .map_err(|_| BadValue("a network (\"10.0.0.0/8\", \"fd00::/8\") or an address (\"10.1.2.3\")"))?;
        match network {
            IpNet::V6(mapped) if mapped.addr().to_ipv4_mapped().is_some() => {
                Err(BadValue("an IPv4 network as such (\"10.0.0.0/8\"), not inside of ::ffff:0:0/96"))
            }
            network if network.addr() != network.network() => {
                Err(BadValue("a network without an address in it (\"10.1.0.0/16\", not \"10.1.2.3/16\")"))
            }
            network => Ok(Network(network)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host with an optional port: the address at which others reach this machine.
///
/// ```
/// use shared::host::config::HostPort;
///
/// let host: HostPort = "[fd00::1]:99".parse().unwrap();
/// assert_eq!((host.host.as_str(), host.port), ("fd00::1", Some(99)));
/// assert_eq!("web-1.example".parse::<HostPort>().unwrap().port, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A host's name or an address, without brackets.
    pub host: String,
    /// The port; `None` for the one that the program listens on.
    pub port: Option<u16>,
}

/// Limits a host's name in bytes, as DNS does. A longer one is an error.
const HOST_BYTES_MAX: usize = 253;

const BAD_HOST: BadValue =
    BadValue("a host with or without a port (\"web-1.example\", \"203.0.113.7:7987\", \"[fd00::1]:7987\")");

impl FromStr for HostPort {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<HostPort, BadValue> {
        let whole = |host: &str, port| Ok(HostPort { host: host.to_owned(), port });
        if text.parse::<Ipv6Addr>().is_ok() {
            return whole(text, None);
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (host, rest) = bracketed.split_once(']').ok_or(BAD_HOST)?;
            host.parse::<Ipv6Addr>().map_err(|_| BAD_HOST)?;
            return match rest {
                "" => whole(host, None),
                rest => whole(host, Some(port(rest.strip_prefix(':').ok_or(BAD_HOST)?)?)),
            };
        }
        let (host, of_port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_letter) {
            return Err(BAD_HOST);
        }
        whole(host, of_port.map(port).transpose()?)
    }
}

fn port(text: &str) -> Result<u16, BadValue> {
    let digits = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0).ok_or(BAD_HOST)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_contain_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "::ffff:1.2.3.4", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
        for bad in
            ["", "10.0.0.0/33", "10.0.0.1/8", "fd00::1/64", "10.0.0", "web-1", "::ffff:10.0.0.0/104", "/8"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_is_read_and_written_alike() {
        for text in
            ["web-1", "web-1.example:7987", "203.0.113.7", "203.0.113.7:1", "[fd00::1]:7987", "fd00::1"]
        {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[fd00::1]".parse::<HostPort>().unwrap().to_string(), "fd00::1");
        for bad in [
            "", ":", ":1", "a:", "a:0", "a:+1", "a:65536", "a:1:2", "a b", "[a]:1", "[::1", "[::1]1", "é",
            "[]",
        ] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad}");
        }
        assert!("a".repeat(254).parse::<HostPort>().is_err());
    }
}
