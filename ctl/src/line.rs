//! One line on the standard error that says how things are now.

use crate::output::Output;
use crate::terminal;
use crate::width::shorten;
use std::io::Write;
use std::time::{Duration, Instant};

/// Where no person looks, lines come no more often than this.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// A line that is written over on a terminal, and comes now and then in a pipe. On the standard error.
pub(crate) struct Line {
    is_terminal: bool,
    is_silent: bool,
    last: String,
    shown: Instant,
}

impl Line {
    pub(crate) fn new(output: &Output) -> Line {
        let is_terminal = output.draws_progress();
        let is_silent = !output.shows_progress();
        Line { is_terminal, is_silent, last: String::new(), shown: Instant::now() }
    }

    pub(crate) fn show(&mut self, text: &str) {
        let mut err = std::io::stderr().lock();
        if self.is_terminal {
            // room for a "^C" of the terminal
            let columns = terminal::size(std::io::stderr()).columns.saturating_sub(3);
            let _ = write!(err, "\r\x1b[K{}", shorten(text, columns)).and_then(|()| err.flush()); // nobody may read it
        } else if !self.is_silent && text != self.last && self.shown.elapsed() >= LINES_EVERY {
            let _ = writeln!(err, "{text}");
            self.shown = Instant::now();
        } else {
            return;
        }
        text.clone_into(&mut self.last);
    }

    pub(crate) fn clear(&mut self) {
        if self.is_terminal {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}
