//! How long the steps took, and which of them took longest.

use std::fmt::Write;
use std::time::{Duration, Instant};

/// Limits the steps that are listed at the end.
const SLOWEST_MAX: usize = 10;

/// The steps that have ended, in order.
#[derive(Debug, Default)]
pub(super) struct Times {
    steps: Vec<Time>,
}

#[derive(Debug)]
struct Time {
    name: String,
    span: Duration,
    /// The parts that were measured by themselves.
    parts: Vec<(String, Duration)>,
}

impl Times {
    /// Runs a step, also one that fails, and keeps how long it took. The step may measure parts of itself.
    pub(super) fn measure<T>(&mut self, name: &str, step: impl FnOnce(&mut Parts) -> T) -> T {
        let (begin, mut parts) = (Instant::now(), Parts::default());
        let result = step(&mut parts);
        let parts = parts.ended();
        self.steps.push(Time { name: name.to_owned(), span: begin.elapsed(), parts });
        result
    }

    /// The steps that took longest, each a line with its seconds and its name. A step of which parts were measured is
    /// listed by its parts.
    pub(super) fn slowest(&self) -> String {
        let mut all: Vec<(String, Duration)> = Vec::new();
        for step in &self.steps {
            match &step.parts[..] {
                [] => all.push((step.name.clone(), step.span)),
                parts => {
                    all.extend(parts.iter().map(|(part, span)| (format!("{}: {part}", step.name), *span)))
                }
            }
        }
        all.sort_by_key(|(_, span)| std::cmp::Reverse(*span));
        let title = match all.len() {
            0..=SLOWEST_MAX => "the steps, the slowest first:".to_owned(),
            count => format!("the {SLOWEST_MAX} slowest of {count} steps:"),
        };
        all.iter().take(SLOWEST_MAX).fold(title, |mut text, (name, span)| {
            let _ = write!(text, "\n     {:7.1} s  {name}", span.as_secs_f64());
            text
        })
    }

    /// How long a step took; nothing if it has not run.
    pub(super) fn of(&self, name: &str) -> Duration {
        self.steps.iter().find(|step| step.name == name).map_or(Duration::ZERO, |step| step.span)
    }
}

/// The parts of a step, one after the other.
#[derive(Debug, Default)]
pub(super) struct Parts {
    ended: Vec<(String, Duration)>,
    running: Option<(String, Instant)>,
}

impl Parts {
    /// The next part begins, and the former one has ended.
    pub(super) fn begin(&mut self, name: String) {
        self.end();
        self.running = Some((name, Instant::now()));
    }

    fn end(&mut self) {
        self.ended.extend(self.running.take().map(|(name, begin)| (name, begin.elapsed())));
    }

    /// All parts; the last one ends now.
    pub(super) fn ended(mut self) -> Vec<(String, Duration)> {
        self.end();
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, ms: u64, parts: &[(&str, u64)]) -> Time {
        let part = |(name, ms): &(&str, u64)| ((*name).to_owned(), Duration::from_millis(*ms));
        let parts = parts.iter().map(part).collect();
        Time { name: name.to_owned(), span: Duration::from_millis(ms), parts }
    }

    #[test]
    fn the_slowest_come_first_and_parts_stand_for_their_step() {
        let parts = [("daemon (src/lib.rs)", 156_530), ("cluster (src/lib.rs)", 300)];
        let steps =
            vec![step("format", 840, &[]), step("clippy", 50_000, &[]), step("tests", 160_000, &parts)];
        let times = Times { steps };
        assert_eq!(
            times.slowest(),
            "the steps, the slowest first:\
             \n       156.5 s  tests: daemon (src/lib.rs)\
             \n        50.0 s  clippy\
             \n         0.8 s  format\
             \n         0.3 s  tests: cluster (src/lib.rs)"
        );
        assert_eq!(times.of("tests"), Duration::from_secs(160));
        assert_eq!(times.of("packages"), Duration::ZERO);
    }

    #[test]
    fn of_many_steps_ten_are_listed() {
        let steps = (1..=17).map(|seconds| step(&format!("step {seconds}"), seconds * 1000, &[]));
        let shown = Times { steps: steps.collect() }.slowest();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!((lines.len(), lines[0]), (11, "the 10 slowest of 17 steps:"));
        assert_eq!(lines[1], "        17.0 s  step 17");
        assert_eq!(lines[10], "         8.0 s  step 8");
    }

    #[test]
    fn a_step_that_fails_is_measured_with_the_part_that_was_running() {
        let mut times = Times::default();
        let result: Result<(), String> = times.measure("tests", |parts| {
            parts.begin("one".to_owned());
            parts.begin("two".to_owned());
            Err("it failed".to_owned())
        });
        assert!(result.is_err());
        let names: Vec<&str> = times.steps[0].parts.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["one", "two"]);
    }
}
