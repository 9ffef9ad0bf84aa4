//! The signals that a daemon heeds.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a daemon heeds, from `listen` on.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT, by its name: end in good order.
    End(&'static str),
}

impl Signals {
    /// Begins to heed them. It needs a tokio runtime.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. A wait that is given up loses none.
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
