//! Why a resource does not go on.

use shared::rpc::control::ErrorKind;
use std::time::Instant;

/// Why a download stands still through no fault of the swarm.
#[derive(Debug, Clone)]
pub struct Blocked {
    /// For a person.
    pub reason: String,
    /// The kind of error, should somebody give up waiting.
    pub kind: ErrorKind,
    /// When to try again.
    pub retry_at: Instant,
    /// It is being found out whether the disk takes something again.
    pub probing: bool,
}

/// Why a resource cannot go on.
#[derive(Debug, Clone)]
pub struct Failure {
    /// For a person.
    pub reason: String,
    /// What ttctl makes its exit code of.
    pub kind: ErrorKind,
    /// When to look again by itself, where that may help.
    pub retry_at: Option<Instant>,
}
