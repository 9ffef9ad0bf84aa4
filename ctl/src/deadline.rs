//! The time at which a command gives up waiting.

use crate::error::{Error, Kind};
use crate::human;
use std::pin::Pin;
use std::time::Duration;

/// When to give up: never if the command has no timeout.
pub(crate) struct Deadline {
    pub(crate) timeout: Option<Duration>,
    pub(crate) reached: Pin<Box<dyn Future<Output = ()>>>,
}

impl Deadline {
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        let reached: Pin<Box<dyn Future<Output = ()>>> = match timeout {
            Some(timeout) => Box::pin(tokio::time::sleep(timeout)),
            None => Box::pin(std::future::pending()),
        };
        Deadline { timeout, reached }
    }

    /// Does some work, until the deadline at most. `late` makes the message of the error from the time that was
    /// allowed.
    pub(crate) async fn within<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
        late: impl FnOnce(&str) -> String,
    ) -> Result<T, Error> {
        tokio::select! {
            done = work => done,
            () = &mut self.reached => {
                let span = human::duration(self.timeout.unwrap_or_default());
                Err(Error::new(Kind::TimedOut, late(&span)))
            }
        }
    }
}
