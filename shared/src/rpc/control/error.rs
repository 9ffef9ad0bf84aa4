//! Why a command was not carried out.

use serde::{Deserialize, Serialize};

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlError {
    /// What ttctl makes its exit code of.
    pub kind: ErrorKind,
    /// What happened and where, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for ControlError {}

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The daemon failed.
    Internal,
    /// The request makes no sense.
    Usage,
    /// Not found, or not allowed.
    Refused,
    /// It took too long.
    TimedOut,
    /// A manifest or a file does not verify.
    BadData,
    /// The disk has no room.
    NoSpace,
    /// No tracker or server could be reached: trying again may help.
    Unreachable,
    /// Nobody knows what was looked for, yet. It is a [`Refused`](ErrorKind::Refused) that waiting may end.
    Unknown,
}
