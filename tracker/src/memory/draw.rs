//! Random draws from a seed.

use shared::chance::Chance;

/// Draws without replacement, in a time that depends on the number of draws and not on the size of the set.
#[derive(Debug)]
pub(super) struct Draw(Chance);

impl Draw {
    pub(super) fn new(seed: [u8; 32]) -> Draw {
        Draw(Chance::new(seed))
    }

    /// A random number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// Up to `wanted` different random numbers below `len`, excluding `skip` (Floyd's algorithm).
    pub(super) fn some_of(&mut self, len: usize, wanted: usize, skip: Option<usize>) -> Vec<usize> {
        let pool = len - usize::from(skip.is_some());
        let mut drawn = Vec::with_capacity(wanted.min(pool));
        for last in pool.saturating_sub(wanted)..pool {
            let candidate = self.below(last + 1);
            drawn.push(if drawn.contains(&candidate) { last } else { candidate });
        }
        // Numbers from `skip` upward are shifted by one.
        let shift = |number: usize| number + usize::from(skip.is_some_and(|skip| number >= skip));
        drawn.into_iter().map(shift).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_drawn_equally_and_none_twice() {
        let mut draw = Draw::new([1; 32]);
        let mut times = [0; 30];
        for _ in 0..10_000 {
            let mut drawn = draw.some_of(30, 3, Some(7));
            drawn.iter().for_each(|&number| times[number] += 1);
            drawn.sort();
            drawn.dedup();
            assert_eq!(drawn.len(), 3);
        }
        assert_eq!(times[7], 0);
        let expected = 10_000 * 3 / 29;
        for (number, times) in times.iter().enumerate().filter(|(number, _)| *number != 7) {
            assert!((expected - 200..expected + 200).contains(times), "{number} came {times} times");
        }
    }

    #[test]
    fn what_there_is_is_all_that_is_drawn() {
        let mut draw = Draw::new([1; 32]);
        assert!(draw.some_of(0, 5, None).is_empty());
        assert!(draw.some_of(1, 5, Some(0)).is_empty());
        assert_eq!(draw.some_of(2, 5, Some(0)), [1]);
        let mut all = draw.some_of(5, 9, Some(4));
        all.sort();
        assert_eq!(all, [0, 1, 2, 3]);
        assert!(draw.some_of(5, 0, None).is_empty());
    }
}
