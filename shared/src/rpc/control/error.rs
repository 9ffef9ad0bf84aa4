//! Why a command was not carried out.

use serde::{Deserialize, Serialize};

/// What helps where nobody could be reached and nothing more is known.
pub const TRY_LATER: &str = "try again later; --timeout waits for it";

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlError {
    /// The kind of error, from which ttctl derives its exit code.
    pub kind: ErrorKind,
    /// What failed and where, in one line.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for ControlError {}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// An internal failure of the daemon.
    Internal,
    /// The request is invalid.
    Usage,
    /// Not found, or not allowed.
    Refused,
    /// The time was up before it was done.
    TimedOut,
    /// A manifest or a file does not verify.
    BadData,
    /// The disk is full.
    NoSpace,
    /// No tracker or server could be reached: trying again may help.
    Unreachable,
    /// Nothing of this name or id is known yet. It is a [`Refused`](ErrorKind::Refused) that waiting may end.
    Unknown,
    /// The daemon is stopping. The next one may answer.
    Stopping,
}
