//! Errors for people: what happened and where in one line, a hint, and a fixed exit code.

use shared::plain::io_error;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::rpc::wire::CallError;
use std::io;

/// What kind of error it is. The numbers are the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ttctl or the daemon failed.
    Internal = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No daemon answers.
    NoDaemon = 3,
    /// Not found, or not allowed.
    Refused = 4,
    /// A timeout is over.
    TimedOut = 5,
    /// A manifest or a file does not verify.
    BadData = 6,
    /// The disk has no room.
    NoSpace = 7,
    /// No tracker or server could be reached: trying again may help.
    Unreachable = 8,
    /// The user pressed ^C.
    Interrupted = 130,
    /// The reader of our output has gone. This is not a failure.
    BrokenPipe = 0,
}

impl Kind {
    /// Its name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Internal => "internal",
            Kind::Usage => "usage",
            Kind::NoDaemon => "no_daemon",
            Kind::Refused => "refused",
            Kind::TimedOut => "timed_out",
            Kind::BadData => "bad_data",
            Kind::NoSpace => "no_space",
            Kind::Unreachable => "unreachable",
            Kind::Interrupted => "interrupted",
            Kind::BrokenPipe => "broken_pipe",
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The kind, which determines the exit code.
    pub kind: Kind,
    /// What happened and where, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it was printed already. It still ends the command and is still part of a JSON document.
    pub is_told: bool,
}

impl Error {
    /// An error without a hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, is_told: false }
    }

    /// An internal failure.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Kind::Internal, message)
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// Not found, or not allowed.
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, message)
    }

    /// A manifest or a file does not verify.
    pub fn bad_data(message: impl Into<String>) -> Error {
        Error::new(Kind::BadData, message)
    }

    /// Adds a hint.
    pub fn hint(self, hint: impl Into<String>) -> Error {
        Error { hint: Some(hint.into()), ..self }
    }

    /// Marks the error as printed.
    pub fn told(self) -> Error {
        Error { is_told: true, ..self }
    }

    /// No tracker or server could be reached.
    pub fn unreachable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unreachable, message)
    }

    /// A file system error. `what` says what was being tried, and with which file.
    pub fn io(what: impl Into<String>, error: &io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::NoSpace,
            // The last three kinds are our own: the file changed, is too large, or is not a regular file.
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::InvalidInput => Kind::Refused,
            io::ErrorKind::InvalidData => Kind::BadData,
            _ => Kind::Internal,
        };
        Error::new(kind, format!("{}: {}", what.into(), io_error(error)))
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Error {
        Error { hint: error.hint, ..Error::new(error.kind.into(), error.message) }
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Kind {
        match kind {
            ErrorKind::Internal => Kind::Internal,
            ErrorKind::Usage => Kind::Usage,
            ErrorKind::Refused | ErrorKind::Unknown => Kind::Refused,
            ErrorKind::TimedOut => Kind::TimedOut,
            ErrorKind::BadData => Kind::BadData,
            ErrorKind::NoSpace => Kind::NoSpace,
            ErrorKind::Unreachable => Kind::Unreachable,
            ErrorKind::Stopping => Kind::NoDaemon,
        }
    }
}

/// The daemon was there but does not answer now.
impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        match error {
            CallError::Closed => Error::new(Kind::NoDaemon, "ttd closed the connection")
                .hint("it was stopped or restarted; see `journalctl -u ttd`, and try again"),
            CallError::TimedOut => Error::new(Kind::TimedOut, "ttd does not respond")
                .hint("it or its disk may be hung; see `journalctl -u ttd`"),
            CallError::Refused => Error::refused("ttd is too busy").hint("try again in a moment"),
            CallError::WrongReply | CallError::Failed(_) => Error::internal(format!(
                "ttd failed to answer: {error}"
            ))
            .hint("ttctl and ttd may have different versions; see `ttctl --version` and `ttd --version`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_kinds_have_their_own_numbers() {
        for (kind, code) in [
            (ErrorKind::Internal, 1),
            (ErrorKind::Usage, 2),
            (ErrorKind::Refused, 4),
            (ErrorKind::TimedOut, 5),
            (ErrorKind::BadData, 6),
            (ErrorKind::NoSpace, 7),
            (ErrorKind::Unreachable, 8),
            (ErrorKind::Unknown, 4),
            (ErrorKind::Stopping, 3),
        ] {
            assert_eq!(Kind::from(kind) as u8, code, "{kind:?}");
        }
    }

    #[test]
    fn errors_of_the_system_are_short_and_have_a_code() {
        let cases = [
            (2, 4, "cannot open x: no such file or directory"),
            (13, 4, "cannot open x: permission denied"),
            (28, 7, "cannot open x: no space left on device"),
            (5, 1, "cannot open x: input/output error"),
        ];
        for (number, code, message) in cases {
            let error = Error::io("cannot open x", &io::Error::from_raw_os_error(number));
            assert_eq!((error.exit_code(), error.message.as_str()), (code, message));
        }
    }
}
