//! What this machine's downlink gives, measured from the bytes that arrive.

use super::Time;
use crate::chunk::CHUNK_BYTES;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that arrive within this span are one sample.
const SAMPLE: Duration = Duration::from_millis(5);
/// The rate is that of the last so many chunk times …
const SPAN_CHUNKS: u32 = 12;
/// … but of no shorter and no longer a span than these.
const SPAN_MIN: Duration = Duration::from_millis(50);
const SPAN_MAX: Duration = Duration::from_secs(1);
/// The highest rate is forgotten after one to two of these.
const PEAK_KEPT: Duration = Duration::from_secs(5);
/// Before anything is measured a chunk is taken to last so long.
const CHUNK_TIME_UNMEASURED: Duration = Duration::from_millis(10);

/// The downlink: its present rate and its highest of the last seconds.
#[derive(Default)]
pub(super) struct Downlink {
    /// When samples began, and their bytes.
    samples: VecDeque<(Time, u64)>,
    /// The bytes of all samples.
    bytes: u64,
    /// Since when bytes have been coming without a long gap.
    since: Time,
    /// The highest rates, in bytes per second, of this period of `PEAK_KEPT` and of the one before.
    peaks: [u64; 2],
    period: Time,
}

impl Downlink {
    pub(super) fn arrived(&mut self, now: Time, bytes: u64) {
        self.forget(now);
        if self.samples.is_empty() {
            self.since = now;
        }
        match self.samples.back_mut() {
            Some((began, sample)) if now.since(*began) < SAMPLE => *sample = sample.saturating_add(bytes),
            _ => self.samples.push_back((now, bytes)),
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if now.since(self.since) >= self.span() {
            self.peaks[0] = self.peaks[0].max(self.rate());
        }
    }

    /// Whether less than this share of what the downlink can do comes in.
    pub(super) fn has_room(&mut self, now: Time, used: f64) -> bool {
        self.forget(now);
        let peak = self.peak();
        peak > 0 && (self.rate() as f64) < peak as f64 * used
    }

    /// Whether anything was measured of late.
    pub(super) fn is_measured(&self) -> bool {
        self.peak() > 0
    }

    /// How long a chunk takes on the whole downlink.
    pub(super) fn chunk_time(&self) -> Duration {
        match self.peak() {
            0 => CHUNK_TIME_UNMEASURED,
            peak => Duration::from_micros(u64::from(CHUNK_BYTES) * 1_000_000 / peak),
        }
    }

    fn peak(&self) -> u64 {
        self.peaks[0].max(self.peaks[1])
    }

    /// Bytes per second over the last span.
    fn rate(&self) -> u64 {
        let micros = u128::from(self.bytes) * 1_000_000 / self.span().as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    fn span(&self) -> Duration {
        (self.chunk_time() * SPAN_CHUNKS).clamp(SPAN_MIN, SPAN_MAX)
    }

    fn forget(&mut self, now: Time) {
        let age = now.since(self.period);
        if age >= PEAK_KEPT {
            self.peaks = if age < PEAK_KEPT * 2 { [0, self.peaks[0]] } else { [0, 0] };
            self.period = now;
        }
        let span = self.span();
        while let Some(&(began, bytes)) = self.samples.front()
            && now.since(began) >= span
        {
            self.samples.pop_front();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// A mean in which older values fade.
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
        assert!(!downlink.is_measured());
        let now = stream(&mut downlink, 0, 200, 125_000_000);
        let micros = downlink.chunk_time().as_micros();
        assert!((7600..9000).contains(&micros), "{micros} µs");
        assert!(!downlink.has_room(now, 0.75));
        let now = stream(&mut downlink, 200, 100, 50_000_000);
        assert!(downlink.has_room(now, 0.75));
    }

    #[test]
    fn the_peak_fades() {
        let mut downlink = Downlink::default();
        stream(&mut downlink, 0, 1000, 125_000_000);
        let now = stream(&mut downlink, 1000, 12_000, 1_000_000);
        assert!(!downlink.has_room(now, 0.75), "the slower rate is the measure now");
        assert!(downlink.chunk_time() > Duration::from_millis(800));
        downlink.arrived(Time(100_000_000), 1);
        assert!(!downlink.is_measured(), "what was long ago says nothing");
    }

    #[test]
    fn absurd_numbers_are_harmless() {
        let mut downlink = Downlink::default();
        for at in 0..1000 {
            downlink.arrived(Time(at * 1000), u64::MAX);
            downlink.has_room(Time(at * 1000), 0.75);
        }
        downlink.arrived(Time(u64::MAX), u64::MAX);
        assert!(downlink.chunk_time() < Duration::from_secs(1));
    }
}
