//! Logs what this machine sent to others.

use super::Driver;
use super::rates::{rate, took_at_rate};
use crate::watch::Sent;
use shared::plain::size;
use std::time::Instant;

impl Driver {
    /// Logs peers that have stopped fetching a resource.
    pub(super) fn log_sent(&mut self, now: Instant) {
        let sent = self.uploads.due(now);
        sent.into_iter().for_each(log_line_of);
    }

    /// Logs the rest when the daemon ends.
    pub(super) fn log_rest_of_sent(&mut self) {
        let sent = self.uploads.rest(Instant::now());
        sent.into_iter().for_each(log_line_of);
    }
}

fn log_line_of(sent: Sent) {
    match sent {
        Sent::Peer { name, key, peer, bytes, took } => {
            let bytes_per_s = rate(bytes, took);
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let (went, took) = (size(bytes), took_at_rate(bytes, took));
            tracing::info!(%name, id = %key, bytes, took_ms, bytes_per_s, "sent {went} to {peer} in {took}");
        }
        Sent::Others { name, key, peers, bytes } => {
            let went = size(bytes);
            tracing::info!(%name, id = %key, bytes, peers, "sent {went} to {peers} more peers");
        }
    }
}
