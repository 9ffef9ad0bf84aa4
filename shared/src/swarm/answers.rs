//! How long answers usually take.

use std::collections::VecDeque;
use std::time::Duration;

/// Limits how many recent answer times are kept. The oldest is dropped beyond that. 32 smooth out single outliers and
/// still follow a change within seconds.
const SAMPLES_MAX: usize = 32;
/// Below this number of answer times the median is not reported: it would say too little.
const SAMPLES_MIN: usize = 4;

/// The times of the latest answers, oldest first.
#[derive(Default)]
pub(super) struct Answers(VecDeque<Duration>);

impl Answers {
    pub(super) fn add(&mut self, took: Duration) {
        if self.0.len() >= SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// The median time, or `None` while there are fewer than [`SAMPLES_MIN`].
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
