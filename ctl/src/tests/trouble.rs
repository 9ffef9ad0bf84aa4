//! What goes wrong at a daemon that only pretends, where a test wants it to.

use shared::rpc::control::{ControlError, ErrorKind, GetRequest, GetWhat};
use shared::rpc::{PROTOCOL_VERSION, WrongVersion};
use tokio::task::AbortHandle;

/// How the loading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loading {
    /// When a name is asked for.
    Soon,
    /// Not before the question about a name is given up.
    TooLate,
}

#[derive(Default)]
pub(crate) struct Trouble {
    /// Names whose `get` is never answered.
    pub(crate) silent: Vec<&'static str>,
    /// The `hello` from which on the daemon is of another version; the first is 1.
    pub(crate) other_version_from: Option<u32>,
    /// How many calls that change something are answered before one ends all connections instead.
    pub(crate) calls_left: Option<u32>,
    /// How often `watch` was called since the connections were last ended.
    pub(crate) watched: u32,
    /// The daemon is loading: a list has only the first file, and a question about a name is answered at the end.
    pub(crate) loading: Option<Loading>,
    /// Why nobody can look at what is in a directory and does not belong to it.
    pub(crate) unreadable: Option<ControlError>,
    hellos: u32,
    connections: Vec<AbortHandle>,
}

impl Trouble {
    pub(super) fn connected(&mut self, connection: AbortHandle) {
        self.connections.push(connection);
    }

    pub(super) fn hello(&mut self) -> Result<(), WrongVersion> {
        self.hellos += 1;
        match self.other_version_from {
            Some(from) if self.hellos >= from => Err(WrongVersion { ours: PROTOCOL_VERSION + 1 }),
            _ => Ok(()),
        }
    }

    /// Ends the loading if a name is asked for.
    pub(super) fn wait_for_loading(&mut self, name: Option<&str>) -> Result<(), ControlError> {
        if name.is_none() {
            return Ok(());
        }
        if self.loading == Some(Loading::TooLate) {
            let (kind, message) = (ErrorKind::TimedOut, "ttd has just started".to_owned());
            return Err(ControlError { kind, message, hint: None });
        }
        self.loading = None;
        Ok(())
    }

    pub(super) fn is_silent(&self, request: &GetRequest) -> bool {
        matches!(&request.what, GetWhat::Name { name, .. } if self.silent.contains(&name.as_str()))
    }

    /// Counts a call that changes something. Returns whether it has ended all connections instead.
    pub(super) fn count_call(&mut self) -> bool {
        match self.calls_left {
            Some(0) => {
                self.calls_left = None;
                self.cut();
                true
            }
            Some(left) => {
                self.calls_left = Some(left - 1);
                false
            }
            None => false,
        }
    }

    /// Ends all connections, as a restart does.
    pub(crate) fn cut(&mut self) {
        self.watched = 0;
        self.connections.drain(..).for_each(|connection| connection.abort());
    }
}
