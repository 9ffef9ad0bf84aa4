//! Shows the progress of the demo: a bar per machine on a terminal, a line per second elsewhere.

use super::machine::{Machine, Progress};
use indicatif::{BinaryBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// How often a line is printed where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Shows the progress of the machines.
pub(crate) struct Display {
    bars: Vec<ProgressBar>,
    names: Vec<String>,
    bytes: u64,
    is_terminal: bool,
    last_line: Cell<Option<Instant>>,
}

impl Display {
    pub(crate) fn new(machines: &[Machine], bytes: u64) -> Display {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("  {prefix}  [{bar:40}] {percent:>3} %  {msg}")
            .expect("the template is valid")
            .progress_chars("=> ");
        let bar = |machine: &Machine| {
            let bar = ProgressBar::new(bytes).with_style(style.clone());
            all.add(bar).with_prefix(machine.name().to_owned())
        };
        Display {
            bars: machines.iter().map(bar).collect(),
            names: machines.iter().map(|machine| machine.name().to_owned()).collect(),
            bytes,
            is_terminal: stderr().is_terminal(),
            last_line: Cell::new(None),
        }
    }

    pub(crate) fn show(&self, progress: &[Progress]) {
        for (bar, progress) in self.bars.iter().zip(progress) {
            bar.set_position(progress.bytes_have.min(self.bytes));
            bar.set_message(describe(progress));
        }
        let is_due = self.last_line.get().is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if !self.is_terminal && is_due {
            let part = |(name, progress): (&String, &Progress)| {
                let percent = (progress.bytes_have * 100).checked_div(self.bytes).unwrap_or(100).min(100);
                format!("{name} {percent:>3} % {}", describe(progress))
            };
            let parts: Vec<String> = self.names.iter().zip(progress).map(part).collect();
            println!("  {}", parts.join("   "));
            self.last_line.set(Some(Instant::now()));
        }
    }

    pub(crate) fn end(&self) {
        self.bars.iter().for_each(ProgressBar::abandon);
        if self.is_terminal {
            // The bars leave the cursor after the last of them.
            eprintln!();
        }
    }
}

fn describe(progress: &Progress) -> String {
    let mut text = progress.state.clone();
    if progress.state == "downloading" {
        text += &format!(", {}/s from {} peers", BinaryBytes(progress.bytes_per_s), progress.peers);
    }
    if !progress.reason.is_empty() {
        text += &format!(": {}", progress.reason);
    }
    text
}

/// "5,052 entries", "1 entry"
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", HumanCount(number as u64), if number == 1 { one } else { many })
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}
