//! Shows the progress of long work: a bar on a terminal; elsewhere plain lines if they were asked for. Both go to the
//! standard error.
//!
//! `now` formats the numbers; `bar` and `lines` are the two forms.

mod bar;
mod lines;
mod now;

use crate::human;
use crate::output::Output;
use bar::Bar;
use lines::Lines;
use std::time::Instant;

pub(crate) use now::Now;

/// Shows the progress of one piece of work until it is dropped.
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

impl Progress {
    /// Begins to show the progress of work on `label`.
    pub(crate) fn new(output: &Output, label: &str) -> Progress {
        Progress::maker(output)(label)
    }

    /// A function that makes displays of this kind, for code that does not have the output.
    pub(crate) fn maker(output: &Output) -> impl Fn(&str) -> Progress + use<> {
        let (is_drawn, is_shown) = (output.draws_progress(), output.shows_progress());
        let colours = output.err_has_colours();
        move |label| {
            let shape = match (is_drawn, is_shown) {
                (_, false) => Shape::Silent,
                (true, true) => Shape::Bar(Bar::new(&human::clean(label), colours)),
                (false, true) => Shape::Lines(Lines::default()),
            };
            Progress { label: human::clean(label), start: Instant::now(), shape }
        }
    }

    /// A display that shows nothing.
    pub(crate) fn silent() -> Progress {
        Progress { label: String::new(), start: Instant::now(), shape: Shape::Silent }
    }

    /// Whether it is a bar, for which frequent updates are useful.
    pub(crate) fn is_bar(&self) -> bool {
        matches!(self.shape, Shape::Bar(_))
    }

    /// Shows the current progress.
    pub(crate) fn update(&mut self, now: &Now<'_>) {
        let elapsed = self.start.elapsed();
        match &mut self.shape {
            Shape::Silent => (),
            Shape::Bar(bar) => bar.update(now, elapsed),
            Shape::Lines(lines) => lines.update(&self.label, now, elapsed),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.wipe();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
