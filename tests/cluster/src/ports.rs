//! Ports for programs that are told where to listen.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The first port that is offered. Many services have their port below.
const FIRST: u16 = 10_000;

/// Limits the ports that are tried before the search for a free one fails.
const TRIES_MAX: usize = 1_000;

/// A port that nobody listens on right now. The system gives it to no connection, and no other call in this process
/// returns it. So it is still free when the program that is told this port starts to listen.
///
/// # Errors
/// The address is not one of this machine, or too many ports are in use.
pub fn free_port(ip: IpAddr) -> io::Result<u16> {
    static PORTS: LazyLock<Vec<u16>> = LazyLock::new(|| {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        outside(range_of(&range).unwrap_or(32_768..61_000))
    });
    static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| {
        // Test programs that run at the same time begin at different ports.
        let random = RandomState::new().hash_one(std::process::id());
        AtomicUsize::new(usize::try_from(random >> 33).unwrap_or(0))
    });
    for _ in 0..TRIES_MAX {
        let port = PORTS[NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len()];
        match TcpListener::bind(SocketAddr::new(ip, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::AddrInUse, format!("{TRIES_MAX} ports in a row are in use")))
}

/// The ports from which the system chooses one for a connection or for a listener that names none.
/// "32768\t60999\n" is 32768 to 60999 (ip(7), `ip_local_port_range`).
fn range_of(text: &str) -> Option<Range<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(first)), Some(Ok(last))) = (numbers.next(), numbers.next()) else { return None };
    Some(first..last.saturating_add(1))
}

/// All ports from [`FIRST`] on outside of this range. All of them if the range leaves less than [`TRIES_MAX`].
fn outside(range: Range<u16>) -> Vec<u16> {
    let free: Vec<u16> = (FIRST..u16::MAX).filter(|port| !range.contains(port)).collect();
    if free.len() < TRIES_MAX { (FIRST..u16::MAX).collect() } else { free }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn no_connection_is_given_a_port_that_is_offered() {
        let ports = outside(range_of("32768\t60999\n").unwrap());
        assert!(ports.contains(&32_767) && ports.contains(&61_000) && !ports.contains(&32_768));
        assert!(!ports.contains(&60_999) && !ports.contains(&9_999));
        assert_eq!(range_of("32768"), None);
        assert!(outside(1_024..65_535).len() > TRIES_MAX, "a system that uses all ports has others to offer");
    }

    #[test]
    fn a_port_is_offered_once_and_never_while_somebody_listens() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let first = free_port(ip).unwrap();
        let _taken = TcpListener::bind((ip, first)).unwrap();
        let others: Vec<u16> = (0..50).map(|_| free_port(ip).unwrap()).collect();
        assert!(!others.contains(&first));
        assert!((1..others.len()).all(|at| !others[..at].contains(&others[at])), "{others:?}");
    }

    #[test]
    fn an_address_of_another_machine_has_no_port() {
        assert!(free_port([192, 0, 2, 1].into()).is_err());
    }
}
