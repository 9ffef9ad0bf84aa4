//! `std::thread`, of which the tests choose the order.

pub(crate) use shuttle::thread::{panicking, scope, spawn};

use std::io;
use std::num::NonZero;

/// Three processors: enough for two threads that wait while a third one runs.
#[expect(clippy::unnecessary_wraps, reason = "it takes the place of std's")]
pub(crate) fn available_parallelism() -> io::Result<NonZero<usize>> {
    Ok(NonZero::new(3).expect("it is not zero"))
}
