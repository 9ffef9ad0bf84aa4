//! How fast something was, in words.

use crate::tracker::seconds;
use shared::plain::{rate_of, size};
use std::time::Duration;

/// "42 ms", "4.2 s", "42 s", "12 min".
pub(super) fn tenths(span: Duration) -> String {
    match span.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => seconds(span),
    }
}

/// How many bytes came in each second of a span, for programs; a span of less than a millisecond counts as one.
pub(super) fn rate(bytes: u64, span: Duration) -> u64 {
    (bytes as f64 / span.as_secs_f64().max(0.001)) as u64
}

/// How long a transfer took, with its rate if it was large and long enough to have one: "4.2 s (15 MiB/s)", "42 ms".
pub(super) fn took_at_rate(bytes: u64, took: Duration) -> String {
    let span = tenths(took);
    match rate_of(bytes, took) {
        Some(bytes_per_s) => format!("{span} ({}/s)", size(bytes_per_s)),
        None => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiny_transfer_has_no_rate() {
        let mib = 1 << 20;
        assert_eq!(took_at_rate(10 * mib, Duration::from_millis(4_000)), "4.0 s (2.5 MiB/s)");
        assert_eq!(took_at_rate(10 * mib, Duration::from_millis(42)), "42 ms");
        assert_eq!(took_at_rate(12, Duration::from_millis(4_000)), "4.0 s");
    }
}
