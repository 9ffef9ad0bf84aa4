//! The signals that a daemon handles.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of this process since `listen` was called.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// The request of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT, with its name: end in order.
    End(&'static str),
}

impl Signals {
    /// Begins to handle the signals. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal. Dropping the future loses none.
    pub async fn next(&mut self) -> Heard {
        tokio::select! {
            Some(()) = self.hangup.recv() => Heard::Reload,
            Some(()) = self.terminate.recv() => Heard::End("SIGTERM"),
            Some(()) = self.interrupt.recv() => Heard::End("SIGINT"),
            // no more signals will come
            else => std::future::pending().await,
        }
    }
}
