//! The progress of a piece of work, and its formatted numbers.

use crate::human;
use std::time::Duration;

/// The current progress.
#[derive(Debug, Clone, Default)]
pub(crate) struct Now<'a> {
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: u64,
    /// `None` to use the average so far.
    pub(crate) bytes_per_s: Option<u64>,
    /// `None` to compute it from the rate.
    pub(crate) eta_s: Option<u64>,
    pub(crate) peers: Option<u32>,
    /// The current activity: "hashing", "downloading".
    pub(crate) doing: &'a str,
    /// Why nothing moves.
    pub(crate) reason: Option<&'a str>,
}

/// The formatted numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// "42 %"
    pub(super) percent: String,
    /// "1.7 GiB", "4.0 GiB"
    pub(super) done: String,
    pub(super) total: String,
    /// "560 MiB/s"
    pub(super) rate: Option<String>,
    /// "12 peers"
    pub(super) peers: Option<String>,
    /// "4 s left"
    pub(super) left: Option<String>,
}

impl Parts {
    pub(super) fn of(now: &Now<'_>, elapsed: Duration) -> Parts {
        let average = (now.bytes_done as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
        let bytes_per_s = now.bytes_per_s.unwrap_or(average);
        let left = now.bytes_total.saturating_sub(now.bytes_done);
        let eta_s = now.eta_s.or((now.bytes_per_s.is_none() && left > 0).then(|| left / average.max(1)));
        let eta_s = eta_s.filter(|&eta_s| bytes_per_s > 0 && eta_s > 0);
        Parts {
            percent: human::percent(now.bytes_done, now.bytes_total),
            done: human::bytes(now.bytes_done),
            total: human::bytes(now.bytes_total),
            rate: (bytes_per_s > 0).then(|| human::rate(bytes_per_s)),
            peers: now.peers.map(|peers| human::count(peers.into(), "peer")),
            left: eta_s.map(|eta_s| format!("{} left", human::duration(Duration::from_secs(eta_s)))),
        }
    }

    /// All numbers in one text: "42 %, 1.7 GiB of 4.0 GiB, 560 MiB/s, 12 peers, 4 s left".
    pub(super) fn listed(&self) -> String {
        let mut text = format!("{}, {} of {}", self.percent, self.done, self.total);
        for part in [&self.rate, &self.peers, &self.left].into_iter().flatten() {
            text.push_str(", ");
            text.push_str(part);
        }
        text
    }
}
