//! How many descriptors this process may have, and what it therefore takes on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs for itself: its lock, sockets, event queues, trackers, callers, and the files that it has open
/// for a moment.
const OURS: u64 = 32;

/// The descriptors that are left for connections with peers.
#[derive(Debug, Clone, Copy)]
pub struct Descriptors(u64);

impl Descriptors {
    /// Raises the limit as far as it may be raised.
    pub fn raise() -> Descriptors {
        let limit = getrlimit(Resource::Nofile);
        let wanted = Rlimit { current: limit.maximum, ..limit };
        let current = match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => wanted.current,
            Err(_) => limit.current,
        };
        Descriptors(current.map_or(u64::MAX, |current| current.saturating_sub(OURS)))
    }

    /// What was configured, or this part of the descriptors if that is less; two at least.
    pub fn at_most(self, configured: u32, part: u64) -> u32 {
        let share = u32::try_from(self.0 / part).unwrap_or(u32::MAX).max(2);
        if share < configured {
            tracing::warn!(
                configured,
                share,
                "few descriptors: fewer connections than configured (`ulimit -n`)"
            );
        }
        configured.min(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_make_few_connections() {
        let few = Descriptors(64 - OURS);
        assert_eq!((few.at_most(512, 4), few.at_most(64, 4), few.at_most(40, 8)), (8, 8, 4));
        assert_eq!(Descriptors(0).at_most(512, 4), 2);
        assert_eq!(Descriptors(u64::MAX).at_most(512, 4), 512);
    }
}
