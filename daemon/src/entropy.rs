//! Random numbers of the daemon: seeds, jitter, and ids that nobody else has. They come from the system; in a test on
//! virtual time, from the seed of the machine.

use rand::distr::{Distribution, StandardUniform};

/// A random value, all equally likely.
#[expect(clippy::disallowed_methods, reason = "this is the place that it is disallowed for")]
pub fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    #[cfg(test)]
    if let Some(life) = crate::jobs::life::current() {
        use rand::{RngExt, SeedableRng};
        return rand::rngs::StdRng::seed_from_u64(life.draw()).random();
    }
    rand::random()
}
