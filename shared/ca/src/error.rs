//! Why the authority could not do what it was asked for.

use crate::plain_date::{shown, shown_s};
use crate::rotation::Behind;
use shared::plain::io_error;
use shared::shell;
use std::io;
use std::path::PathBuf;

/// A failure of the authority itself. What a machine that wants to join did wrong is a
/// [`NotEnrolled`](crate::enrol::NotEnrolled).
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The system refused something: `doing` is a verb such as "read".
    #[error("cannot {doing} {}: {}", path.display(), io_error(source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// An authority is there already.
    #[error("{} has an authority already", .0.display())]
    Exists(PathBuf),
    /// The directory has no authority.
    #[error("{} has no authority", .0.display())]
    Missing(PathBuf),
    /// A file is not as it was written.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file was written by a later version.
    #[error("{} was written by a later version", .0.display())]
    Later(PathBuf),
    /// Other users may read the authority's key.
    #[error("other users may read {} (mode {mode:04o})", path.display())]
    OthersMayRead {
        /// The file with the key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key lies elsewhere, for example on a machine without a network.
    #[error("{} is not there", .0.display())]
    NoKey(PathBuf),
    /// The key belongs to another certificate.
    #[error("{} has no key of the first certificate of ca.pem", .0.display())]
    NotAPair(PathBuf),
    /// The authority's certificate is not valid at this time of this machine's clock.
    #[error(
        "the authority is valid from {} to {}, and this machine's clock says {}",
        shown(*from),
        shown(*until),
        shown_s(*now)
    )]
    OutOfTime {
        /// The beginning, in seconds since 1970.
        from: i64,
        /// The end, in seconds since 1970.
        until: i64,
        /// The time of this machine.
        now: u64,
    },
    /// Another process held the lock the whole time.
    #[error("another process has been changing {} for {waited_s} s", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// How long this process waited, in seconds.
        waited_s: u64,
    },
    /// There are as many as there may be.
    #[error("the authority has {max} {what} already")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// No new authority is on its way.
    #[error("no new authority takes the place of another")]
    NotRotating,
    /// The next step would cut machines off.
    #[error("{}", behind_text(.0))]
    Behind(Vec<Behind>),
    /// A value makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// No such node, certificate or token.
    #[error("the authority knows no {0}")]
    Unknown(String),
    /// Making or reading a certificate failed.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// Limits the machines that a message names. It says how many more there are.
const NAMED_MAX: usize = 10;

fn behind_text(behind: &[Behind]) -> String {
    let named: Vec<&str> = behind.iter().take(NAMED_MAX).map(|one| one.node.as_str()).collect();
    let more = behind.len().saturating_sub(NAMED_MAX);
    let and = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("these machines have not followed yet: {}{and}", named.join(", "))
}

impl CaError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            CaError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run the command as root, or as the user that the directory belongs to".to_owned()
            }
            CaError::Damaged { .. } => "restore the directory from a backup".to_owned(),
            CaError::Later(_) => "use a later version of this program".to_owned(),
            CaError::OthersMayRead { path, .. } => {
                format!("run: chmod 600 {}", shell::word(&path.to_string_lossy()))
            }
            CaError::NoKey(_) => "copy ca.key into the directory for the time of the command".to_owned(),
            CaError::OutOfTime { .. } => "check the clock of this machine".to_owned(),
            _ => return None,
        })
    }
}
