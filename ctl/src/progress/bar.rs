//! A bar on a terminal: what it is, how far it is, and the reason on a second line if it does not go on.

use super::now::{Now, Parts};
use crate::human;
use crate::terminal;
use crate::width::{shorten, shorten_middle, width};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What takes less time than this is not worth a bar.
const PATIENCE: Duration = Duration::from_millis(250);

/// Room that is left at the end of a line: the terminal itself writes "^C" there, and must not begin a new line for it.
const COLUMNS_FREE: usize = 3;

/// A bar says nothing with fewer columns, and no more with more.
const BAR_MIN: usize = 10;
const BAR_MAX: usize = 40;

/// A name is made this narrow to have room for a bar, and no narrower...
const LABEL_BESIDE_BAR: usize = 24;

/// ... and this narrow to have room for numbers.
const LABEL_MIN: usize = 12;

/// How wide numbers are at most, or nearly always: "100 %", "1023 MiB", "1023 KiB/s", "12 peers", "59 min 59 s left". Each has
/// a place of its own, so that nothing jumps.
const PERCENT: usize = 5;
const BYTES: usize = 8;
const RATE: usize = 10;
const PEERS: usize = 8;
const LEFT: usize = 16;

/// Spaces between numbers.
const GAP: usize = 2;

pub(super) struct Bar {
    bar: ProgressBar,
    label: String,
    colours: bool,
    /// How it was drawn last.
    arrangement: Option<Arrangement>,
    /// The second line.
    reason: Arc<Mutex<String>>,
    drawn: bool,
}

impl Bar {
    pub(super) fn new(label: &str, colours: bool) -> Bar {
        let reason = Arc::new(Mutex::new(String::new()));
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Bar { bar, label: label.to_owned(), colours, arrangement: None, reason, drawn: false }
    }

    pub(super) fn update(&mut self, now: &Now<'_>, elapsed: Duration) {
        let columns = terminal::size(std::io::stderr()).columns.saturating_sub(COLUMNS_FREE).max(1);
        let parts = Parts::of(now, elapsed);
        let arrangement = Arrangement::of(columns, width(&self.label), &parts);
        if self.arrangement != Some(arrangement) {
            self.arrangement = Some(arrangement);
            self.bar.set_style(style(&self.reason, self.colours, arrangement.bar));
            self.bar.set_prefix(shorten_middle(&self.label, arrangement.label));
        }
        let reason = now.reason.map_or(String::new(), |reason| {
            format!("\n  {}", shorten(&human::clean(reason), columns.saturating_sub(2)))
        });
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.bar.set_length(now.bytes_total);
        self.bar.set_position(now.bytes_done);
        let before = arrangement.label + 1 + if arrangement.bar > 0 { arrangement.bar + 1 } else { 0 };
        self.bar.set_message(shorten(&arrangement.numbers(&parts), columns.saturating_sub(before)));
        if !self.drawn && elapsed >= PATIENCE {
            self.drawn = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    pub(super) fn wipe(&self) {
        self.bar.finish_and_clear();
    }
}

/// How the line is shared out, so that it never wraps: what wraps is not wiped whole when the bar goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrangement {
    label: usize,
    /// 0: none.
    bar: usize,
    /// Whether there is room for these.
    size: bool,
    peers: bool,
}

impl Arrangement {
    /// For a label of this width in columns. Peers go first, then the size, then the bar.
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

    /// How wide the numbers may become.
    fn width(&self, parts: &Parts) -> usize {
        let size = if self.size { GAP + BYTES + " of ".len() + width(&parts.total) } else { 0 };
        let peers = if self.peers && parts.peers.is_some() { GAP + PEERS } else { 0 };
        PERCENT + size + GAP + RATE + peers + GAP + LEFT
    }

    /// "42 %  1.7 GiB of 4.0 GiB  560 MiB/s  12 peers  4 s left", each in its place.
    fn numbers(&self, parts: &Parts) -> String {
        let mut text = format!("{:>PERCENT$}", parts.percent);
        if self.size {
            let _ = write!(text, "  {:>BYTES$} of {}", parts.done, parts.total); // a String takes everything
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

fn style(reason: &Arc<Mutex<String>>, colours: bool, bar: usize) -> ProgressStyle {
    let template = match (colours, bar) {
        (true, 0) => "{prefix:.bold} {msg}{reason:.yellow}".to_owned(),
        (false, 0) => "{prefix} {msg}{reason}".to_owned(),
        (true, bar) => format!("{{prefix:.bold}} {{bar:{bar}.cyan/dim}} {{msg}}{{reason:.yellow}}"),
        (false, bar) => format!("{{prefix}} {{bar:{bar}}} {{msg}}{{reason}}"),
    };
    let reason = Arc::clone(reason);
    ProgressStyle::with_template(&template)
        .expect("the template is well formed")
        .progress_chars("━╸─")
        .with_key("reason", move |_: &ProgressState, text: &mut dyn Write| {
            let reason = reason.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = text.write_str(&reason); // a formatter's error has nobody to go to
        })
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
