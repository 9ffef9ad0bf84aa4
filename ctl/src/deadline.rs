//! The time at which a command gives up waiting.

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
}
