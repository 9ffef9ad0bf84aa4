//! The progress bar of a terminal: a label, the progress, and on a second line the reason if nothing moves.

use super::now::{Now, Parts};
use crate::human;
use crate::output::{Colour, paint};
use crate::stderr;
use crate::terminal;
use crate::width::{shorten, shorten_middle, width};
use std::fmt::Write;
use std::io;
use std::time::Duration;

/// How long a piece of work must take before a bar is shown.
const PATIENCE: Duration = Duration::from_millis(250);

/// The columns that stay free at the end of a line. The terminal writes "^C" there, which must not start a new line.
const COLUMNS_FREE: usize = 3;

/// The narrowest bar that is useful, in columns.
const BAR_MIN: usize = 10;
/// The widest bar, in columns; more would show nothing more.
const BAR_MAX: usize = 40;

/// The width to which a label is shortened to make room for a bar, in columns.
const LABEL_BESIDE_BAR: usize = 24;

/// The width to which a label is shortened to make room for numbers, in columns.
const LABEL_MIN: usize = 12;

/// The usual width of each number: "100 %", "1023 MiB", "1023 KiB/s", "12 peers", "59 min 59 s left". Each has a fixed
/// place, so that the line does not jump.
const PERCENT: usize = 5;
const BYTES: usize = 8;
const RATE: usize = 10;
const PEERS: usize = 8;
const LEFT: usize = 16;

/// The spaces between two numbers.
const GAP: usize = 2;

pub(super) struct Bar {
    label: String,
    colours: bool,
}

impl Bar {
    pub(super) fn new(label: &str, colours: bool) -> Bar {
        Bar { label: label.to_owned(), colours }
    }

    pub(super) fn update(&self, now: &Now<'_>, elapsed: Duration) {
        if elapsed < PATIENCE {
            return;
        }
        let columns = terminal::size(io::stderr()).columns.saturating_sub(COLUMNS_FREE).max(1);
        let mut text = self.line(columns, now, &Parts::of(now, elapsed));
        if let Some(reason) = now.reason {
            let reason = shorten(&human::clean(reason), columns.saturating_sub(2));
            text.push_str(&format!("\n  {}", paint(self.colours, Colour::Careful, &reason)));
        }
        stderr::draw(&text);
    }

    fn line(&self, columns: usize, now: &Now<'_>, parts: &Parts) -> String {
        let arrangement = Arrangement::of(columns, width(&self.label), parts);
        let label = shorten_middle(&self.label, arrangement.label);
        let mut line = paint(self.colours, Colour::Bold, &label);
        let mut before = width(&label) + 1;
        if arrangement.bar > 0 {
            let (done, rest) = bar(arrangement.bar, now.bytes_done, now.bytes_total);
            line.push(' ');
            line.push_str(&paint(self.colours, Colour::Busy, &done));
            line.push_str(&paint(self.colours, Colour::Faint, &rest));
            before += arrangement.bar + 1;
        }
        line.push(' ');
        line.push_str(&shorten(&arrangement.numbers(parts), columns.saturating_sub(before)));
        line
    }

    pub(super) fn wipe(&self) {
        stderr::draw("");
    }
}

/// The done part of a bar and the rest.
fn bar(columns: usize, done: u64, total: u64) -> (String, String) {
    let part = u128::from(done.min(total)) * columns as u128 / u128::from(total.max(1));
    let full = if total == 0 { columns } else { part as usize };
    let head = usize::from(full < columns);
    ("━".repeat(full) + &"╸".repeat(head), "─".repeat(columns - full - head))
}

/// How the line is divided, so that it never wraps: wrapped lines could not be cleared completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrangement {
    label: usize,
    /// The width of the bar in columns; 0 for none.
    bar: usize,
    /// Whether there is room for the size.
    size: bool,
    peers: bool,
}

impl Arrangement {
    /// Divides a line for a label of this width in columns. If there is too little room, peers are left out first, then
    /// the size, then the bar.
    fn of(columns: usize, label: usize, parts: &Parts) -> Arrangement {
        let sets = [(true, true), (true, false), (false, false)];
        let beside_bar = label.min(LABEL_BESIDE_BAR);
        for (size, peers) in sets {
            let numbers = Arrangement { label, bar: 0, size, peers }.width(parts);
            if let Some(room) = columns.checked_sub(1 + numbers + beside_bar + BAR_MIN + 1) {
                let label = label.min(beside_bar + room);
                return Arrangement { label, bar: (columns - label - 2 - numbers).min(BAR_MAX), size, peers };
            }
        }
        for (size, peers) in sets {
            let numbers = Arrangement { label, bar: 0, size, peers }.width(parts);
            if let Some(room) = columns.checked_sub(1 + numbers).filter(|&room| room >= label.min(LABEL_MIN))
            {
                return Arrangement { label: label.min(room), bar: 0, size, peers };
            }
        }
        Arrangement { label: label.min(LABEL_MIN).min(columns / 2), bar: 0, size: false, peers: false }
    }

    /// The width of all numbers that are shown.
    fn width(&self, parts: &Parts) -> usize {
        let size = if self.size { GAP + BYTES + " of ".len() + width(&parts.total) } else { 0 };
        let peers = if self.peers && parts.peers.is_some() { GAP + PEERS } else { 0 };
        PERCENT + size + GAP + RATE + peers + GAP + LEFT
    }

    /// The numbers, each in its place: "42 %  1.7 GiB of 4.0 GiB  560 MiB/s  12 peers  4 s left".
    fn numbers(&self, parts: &Parts) -> String {
        let mut text = format!("{:>PERCENT$}", parts.percent);
        if self.size {
            let _ = write!(text, "  {:>BYTES$} of {}", parts.done, parts.total); // a write to a String cannot fail
        }
        let _ = write!(text, "  {:>RATE$}", parts.rate.as_deref().unwrap_or_default());
        if self.peers
            && let Some(peers) = &parts.peers
        {
            let _ = write!(text, "  {peers:>PEERS$}");
        }
        let _ = write!(text, "  {}", parts.left.as_deref().unwrap_or_default());
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        let now = Now {
            bytes_done: 86 << 20,
            bytes_total: 400 << 20,
            bytes_per_s: Some(14 << 20),
            eta_s: Some(23),
            peers: Some(1),
            ..Now::default()
        };
        Parts::of(&now, Duration::from_secs(1))
    }

    #[test]
    fn peers_go_first_and_then_the_size_and_then_the_bar() {
        let of = |columns, label| {
            let arrangement = Arrangement::of(columns, label, &parts());
            (arrangement.label, arrangement.bar, arrangement.numbers(&parts()))
        };
        let all = " 21 %    86 MiB of 400 MiB    14 MiB/s    1 peer  23 s left".to_owned();
        assert_eq!(of(137, 36), (36, 33, all.clone()));
        assert_eq!(of(137, 10), (10, 40, all));
        let no_peers = " 21 %    86 MiB of 400 MiB    14 MiB/s  23 s left".to_owned();
        assert_eq!(of(97, 36), (29, 10, no_peers.clone()));
        assert_eq!(of(77, 6), (6, 13, no_peers));
        let no_size = " 21 %    14 MiB/s  23 s left".to_owned();
        assert_eq!(of(77, 36), (30, 10, no_size.clone()));
        assert_eq!(of(57, 36), (21, 0, no_size.clone()));
        assert_eq!(of(57, 8), (8, 12, no_size));
    }

    #[test]
    fn a_line_is_never_wider_than_the_terminal() {
        for (columns, label) in (1..200).flat_map(|columns| (0..100).map(move |label| (columns, label))) {
            let Arrangement { label: shown, bar, size, peers } = Arrangement::of(columns, label, &parts());
            assert!(shown <= label && (bar == 0 || bar >= BAR_MIN), "{columns} {label}");
            let numbers = Arrangement { label: shown, bar, size, peers }.width(&parts());
            let all = shown + 1 + if bar > 0 { bar + 1 } else { 0 } + numbers;
            assert!(all <= columns || bar == 0 && !size && !peers, "{columns} {label}");
        }
    }

    #[test]
    fn a_bar_is_full_when_all_is_done() {
        assert_eq!(bar(10, 0, 100), ("╸".to_owned(), "─────────".to_owned()));
        assert_eq!(bar(10, 50, 100), ("━━━━━╸".to_owned(), "────".to_owned()));
        assert_eq!(bar(10, 999, 1000).1, "");
        for (done, total) in [(100, 100), (7, 3), (0, 0)] {
            assert_eq!(bar(10, done, total), ("━━━━━━━━━━".to_owned(), String::new()));
        }
    }

    #[test]
    fn nothing_jumps_when_numbers_grow() {
        let grown = Now {
            bytes_done: 400 << 20,
            bytes_total: 400 << 20,
            bytes_per_s: Some(1022 << 20),
            eta_s: Some(2 * 3600),
            peers: Some(40),
            ..Now::default()
        };
        let grown = Parts::of(&grown, Duration::from_secs(1));
        for columns in 1..200 {
            let (before, after) =
                (Arrangement::of(columns, 20, &parts()), Arrangement::of(columns, 20, &grown));
            assert_eq!(before, after);
            let ends = |text: &str| text.find("MiB/s").map(|at| text[..at].chars().count());
            assert_eq!(ends(&before.numbers(&parts())), ends(&after.numbers(&grown)));
        }
    }
}
