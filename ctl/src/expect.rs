//! Reads the list of machines that a rollout is meant for: a file with a host name or an address on each line.

use crate::error::Error;
use shared::url::PEER_PORT;
use std::collections::BTreeSet;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Limits the file's size in bytes; a larger one is refused. This is enough for hundreds of thousands of machines.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Limits the names that are looked up at the same time; further ones wait. A list of a thousand hosts takes seconds
/// this way, and does not flood the name server.
const LOOKUPS_MAX: usize = 64;
/// How long one lookup may take. Beyond it the name counts as unknown.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// One machine of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The line in the file.
    pub(crate) name: String,
    /// The addresses of its name; empty if the lookup failed.
    places: Vec<IpAddr>,
    /// The port, if the file has one: several daemons may share an address.
    port: Option<u16>,
    /// Why the lookup of its name failed.
    pub(crate) trouble: Option<String>,
}

impl Expected {
    /// Whether a machine with this address is this one.
    pub(crate) fn is_at(&self, addr: SocketAddr) -> bool {
        self.places.contains(&addr.ip().to_canonical()) && self.port.is_none_or(|port| port == addr.port())
    }
}

/// Reads the file and looks up its names. Returns the machines in the order of the file, each once.
pub(crate) async fn read(path: &Path) -> Result<Vec<Expected>, Error> {
    let names = names(&text(path)?);
    let room = Arc::new(Semaphore::new(LOOKUPS_MAX));
    let mut lookups = JoinSet::new();
    for (place, name) in names.into_iter().enumerate() {
        let room = room.clone();
        lookups.spawn(async move {
            let _turn = room.acquire().await; // never closed
            (place, look_up(name).await)
        });
    }
    let mut expected = lookups.join_all().await;
    expected.sort_by_key(|(place, _)| *place);
    Ok(expected.into_iter().map(|(_, expected)| expected).collect())
}

fn text(path: &Path) -> Result<String, Error> {
    let failed = |error| Error::io(format!("cannot read {}", path.display()), &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::usage(format!("{} is too large for a list of hosts", path.display())));
    }
    Ok(text)
}

/// One name per line; what follows a `#` is a comment.
fn names(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let mut seen = BTreeSet::new();
    lines.filter(|name| !name.is_empty() && seen.insert(*name)).map(str::to_owned).collect()
}

async fn look_up(name: String) -> Expected {
    let (host, port) = split(&name);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Expected { places: vec![ip.to_canonical()], port, trouble: None, name };
    }
    let lookup = tokio::net::lookup_host((host, port.unwrap_or(PEER_PORT)));
    let (places, trouble) = match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
        Ok(Ok(found)) => (found.map(|addr| addr.ip().to_canonical()).collect(), None),
        Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
        Err(_) => (Vec::new(), Some("the name was not resolved in time".to_owned())),
    };
    Expected { places, port, trouble, name }
}

/// `HOST`, `HOST:PORT`, an address, or `[ADDRESS]:PORT`.
fn split(name: &str) -> (&str, Option<u16>) {
    let bare = |host: &'_ str| -> bool { host.parse::<IpAddr>().is_ok() };
    if bare(name) {
        return (name, None);
    }
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (name, None),
        },
        None => (name, None),
    };
    (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_doubles_are_left_out() {
        let text = "# the lab\nlab1\n  lab2 # by the door\n\nlab1\r\n10.0.0.3:7988\n";
        assert_eq!(names(text), ["lab1", "lab2", "10.0.0.3:7988"]);
    }

    #[test]
    fn a_port_is_no_part_of_an_address() {
        assert_eq!(split("lab1"), ("lab1", None));
        assert_eq!(split("lab1:7988"), ("lab1", Some(7988)));
        assert_eq!(split("fd00::1"), ("fd00::1", None));
        assert_eq!(split("[fd00::1]:7988"), ("fd00::1", Some(7988)));
        assert_eq!(split("[fd00::1]"), ("fd00::1", None));
        assert_eq!(split("10.0.0.1:1"), ("10.0.0.1", Some(1)));
    }

    #[tokio::test]
    async fn a_machine_is_known_by_its_address() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let any = look_up("10.0.0.1".to_owned()).await;
        assert!(any.is_at(at("10.0.0.1:7987")) && any.is_at(at("[::ffff:10.0.0.1]:5")));
        assert!(!any.is_at(at("10.0.0.2:7987")));
        let one = look_up("10.0.0.1:5".to_owned()).await;
        assert!(one.is_at(at("10.0.0.1:5")) && !one.is_at(at("10.0.0.1:6")));
        let unknown = look_up("no such host".to_owned()).await;
        assert!(unknown.trouble.is_some() && !unknown.is_at(at("10.0.0.1:5")));
    }
}
