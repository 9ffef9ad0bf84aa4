//! A tracker's address: `tt://HOST:PORT`, with port 7986 as the default.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The well-known port of tt-tracker.
pub const TRACKER_PORT: u16 = 7986;

/// The well-known port of ttd, for its peers.
pub const PEER_PORT: u16 = 7987;

/// A checked tracker URL. It is written exactly as it was read, so that reading and writing a manifest does not change
/// it.
///
/// ```
/// use shared::url::TrackerUrl;
///
/// let url: TrackerUrl = "tt://tracker.example".parse().unwrap();
/// assert_eq!((url.host(), url.port()), ("tracker.example", 7986));
/// assert_eq!("tt://[::1]:99".parse::<TrackerUrl>().unwrap().host(), "::1");
/// assert!("http://tracker.example".parse::<TrackerUrl>().is_err());
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrackerUrl {
    text: String,
    host: String,
    port: u16,
}

/// Why a text is not a tracker's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadUrl {
    /// It does not begin with `tt://`.
    Scheme,
    /// The host is missing, too long, or has a character that no host name has.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadUrl::Scheme => "a tracker's URL begins with \"tt://\", as in tt://tracker.example:7986",
            BadUrl::Host => "the tracker's URL has no valid host; it looks like tt://tracker.example:7986",
            BadUrl::Port => "the tracker's port is not a number from 1 to 65535",
        })
    }
}

impl std::error::Error for BadUrl {}

impl TrackerUrl {
    /// The host's name or address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; [`TRACKER_PORT`] if the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the URL names a loopback address, so that other machines cannot reach this tracker.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl FromStr for TrackerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let rest = text.strip_prefix("tt://").ok_or(BadUrl::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or(BadUrl::Host)?;
                host.parse::<Ipv6Addr>().map_err(|_| BadUrl::Host)?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some("")).ok_or(BadUrl::Port)?)
            }
            None => match rest.split_once(':') {
                Some((_, "")) => return Err(BadUrl::Port),
                Some((host, port)) => (host, port),
                None => (rest, ""),
            },
        };
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(is_host_char) {
            return Err(BadUrl::Host);
        }
        let port = match port {
            "" => TRACKER_PORT,
            text if text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| BadUrl::Port)?
            }
            _ => return Err(BadUrl::Port),
        };
        if port == 0 {
            return Err(BadUrl::Port);
        }
        Ok(TrackerUrl { text: text.to_owned(), host: host.to_owned(), port })
    }
}

/// Two URLs are equal when host and port are equal, however they are written.
impl PartialEq for TrackerUrl {
    fn eq(&self, other: &Self) -> bool {
        (self.port, &self.host) == (other.port, &other.host)
    }
}

impl Eq for TrackerUrl {}

impl PartialOrd for TrackerUrl {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TrackerUrl {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.host, self.port).cmp(&(&other.host, other.port))
    }
}

impl TryFrom<String> for TrackerUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        text.parse()
    }
}

impl From<TrackerUrl> for String {
    fn from(url: TrackerUrl) -> String {
        url.text
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_trackers_url_is_refused() {
        let cases = [
            ("", BadUrl::Scheme),
            ("tracker:7986", BadUrl::Scheme),
            ("http://tracker", BadUrl::Scheme),
            ("tt://", BadUrl::Host),
            ("tt://:7986", BadUrl::Host),
            ("tt://a b", BadUrl::Host),
            ("tt://user@host", BadUrl::Host),
            ("tt://host/path", BadUrl::Host),
            ("tt://[::1", BadUrl::Host),
            ("tt://[host]", BadUrl::Host),
            ("tt://host:", BadUrl::Port),
            ("tt://host:0", BadUrl::Port),
            ("tt://host:+1", BadUrl::Port),
            ("tt://host:65536", BadUrl::Port),
            ("tt://host:007986", BadUrl::Port),
            ("tt://[::1]99", BadUrl::Port),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<TrackerUrl>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_loopback_address_is_known_as_one() {
        for text in
            ["tt://localhost", "tt://127.0.0.1", "tt://127.3.2.1:9", "tt://[::1]", "tt://[::ffff:127.0.0.1]"]
        {
            assert!(text.parse::<TrackerUrl>().unwrap().is_loopback(), "{text}");
        }
        assert!(!"tt://10.0.0.1".parse::<TrackerUrl>().unwrap().is_loopback());
    }
}
