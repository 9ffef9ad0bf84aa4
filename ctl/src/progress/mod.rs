//! How far a long piece of work is: a bar on a terminal; elsewhere plain lines, if somebody asked for them. Both on the
//! standard error.
//!
//! `now` is how far, in words; `bar` and `lines` are the two shapes.

mod bar;
mod lines;
mod now;

use crate::human;
use crate::output::Output;
use bar::Bar;
use lines::Lines;
use std::time::Instant;

pub(crate) use now::Now;

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

impl Progress {
    /// For work on `label`, which begins now.
    pub(crate) fn new(output: &Output, label: &str) -> Progress {
        Progress::maker(output)(label)
    }

    /// Makes progresses of one kind, for those who do not have the output when they need one.
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

    /// Shows nothing.
    pub(crate) fn silent() -> Progress {
        Progress { label: String::new(), start: Instant::now(), shape: Shape::Silent }
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
            Shape::Lines(lines) => lines.update(&self.label, now, elapsed),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shape::Bar(bar) = &mut self.shape {
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
