//! How many file descriptors this process may have, and how many connections it therefore accepts and makes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not left for connections: the lock, the sockets, the event queues, the trackers, the callers
/// and the files that are open for a moment.
const OURS: u64 = 32;

/// The number of descriptors that are left for connections with peers.
#[derive(Debug, Clone, Copy)]
pub struct Descriptors(u64);

impl Descriptors {
    /// Raises the process's limit to the highest value that it may set by itself.
    pub fn raise() -> Descriptors {
        let limit = getrlimit(Resource::Nofile);
        let wanted = Rlimit { current: limit.maximum, ..limit };
        let current = match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => wanted.current,
            Err(_) => limit.current,
        };
        Descriptors(current.map_or(u64::MAX, |current| current.saturating_sub(OURS)))
    }

    /// The given numbers of connections, if there are enough descriptors for them; otherwise fewer of each kind, in
    /// proportion, but always a few. `links` are those of one swarm and need two descriptors each.
    pub fn share(self, strangers: u32, peers: u32, links: u32) -> Shares {
        let wanted = u64::from(strangers) + u64::from(peers) + 2 * u64::from(links);
        let scaled = |count: u32, least: u32| match wanted > self.0 {
            true => ((u64::from(count) * self.0 / wanted) as u32).max(least).min(count),
            false => count,
        };
        if wanted > self.0 {
            tracing::warn!(
                wanted,
                there_are = self.0,
                "few descriptors: fewer connections than configured (`ulimit -n`)"
            );
        }
        Shares { strangers: scaled(strangers, 4), peers: scaled(peers, 8), links: scaled(links, 4) }
    }
}

/// How many connections there may be of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Incoming connections whose peer has not said hello yet.
    pub strangers: u32,
    /// Incoming connections whose peer has said hello.
    pub peers: u32,
    /// Links that this daemon dials, in one swarm.
    pub links: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_make_few_connections() {
        let few = Descriptors(64 - OURS).share(64, 512, 40);
        assert_eq!(few, Shares { strangers: 4, peers: 24, links: 4 });
        assert_eq!(Descriptors(0).share(64, 2, 40), Shares { strangers: 4, peers: 2, links: 4 });
        let all = Shares { strangers: 12_000, peers: 512, links: 40 };
        assert_eq!(Descriptors(20_000 - OURS).share(12_000, 512, 40), all);
        assert_eq!(Descriptors(u64::MAX).share(12_000, 512, 40), all);
    }
}
