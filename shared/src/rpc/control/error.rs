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

/// What kind of error it is. The numbers are ttctl's exit codes, but for [`exit_code`](ErrorKind::exit_code)'s one
/// exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The daemon failed.
    Internal = 1,
    /// The request makes no sense.
    Usage = 2,
    /// Not found, or not allowed.
    Refused = 4,
    /// It took too long.
    TimedOut = 5,
    /// A manifest or a file does not verify.
    BadData = 6,
    /// The disk has no room.
    NoSpace = 7,
    /// No tracker or server could be reached: trying again may help.
    Unreachable = 8,
    /// Nobody knows what was looked for, yet. It is a [`Refused`](ErrorKind::Refused) that waiting may end.
    Unknown = 9,
}

impl ErrorKind {
    /// What ttctl ends with.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Unknown => ErrorKind::Refused as u8,
            kind => kind as u8,
        }
    }
}
