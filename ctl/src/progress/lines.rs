//! Progress as plain lines on the standard error, where there is no terminal and progress was asked for.

use super::now::{Now, Parts};
use crate::human;
use crate::stderr;
use std::fmt::Write;
use std::time::Duration;

/// The shortest pause between two lines while something moves.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// The shortest pause before a new reason is shown.
const REASONS_EVERY: Duration = Duration::from_secs(1);

/// The longest pause between two lines of which only the numbers differ. Each such pause is longer than the one before.
const LINES_SELDOM: Duration = Duration::from_secs(600);

/// Decides which lines are printed: one for each change, not one every second.
#[derive(Default)]
pub(super) struct Lines {
    /// When the last line was printed, and what it said.
    last: Option<(Duration, Printed)>,
    /// The current pause while only numbers change.
    pause: Duration,
}

/// The parts of a line that make it news.
#[derive(PartialEq, Eq)]
struct Printed {
    doing: String,
    reason: String,
    bytes_done: u64,
}

impl Lines {
    /// Prints a line if one is due.
    pub(super) fn update(&mut self, label: &str, now: &Now<'_>, elapsed: Duration) {
        if self.take_turn(now, elapsed) {
            stderr::message(&plain_line(label, now, elapsed));
        }
    }

    /// Whether a line is due at this time after the beginning. If so, the caller must print it: it counts as printed.
    fn take_turn(&mut self, now: &Now<'_>, elapsed: Duration) -> bool {
        let reason = now.reason.unwrap_or("").to_owned();
        let line = Printed { doing: now.doing.to_owned(), reason, bytes_done: now.bytes_done };
        let Some((at, last)) = &self.last else {
            // The first line also waits, so that quick work prints nothing.
            let pause = if line.reason.is_empty() { LINES_EVERY } else { REASONS_EVERY };
            let due = elapsed >= pause;
            self.last = due.then_some((elapsed, line));
            self.pause = LINES_EVERY;
            return due;
        };
        let says_new =
            without_digits(&last.reason) != without_digits(&line.reason) || last.doing != line.doing;
        let moves = last.bytes_done != line.bytes_done;
        let pause = match () {
            () if says_new => REASONS_EVERY,
            () if moves => LINES_EVERY,
            () if *last == line => return false,
            () => self.pause,
        };
        if elapsed.saturating_sub(*at) < pause {
            return false;
        }
        self.pause = if says_new || moves { LINES_EVERY } else { (self.pause * 2).min(LINES_SELDOM) };
        self.last = Some((elapsed, line));
        true
    }
}

fn plain_line(label: &str, now: &Now<'_>, elapsed: Duration) -> String {
    let mut line = format!("{label}: {} {}", now.doing, Parts::of(now, elapsed).listed());
    if let Some(reason) = now.reason {
        let _ = write!(line, "; {}", human::clean(reason)); // a write to a String cannot fail
    }
    line
}

/// The text without digits: "tracker unreachable for 40 s" is not news after "for 39 s".
fn without_digits(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_why_not_further() {
        let now = Now {
            bytes_done: 3 << 20,
            bytes_total: 4 << 20,
            bytes_per_s: Some(0),
            peers: Some(1),
            doing: "waiting",
            reason: Some("no peer has chunk 3"),
            ..Now::default()
        };
        assert_eq!(
            plain_line("x", &now, Duration::from_secs(1)),
            "x: waiting 75 %, 3.0 MiB of 4.0 MiB, 1 peer; no peer has chunk 3"
        );
        let now = Now { bytes_done: 1 << 20, bytes_total: 4 << 20, doing: "hashing", ..Now::default() };
        assert_eq!(
            plain_line("x", &now, Duration::from_secs(1)),
            "x: hashing 25 %, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3 s left"
        );
    }

    /// The seconds at which lines are printed if `take_turn` is called ten times a second.
    fn printed(until_s: u64, now: impl Fn(u64) -> (u64, String)) -> Vec<u64> {
        let mut lines = Lines::default();
        let is_due = |tenths: &u64| {
            let (bytes_done, reason) = now(tenths / 10);
            let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
            let now = Now { bytes_done, bytes_total: 1 << 30, doing: "waiting", reason, ..Now::default() };
            lines.take_turn(&now, Duration::from_millis(tenths * 100))
        };
        (0..until_s * 10).filter(is_due).map(|tenths| tenths / 10).collect()
    }

    #[test]
    fn a_standstill_is_one_line_however_long_it_lasts() {
        assert_eq!(printed(100_000, |_| (7, "paused by a user".to_owned())), [1]);
    }

    #[test]
    fn a_reason_that_only_counts_is_told_ever_more_seldom() {
        let lines = printed(86_400, |s| (7, format!("tracker unreachable for {s} s")));
        assert_eq!(lines[..6], [1, 6, 16, 36, 76, 156]);
        assert!(lines.len() < 160, "{} lines in a day", lines.len());
    }

    #[test]
    fn what_moves_is_told_every_few_seconds_and_a_new_reason_soon() {
        assert_eq!(printed(16, |s| (s, String::new())), [5, 10, 15]);
        let reasons = |s: u64| (0, if s < 7 { "no peer is known" } else { "no peer has chunk 3" }.to_owned());
        assert_eq!(printed(60, reasons), [1, 7]);
    }
}
