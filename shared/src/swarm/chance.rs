//! The core's only source of chance: a generator that is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// Seeded chance.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: [u8; 32]) -> Chance {
        Chance(ChaCha8Rng::from_seed(seed))
    }

    /// A number below `n`; 0 when there is none.
    pub(super) fn below(&mut self, n: usize) -> usize {
        // The product's upper half: even enough for so small an n, and without a division.
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        match from {
            [] => None,
            [only] => Some(*only),
            _ => Some(from[self.below(from.len())]),
        }
    }

    /// Takes one out.
    pub(super) fn take_one<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        (!from.is_empty()).then(|| from.swap_remove(self.below(from.len())))
    }

    /// A span between half and one and a half of `span`, so that machines that started together drift apart.
    pub(super) fn jitter(&mut self, span: Duration) -> Duration {
        span / 2 + span * self.below(1024) as u32 / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_bounds_and_repeats_itself() {
        let (mut one, mut two) = (Chance::new([7; 32]), Chance::new([7; 32]));
        for n in 1..500 {
            let drawn = one.below(n);
            assert!(drawn < n);
            assert_eq!(drawn, two.below(n));
        }
        assert_eq!(one.below(0), 0);
        let span = Duration::from_millis(10);
        for _ in 0..100 {
            assert!((span / 2..span * 3 / 2).contains(&one.jitter(span)));
        }
    }
}
