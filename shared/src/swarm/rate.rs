//! The rate of this machine's downlink, measured from the bytes that arrive.

use super::time::Time;
use crate::chunk::CHUNK_BYTES;
use std::collections::VecDeque;
use std::time::Duration;

/// A sample of the rate covers this many chunk times, but at least `SAMPLE_MIN` and at most `SAMPLE_MAX`. Shorter
/// samples would measure bursts of a buffer instead of the link.
const SAMPLE_CHUNKS: u32 = 3;
/// The shortest span of a sample: below it the buffers of a fast link would be measured.
const SAMPLE_MIN: Duration = Duration::from_millis(25);
/// The longest span of a sample: a change of the rate must be noticed soon.
const SAMPLE_MAX: Duration = Duration::from_millis(250);
/// The current rate is the mean of this many latest samples.
const RECENT: usize = 6;
/// Limits the samples that are kept, from which the peak is computed; the oldest is dropped beyond that. They cover the
/// last 2 to 16 s.
const SAMPLES_MAX: usize = 64;
/// The peak is the sample that 1/8 of the samples exceed. The highest ones are too high, since bytes that a buffer held
/// back arrive all at once.
const EXCEEDED_BY: usize = 8;
/// After this time without a byte the measurements are discarded: they are too old to say anything.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// The assumed time of a chunk before anything was measured: about 1 Gbit/s.
const CHUNK_TIME_UNMEASURED: Duration = Duration::from_millis(10);

/// The current rate of the downlink, and its peak.
#[derive(Default)]
pub(super) struct Downlink {
    /// When the current sample began.
    since: Time,
    bytes: u64,
    heard_at: Time,
    /// The latest samples, oldest first.
    samples: VecDeque<RateSample>,
    /// Bytes per second; 0 before anything was measured.
    peak: u64,
}

#[derive(Clone, Copy)]
struct RateSample {
    bytes: u64,
    micros: u64,
}

impl Downlink {
    pub(super) fn arrived(&mut self, now: Time, bytes: u64) {
        if now.since(self.heard_at) > IDLE_MAX || self.heard_at == Time(0) {
            *self = Downlink { since: now, ..Downlink::default() };
        }
        self.heard_at = now;
        self.look(now);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether the current rate is below the share `used` of the peak, as of the last [`look`](Self::look).
    pub(super) fn has_room(&self, used: f64) -> bool {
        let recent = self.samples.iter().rev().take(RECENT);
        let sum = |sum: RateSample, sample: &RateSample| RateSample {
            bytes: sum.bytes.saturating_add(sample.bytes),
            micros: sum.micros.saturating_add(sample.micros),
        };
        let recent = recent.fold(RateSample { bytes: 0, micros: 0 }, sum);
        (recent.rate() as f64) < self.peak as f64 * used
    }

    /// Whether there is a recent measurement.
    pub(super) fn is_measured(&self) -> bool {
        self.peak > 0
    }

    /// How long a chunk takes at the peak rate.
    pub(super) fn chunk_time(&self) -> Duration {
        match self.peak {
            0 => CHUNK_TIME_UNMEASURED,
            peak => Duration::from_micros(u64::from(CHUNK_BYTES) * 1_000_000 / peak),
        }
    }

    /// Ends the current sample if it has lasted long enough.
    pub(super) fn look(&mut self, now: Time) {
        let span = now.since(self.since);
        if span < (self.chunk_time() * SAMPLE_CHUNKS).clamp(SAMPLE_MIN, SAMPLE_MAX) {
            return;
        }
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(RateSample { bytes: self.bytes, micros: span.as_micros() as u64 });
        (self.since, self.bytes) = (now, 0);
        let mut rates: Vec<u64> = self.samples.iter().map(|sample| sample.rate()).collect();
        let place = rates.len() / EXCEEDED_BY;
        let (_, &mut peak, _) = rates.select_nth_unstable_by(place, |one, two| two.cmp(one));
        self.peak = peak;
    }
}

impl RateSample {
    /// Bytes per second.
    fn rate(self) -> u64 {
        let rate = u128::from(self.bytes) * 1_000_000 / u128::from(self.micros.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

/// An exponential mean: each new value counts 1/8.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Mean(Option<Duration>);

impl Mean {
    pub(super) fn add(&mut self, value: Duration) {
        self.0 = Some(self.0.map_or(value, |mean| (mean * 7 + value) / 8));
    }

    pub(super) fn get(self) -> Option<Duration> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A steady stream at `rate` bytes per second, from `from` on for `millis` ms.
    fn stream(downlink: &mut Downlink, from: u64, millis: u64, rate: u64) -> Time {
        (from..from + millis).for_each(|at| downlink.arrived(Time(at * 1000), rate / 1000));
        Time((from + millis) * 1000)
    }

    #[test]
    fn a_steady_stream_is_measured() {
        let mut downlink = Downlink::default();
        assert!(!downlink.is_measured() && !downlink.has_room(1.0));
        let now = stream(&mut downlink, 0, 200, 125_000_000);
        let micros = downlink.chunk_time().as_micros();
        assert!((7600..9000).contains(&micros), "{micros} µs");
        downlink.look(now);
        assert!(!downlink.has_room(0.75) && !downlink.has_room(1.0) && downlink.has_room(1.001));
        let now = stream(&mut downlink, 200, 100, 50_000_000);
        downlink.look(now);
        assert!(downlink.has_room(0.75));
    }

    #[test]
    fn bursts_of_a_buffer_are_not_taken_for_the_rate_of_the_link() {
        let mut downlink = Downlink::default();
        for at in 0..5000 {
            let bytes = if at % 100 == 0 { 2_000_000 } else { 1 };
            downlink.arrived(Time(at * 1000), bytes);
        }
        let chunk_time = downlink.chunk_time();
        assert!(chunk_time > Duration::from_millis(20), "{chunk_time:?}, but 52 ms would be right");
    }

    #[test]
    fn a_mean_moves_an_eighth_of_the_way() {
        let (mut mean, ms) = (Mean::default(), Duration::from_millis);
        assert_eq!(mean.get(), None);
        for (value, expected) in [(80, 80), (160, 90), (10, 80), (80, 80)] {
            mean.add(ms(value));
            assert_eq!(mean.get(), Some(ms(expected)), "after {value} ms");
        }
    }

    #[test]
    fn the_peak_fades() {
        let mut downlink = Downlink::default();
        stream(&mut downlink, 0, 1000, 125_000_000);
        let now = stream(&mut downlink, 1000, 20_000, 1_000_000);
        downlink.look(now);
        assert!(!downlink.has_room(0.75), "the slower rate is the measure now");
        assert!(downlink.chunk_time() > Duration::from_millis(800));
        let last = downlink.heard_at;
        downlink.arrived(last + IDLE_MAX, 1);
        assert!(downlink.is_measured());
        downlink.arrived(last + IDLE_MAX * 2 + Duration::from_micros(1), 1);
        assert!(!downlink.is_measured(), "what was long ago says nothing");
    }

    #[test]
    fn absurd_numbers_are_harmless() {
        let mut downlink = Downlink::default();
        for at in 0..1000 {
            downlink.arrived(Time(at * 1000), u64::MAX);
            downlink.look(Time(at * 1000));
            downlink.has_room(0.75);
        }
        downlink.arrived(Time(u64::MAX), u64::MAX);
        assert!(downlink.chunk_time() < Duration::from_secs(1));
    }
}
