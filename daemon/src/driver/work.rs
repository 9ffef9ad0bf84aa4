//! Runs work in the background. Its result always comes back to the driver, even if the work panics; otherwise a phase
//! that waits for it would last for ever.

use super::Driver;
use crate::inbox::Input;
use crate::jobs;
use crate::panicked::{Panicked, caught};

impl Driver {
    /// Runs blocking work outside the driver; `then` turns its result into the driver's input.
    pub(super) fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(Result<T, Panicked>) -> Input + Send + 'static,
    ) {
        let context = self.context.clone();
        jobs::run_and_tell(move || caught(work), move |done| context.tell_blocking(then(done)));
    }
}
