//! The traffic of a resource and its rates.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time over which rates are measured: long enough for steady numbers, short enough to follow a change.
const SPAN: Duration = Duration::from_secs(3);

/// Bytes received and sent since the daemon started, counted where they pass.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes of verified chunks from peers.
    pub received: AtomicU64,
    /// Bytes of chunks sent to peers.
    pub sent: AtomicU64,
}

impl Traffic {
    /// Bytes that were received and sent so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }
}

/// The rates of the last few seconds.
#[derive(Debug, Default)]
pub struct Rates {
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Rates {
    /// Samples the counters. Call it a few times per second.
    pub fn sample(&mut self, now: Instant, traffic: &Traffic) {
        let (received, sent) =
            (traffic.received.load(Ordering::Relaxed), traffic.sent.load(Ordering::Relaxed));
        while self.samples.get(1).is_some_and(|(at, ..)| now.duration_since(*at) >= SPAN) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, received, sent));
    }

    /// Whether both rates are zero.
    pub fn are_zero(&self) -> bool {
        self.download() + self.upload() == 0
    }

    /// Whether nothing has moved for the whole time over which rates are measured.
    pub fn have_settled(&self) -> bool {
        let ends = self.samples.front().zip(self.samples.back());
        ends.is_some_and(|(first, last)| {
            last.0.duration_since(first.0) >= SPAN && (first.1, first.2) == (last.1, last.2)
        })
    }

    /// The download rate in bytes per second.
    pub fn download(&self) -> u64 {
        self.rate(|(_, received, _)| received)
    }

    /// The upload rate in bytes per second.
    pub fn upload(&self) -> u64 {
        self.rate(|(_, _, sent)| sent)
    }

    fn rate(&self, bytes: impl Fn(&(Instant, u64, u64)) -> &u64) -> u64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0 };
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        if seconds > 0.0 { ((bytes(last) - bytes(first)) as f64 / seconds) as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_samples_of_the_same_moment_give_no_rate() {
        let (mut rates, traffic, now) = (Rates::default(), Traffic::default(), Instant::now());
        rates.sample(now, &traffic);
        traffic.received.store(1000, Ordering::Relaxed);
        rates.sample(now, &traffic);
        assert_eq!(rates.download(), 0);
    }

    #[test]
    fn what_is_received_and_what_is_sent_are_told_apart() {
        let (mut rates, traffic, now) = (Rates::default(), Traffic::default(), Instant::now());
        rates.sample(now, &traffic);
        traffic.sent.store(500, Ordering::Relaxed);
        rates.sample(now + Duration::from_secs(1), &traffic);
        assert_eq!((rates.download(), rates.upload(), rates.are_zero()), (0, 500, false));
        traffic.received.store(3_000, Ordering::Relaxed);
        rates.sample(now + Duration::from_secs(2), &traffic);
        assert_eq!((rates.download(), rates.upload(), rates.are_zero()), (1500, 250, false));
        assert_eq!(traffic.so_far(), (3_000, 500));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut rates, traffic, start) = (Rates::default(), Traffic::default(), Instant::now());
        for step in 0..40 {
            traffic.received.store(step.min(20) * 1000, Ordering::Relaxed);
            rates.sample(start + Duration::from_millis(step * 250), &traffic);
            if step == 20 {
                assert_eq!(rates.download(), 4000);
            }
        }
        assert_eq!((rates.download(), rates.upload()), (0, 0), "it has stopped");
        assert!(rates.are_zero() && rates.have_settled());
        traffic.sent.store(1, Ordering::Relaxed);
        rates.sample(start + Duration::from_secs(10), &traffic);
        assert!(!rates.have_settled(), "a byte has moved");
    }
}
