//! How far a long piece of work is: a bar on a terminal; elsewhere plain lines, if somebody asked for them. Both on the
//! standard error.

use crate::human;
use crate::output::Output;
use crate::terminal;
use crate::width::{shorten, width};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What takes less time than this is not worth a bar.
const PATIENCE: Duration = Duration::from_millis(250);

/// Plain lines come no more often than this while something moves...
const LINES_EVERY: Duration = Duration::from_secs(5);

/// ... a new reason is told sooner...
const REASONS_EVERY: Duration = Duration::from_secs(1);

/// ... and one of which only the numbers change is told ever more seldom, down to this.
const LINES_SELDOM: Duration = Duration::from_secs(600);

/// Room that is left at the end of a line: the terminal itself writes "^C" there, and must not begin a new line for it.
const COLUMNS_FREE: usize = 3;

/// How far it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Now<'a> {
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: u64,
    /// `None`: the average so far.
    pub(crate) bytes_per_s: Option<u64>,
    /// `None`: from the rate.
    pub(crate) eta_s: Option<u64>,
    pub(crate) peers: Option<u32>,
    /// What is being done: "hashing", "downloading".
    pub(crate) doing: &'a str,
    /// Why it does not progress.
    pub(crate) reason: Option<&'a str>,
}

/// Shows how far something is, until it is dropped.
pub(crate) struct Progress {
    label: String,
    start: Instant,
    shape: Shape,
}

enum Shape {
    Silent,
    Lines(Lines),
    Bar(Bar),
}

/// Which lines are worth printing: one for each change, not one every second.
#[derive(Default)]
struct Lines {
    /// When the last one was printed, and what it said.
    last: Option<(Duration, Told)>,
    /// How long to wait while only numbers change.
    pause: Duration,
}

/// What a line said, as far as it matters for whether there is news.
#[derive(PartialEq, Eq)]
struct Told {
    doing: String,
    reason: String,
    bytes_done: u64,
}

struct Bar {
    bar: ProgressBar,
    label: String,
    colours: bool,
    /// What it was made for.
    columns: usize,
    /// The second line.
    reason: Arc<Mutex<String>>,
    drawn: bool,
}

impl Progress {
    /// For work on `label`, which begins now.
    pub(crate) fn new(output: &Output, label: &str) -> Progress {
        let shape = match (output.err_is_terminal(), output.shows_progress()) {
            (true, _) => Shape::Bar(Bar::new(&human::clean(label), output.err_has_colours())),
            (false, true) => Shape::Lines(Lines::default()),
            (false, false) => Shape::Silent,
        };
        Progress { label: human::clean(label), start: Instant::now(), shape }
    }

    /// Whether a person watches, who likes frequent updates.
    pub(crate) fn is_bar(&self) -> bool {
        matches!(self.shape, Shape::Bar(_))
    }

    /// Shows how far it is now.
    pub(crate) fn update(&mut self, now: &Now<'_>) {
        let elapsed = self.start.elapsed();
        match &mut self.shape {
            Shape::Silent => (),
            Shape::Bar(bar) => bar.update(now, elapsed),
            Shape::Lines(lines) => {
                if lines.take_turn(now, elapsed) {
                    eprint_line(&plain_line(&self.label, now, elapsed));
                }
            }
        }
    }
}

impl Lines {
    /// Whether a line is due at this time after the beginning. If so, the caller prints it: the next one is due later.
    fn take_turn(&mut self, now: &Now<'_>, elapsed: Duration) -> bool {
        let reason = now.reason.unwrap_or("").to_owned();
        let told = Told { doing: now.doing.to_owned(), reason, bytes_done: now.bytes_done };
        let Some((at, last)) = &self.last else {
            // The first line waits as long as any other, so that quick work is silent.
            let pause = if told.reason.is_empty() { LINES_EVERY } else { REASONS_EVERY };
            let due = elapsed >= pause;
            self.last = due.then_some((elapsed, told));
            self.pause = LINES_EVERY;
            return due;
        };
        let says_new =
            without_digits(&last.reason) != without_digits(&told.reason) || last.doing != told.doing;
        let moves = last.bytes_done != told.bytes_done;
        let pause = match () {
            () if says_new => REASONS_EVERY,
            () if moves => LINES_EVERY,
            () if *last == told => return false,
            () => self.pause,
        };
        if elapsed.saturating_sub(*at) < pause {
            return false;
        }
        self.pause = if says_new || moves { LINES_EVERY } else { (self.pause * 2).min(LINES_SELDOM) };
        self.last = Some((elapsed, told));
        true
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.bar.finish_and_clear();
        }
    }
}

impl Bar {
    fn new(label: &str, colours: bool) -> Bar {
        let reason = Arc::new(Mutex::new(String::new()));
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Bar { bar, label: label.to_owned(), colours, columns: 0, reason, drawn: false }
    }

    fn update(&mut self, now: &Now<'_>, elapsed: Duration) {
        let columns = terminal::size(std::io::stderr()).columns.max(COLUMNS_FREE + 1);
        let widths = Widths::of(columns - COLUMNS_FREE, width(&self.label));
        if columns != self.columns {
            self.columns = columns;
            self.bar.set_style(style(&self.reason, self.colours, widths.bar));
            self.bar.set_prefix(shorten(&self.label, widths.label));
        }
        let reason = now.reason.map_or(String::new(), |reason| {
            format!("\n  {}", shorten(&human::clean(reason), columns - COLUMNS_FREE - 2))
        });
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.bar.set_length(now.bytes_total);
        self.bar.set_position(now.bytes_done);
        let label = width(&self.bar.prefix());
        let room =
            (columns - COLUMNS_FREE).saturating_sub(label + 1 + widths.bar + usize::from(widths.bar > 0));
        self.bar.set_message(shorten(&parts(now, elapsed).join("  "), room));
        if !self.drawn && elapsed >= PATIENCE {
            self.drawn = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// How the line is shared out, so that it never wraps: what wraps is not wiped whole when the bar goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Widths {
    label: usize,
    /// 0: none.
    bar: usize,
}

impl Widths {
    /// For a label of this width in columns. The numbers matter most: they need 52 columns.
    fn of(columns: usize, label: usize) -> Widths {
        let label = label.min(columns.saturating_sub(52).clamp(8, 32));
        match columns.saturating_sub(52 + label) {
            0..10 => Widths { label, bar: 0 },
            room => Widths { label, bar: room.min(24) },
        }
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

fn plain_line(label: &str, now: &Now<'_>, elapsed: Duration) -> String {
    let mut line = format!("{label}: {} {}", now.doing, parts(now, elapsed).join(", "));
    if let Some(reason) = now.reason {
        let _ = write!(line, "; {}", human::clean(reason)); // a String takes everything
    }
    line
}

/// "42 %", "1.7 GiB of 4.0 GiB", "560 MiB/s", "12 peers", "4 s left"
fn parts(now: &Now<'_>, elapsed: Duration) -> Vec<String> {
    let mut parts = vec![
        human::percent(now.bytes_done, now.bytes_total),
        format!("{} of {}", human::bytes(now.bytes_done), human::bytes(now.bytes_total)),
    ];
    let average = (now.bytes_done as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    let bytes_per_s = now.bytes_per_s.unwrap_or(average);
    if bytes_per_s > 0 {
        parts.push(human::rate(bytes_per_s));
    }
    if let Some(peers) = now.peers {
        parts.push(human::count(peers.into(), "peer"));
    }
    let left = now.bytes_total.saturating_sub(now.bytes_done);
    let eta_s = now.eta_s.or((now.bytes_per_s.is_none() && left > 0).then(|| left / average.max(1)));
    if let Some(eta_s) = eta_s.filter(|&eta_s| bytes_per_s > 0 && eta_s > 0) {
        parts.push(format!("{} left", human::duration(Duration::from_secs(eta_s))));
    }
    parts
}

/// "tracker unreachable for 40 s" is no news after 39 s.
fn without_digits(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

fn eprint_line(line: &str) {
    use std::io::Write;

    let _ = writeln!(std::io::stderr().lock(), "{line}"); // nobody may read it
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

    /// The seconds at which lines are printed, looked at ten times a second.
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
        assert_eq!(printed(100_000, |_| (7, "paused by an operator".to_owned())), [1]);
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

    #[test]
    fn a_line_is_never_wider_than_the_terminal() {
        assert_eq!(Widths::of(117, 40), Widths { label: 32, bar: 24 });
        assert_eq!(Widths::of(77, 10), Widths { label: 10, bar: 15 });
        assert_eq!(Widths::of(77, 40), Widths { label: 25, bar: 0 });
        assert_eq!(Widths::of(57, 40), Widths { label: 8, bar: 0 });
    }

    #[test]
    fn without_a_terminal_nothing_is_told_unless_it_was_asked_for() {
        use crate::cli::Global;

        for (progress, json) in [(false, false), (false, true), (true, false), (true, true)] {
            let output = Output::to(std::io::sink(), &Global { progress, json, ..Global::default() });
            let told = matches!(Progress::new(&output, "x").shape, Shape::Lines(_));
            assert_eq!(told, progress, "json: {json}");
        }
    }
}
