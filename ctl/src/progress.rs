//! How far a long piece of work is: a bar on a terminal, plain lines elsewhere. Both on the standard error.

use crate::human;
use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What takes less time than this is not worth a bar.
const PATIENCE: Duration = Duration::from_millis(250);

/// Plain lines come no more often than this...
const LINES_EVERY: Duration = Duration::from_secs(5);

/// ... but a new reason is told sooner.
const REASONS_EVERY: Duration = Duration::from_secs(1);

const LABEL_CHARS_MAX: usize = 32;

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
    Lines { last: Option<Instant>, reason: String },
    Bar(Bar),
}

struct Bar {
    bar: ProgressBar,
    /// The second line.
    reason: Arc<Mutex<String>>,
    drawn: bool,
}

impl Progress {
    /// For work on `label`, which begins now. JSON in a pipe is for a script, which wants no lines.
    pub(crate) fn new(output: &Output, label: &str) -> Progress {
        let shape = match (output.err_is_terminal(), output.is_json()) {
            (true, _) => Shape::Bar(Bar::new(&shorten(&human::clean(label)), output.err_has_colours())),
            (false, true) => Shape::Silent,
            (false, false) => Shape::Lines { last: None, reason: String::new() },
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
            Shape::Lines { last, reason } => {
                let new_reason = without_digits(now.reason.unwrap_or(""));
                let pause = if new_reason == *reason { LINES_EVERY } else { REASONS_EVERY };
                let since = last.map_or(elapsed, |last| last.elapsed());
                // The first line waits as long as any other, so that quick work is silent.
                if since < pause {
                    return;
                }
                (*last, *reason) = (Some(Instant::now()), new_reason);
                eprint_line(&plain_line(&self.label, now, elapsed));
            }
        }
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
        bar.set_style(style(&reason, colours));
        bar.set_prefix(label.to_owned());
        Bar { bar, reason, drawn: false }
    }

    fn update(&mut self, now: &Now<'_>, elapsed: Duration) {
        let reason = now.reason.map_or(String::new(), |reason| format!("\n  {}", human::clean(reason)));
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.bar.set_length(now.bytes_total);
        self.bar.set_position(now.bytes_done);
        self.bar.set_message(parts(now, elapsed).join("  "));
        if !self.drawn && elapsed >= PATIENCE {
            self.drawn = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

fn style(reason: &Arc<Mutex<String>>, colours: bool) -> ProgressStyle {
    let template = match colours {
        true => "{prefix:.bold} {bar:24.cyan/dim} {msg}{reason:.yellow}",
        false => "{prefix} {bar:24} {msg}{reason}",
    };
    let reason = Arc::clone(reason);
    ProgressStyle::with_template(template)
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

fn shorten(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS_MAX {
        return label.to_owned();
    }
    let head: String = label.chars().take(LABEL_CHARS_MAX - 1).collect();
    format!("{head}…")
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

    #[test]
    fn a_reason_that_only_counts_is_no_new_one() {
        assert_eq!(without_digits("unreachable for 9 s"), without_digits("unreachable for 10 s"));
    }
}
