//! Random numbers from a seed, the same on every machine. The core has no other source of randomness.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// A random number generator: the same seed gives the same numbers.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// A generator whose numbers all follow from `seed`.
    pub fn new(seed: [u8; 32]) -> Chance {
        Chance(ChaCha8Rng::from_seed(seed))
    }

    /// A number below `n`, all equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The upper half of the product avoids a division. For an `n` far below 2^64 it is even enough.
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// A random element; `None` if there is none.
    pub fn one_of<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        match from {
            [] => None,
            [only] => Some(*only),
            _ => Some(from[self.below(from.len())]),
        }
    }

    /// Removes and returns a random element, without keeping the order of the others; `None` if there is none.
    pub fn take_one<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        (!from.is_empty()).then(|| from.swap_remove(self.below(from.len())))
    }

    /// A random time between half of `span` and one and a half times it, so that machines that started together drift
    /// apart.
    pub fn jitter(&mut self, span: Duration) -> Duration {
        span / 2 + span * self.below(1024) as u32 / 1024
    }
}

/// The constant that splitmix64 adds to its state for each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The next number of splitmix64, whose whole state is one number.
pub fn splitmix(state: &mut u64) -> u64 {
    let number = mix(*state);
    *state = state.wrapping_add(STEP);
    number
}

/// One step of splitmix64: every bit of the result depends on every bit of `z`.
pub fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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

    #[test]
    fn splitmix_is_the_published_one() {
        let mut state = 1_234_567;
        let numbers: Vec<u64> = (0..3).map(|_| splitmix(&mut state)).collect();
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
