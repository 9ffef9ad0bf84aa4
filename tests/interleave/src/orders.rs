//! Runs a test in many orders of its threads.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::sync::Arc;

/// The same orders in each run.
const SEED: u64 = 17;

/// The largest number of moments at which the second kind of orders prefers another thread. Most defects of this kind
/// need two or three.
const PREFERENCES_MAX: usize = 3;

/// A debug build hashes with more than shuttle's 32 KiB.
const STACK_BYTES: usize = 512 << 10;

/// Runs a test in this number of orders of two kinds: the next thread is drawn anew at each step; and threads run as
/// long as they can but for a few moments, which finds what needs one thread to fall far behind.
pub(crate) fn in_many_orders(orders: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    let test = Arc::new(test);
    let again = test.clone();
    Runner::new(RandomScheduler::new_from_seed(SEED, orders), config.clone()).run(move || test());
    Runner::new(PctScheduler::new_from_seed(SEED, PREFERENCES_MAX, orders), config).run(move || again());
}
