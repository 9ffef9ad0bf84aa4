//! How long answers take, as a rule.

use std::collections::VecDeque;
use std::time::Duration;

/// How many answers are remembered, the latest.
const SAMPLES_MAX: usize = 32;
/// With fewer answers than this there is no usual time.
const SAMPLES_MIN: usize = 4;

/// How long answers took of late.
#[derive(Default)]
pub(super) struct Answers(VecDeque<Duration>);

impl Answers {
    pub(super) fn add(&mut self, took: Duration) {
        if self.0.len() >= SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// The median.
    pub(super) fn usual(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        if sorted.len() < SAMPLES_MIN {
            return None;
        }
        let middle = sorted.len() / 2;
        Some(*sorted.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_answers_take_counts() {
        let mut answers = Answers::default();
        let ms = Duration::from_millis;
        (1..SAMPLES_MIN as u64).for_each(|at| answers.add(ms(at)));
        assert_eq!(answers.usual(), None, "too few to tell");
        answers.add(ms(900));
        assert_eq!(answers.usual(), Some(ms(3)));
        (0..SAMPLES_MAX as u64).for_each(|at| answers.add(ms(50 + at)));
        assert_eq!(answers.usual(), Some(ms(66)), "the former ones are forgotten");
    }
}
