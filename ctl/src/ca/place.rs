//! Where the authority is, how it is opened, and what its failures mean to a person.

use crate::cli::AuthorityDir;
use crate::error::{Error, Kind};
use ::ca::{Authority, CaError};
use shared::host::clock;
use shared::host::paths::{Places, TRACKER_STATE};
use shared::shell;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the authority that a command is about.
pub(super) struct Place {
    dir: PathBuf,
    /// Whether the command line names it.
    is_named: bool,
    /// Whether root would use another directory.
    is_of_user: bool,
}

impl Place {
    pub(super) fn new(which: &AuthorityDir) -> Place {
        let dir = Places::of_process().authority(which.dir.as_deref());
        let is_named = which.dir.is_some();
        Place { is_named, is_of_user: !is_named && !dir.starts_with(TRACKER_STATE), dir }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn open(&self) -> Result<Authority, Error> {
        Authority::open(&self.dir).map_err(|error| self.error(error))
    }

    /// Another command about the same authority, as it is typed.
    pub(super) fn command(&self, verb: &str) -> String {
        match self.is_named {
            true => format!("ttctl ca {verb} --dir {}", shell::word(&self.dir.to_string_lossy())),
            false => format!("ttctl ca {verb}"),
        }
    }

    /// A failure of the last step of a rotation.
    pub(super) fn error_of_finish(&self, error: CaError) -> Error {
        match error {
            CaError::Behind(_) => self.error(error).hint(format!(
                "`{}` shows them; --anyway cuts them off: they have to join with a new token",
                self.command("rotate")
            )),
            other => self.error(other),
        }
    }

    /// A failure of the authority with its exit code and what to do about it.
    pub(super) fn error(&self, error: CaError) -> Error {
        let kind = match &error {
            CaError::Io { doing, path, source } => {
                let cannot = Error::io(format!("cannot {doing} {}", path.display()), source);
                return match source.kind() {
                    io::ErrorKind::PermissionDenied => cannot.hint(
                        "run the command with sudo, or as the user to whom the authority's directory belongs",
                    ),
                    _ => cannot,
                };
            }
            CaError::Damaged { .. } | CaError::NotAPair(_) => Kind::BadData,
            CaError::Invalid(_) => Kind::Usage,
            CaError::Busy { .. } => Kind::TimedOut,
            CaError::Certificate(_) => Kind::Internal,
            CaError::Exists(_)
            | CaError::Missing(_)
            | CaError::Later(_)
            | CaError::OthersMayRead { .. }
            | CaError::NoKey(_)
            | CaError::OutOfTime { .. }
            | CaError::Full { .. }
            | CaError::NotRotating
            | CaError::Behind(_)
            | CaError::Unknown(_) => Kind::Refused,
        };
        let hint = match &error {
            CaError::Missing(_) if self.is_of_user => Some(format!(
                "`{}` makes one there; run the command with sudo for the one in {TRACKER_STATE}/ca",
                self.command("init")
            )),
            CaError::Missing(_) => Some(format!(
                "`{}` makes one; --dir names the directory if it is elsewhere",
                self.command("init")
            )),
            CaError::Exists(_) => Some(format!(
                "`{}` shows its nodes; to begin anew, move the directory away: every machine has to join again",
                self.command("list")
            )),
            CaError::NotRotating => Some(format!("`{}` begins it", self.command("rotate"))),
            CaError::Behind(_) => {
                Some(format!("`{}` shows them; --anyway goes on without them", self.command("rotate")))
            }
            CaError::NotAPair(_) => Some("put the key back that belongs to ca.pem".to_owned()),
            CaError::Busy { .. } => Some("try again when it has ended".to_owned()),
            CaError::Unknown(_) => {
                Some(format!("see `{}` and `{}`", self.command("list"), self.command("tokens")))
            }
            other => other.hint(),
        };
        Error { hint, ..Error::new(kind, error.to_string()) }
    }
}

/// The time of this machine in seconds since 1970.
pub(super) fn now() -> u64 {
    clock::time_of_day().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each failure with its exit code.
    #[test]
    fn each_failure_says_what_to_do() {
        let place = Place { dir: "/srv/my ca".into(), is_named: true, is_of_user: false };
        let path = || PathBuf::from("/srv/my ca/ca.key");
        let denied =
            CaError::Io { doing: "read", path: path(), source: io::ErrorKind::PermissionDenied.into() };
        let cases = [
            (denied, 4, "cannot read /srv/my ca/ca.key", "run the command with sudo"),
            (CaError::Exists("/a".into()), 4, "/a has an authority already", "list --dir '/srv/my ca'`"),
            (CaError::Missing("/a".into()), 4, "/a has no authority", "`ttctl ca init --dir '/srv/my ca'`"),
            (CaError::Later(path()), 4, "was written by a later version", "use a later version"),
            (CaError::OthersMayRead { path: path(), mode: 0o640 }, 4, "(mode 0640)", "run: chmod 600 '/srv"),
            (CaError::NoKey(path()), 4, "is not there", "copy ca.key into the directory"),
            (CaError::NotAPair(path()), 6, "has no key of", "put the key back"),
            (CaError::NotRotating, 4, "no new authority", "`ttctl ca rotate --dir"),
            (CaError::Behind(Vec::new()), 4, "have not followed yet", "--anyway goes on"),
            (
                CaError::OutOfTime { from: 0, until: 9, now: 10 },
                4,
                "1970-01-01 00:00:10 UTC",
                "check the clock",
            ),
            (CaError::Busy { path: path(), waited_s: 10 }, 5, "for 10 s", "try again"),
            (CaError::Unknown("node x".to_owned()), 4, "knows no node x", "see `ttctl ca list"),
            (CaError::Damaged { path: path(), why: "x".to_owned() }, 6, "is damaged: x", "from a backup"),
        ];
        for (error, code, message, hint) in cases {
            let shown = place.error(error);
            assert_eq!(shown.exit_code(), code, "{}", shown.message);
            assert!(shown.message.contains(message), "{}", shown.message);
            assert!(shown.hint.as_ref().is_some_and(|shown| shown.contains(hint)), "{:?}", shown.hint);
        }
    }
}
