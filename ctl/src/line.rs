//! One line on the standard error that shows the current state.

use crate::output::Output;
use crate::stderr;
use crate::terminal;
use crate::width::shorten;
use std::time::{Duration, Instant};

/// The shortest pause between two lines where no terminal is, so that logs stay short.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// On a terminal the line is overwritten. Elsewhere a new line is written now and then.
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
        if self.is_terminal {
            // room for the "^C" that the terminal writes
            let columns = terminal::size(std::io::stderr()).columns.saturating_sub(3);
            stderr::draw(&shorten(text, columns));
        } else if !self.is_silent && text != self.last && self.shown.elapsed() >= LINES_EVERY {
            stderr::message(text);
            self.shown = Instant::now();
        } else {
            return;
        }
        text.clone_into(&mut self.last);
    }

    pub(crate) fn clear(&mut self) {
        if self.is_terminal {
            stderr::draw("");
        }
    }
}
