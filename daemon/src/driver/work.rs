//! Work in the background that the driver waits for. Its outcome always comes back to the driver, also when the work
//! panics: a phase that waits for it would last for ever otherwise.

use super::Driver;
use crate::inbox::Input;
use crate::panicked::{Panicked, caught};

impl Driver {
    /// Does something that blocks, off the driver; `then` makes of its outcome what the driver is told.
    pub(super) fn work<T: 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(Result<T, Panicked>) -> Input + Send + 'static,
    ) {
        let context = self.context.clone();
        tokio::task::spawn_blocking(move || context.tell_blocking(then(caught(work))));
    }
}
