//! Logs requests: who asked for what, and the outcome. The driver itself logs the begin and end of shares, downloads
//! and removals with their users; this file logs everything else and all refusals.

use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::wanted::WantedBy;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Limits the characters of a caller's argument that are logged; the rest is cut off. Names are shorter, and a caller
/// must not fill the log.
const SHOWN_CHARS_MAX: usize = 100;

/// Logs a request that was done at once.
pub(super) fn done(by: &WantedBy, name: &ResourceName, id: Option<ResourceId>, done: &str) {
    match id {
        Some(id) => tracing::info!(%name, %id, user = %by, uid = uid_of(by), "{done}"),
        None => tracing::info!(%name, user = %by, uid = uid_of(by), "{done}"),
    }
}

/// Logs a request that was refused or failed.
pub(super) fn refused(by: &WantedBy, what: &str, not_done: &str, error: &ControlError) {
    let name: String = what.chars().take(SHOWN_CHARS_MAX).collect();
    let (uid, hint) = (uid_of(by), error.hint.as_deref());
    match error.kind {
        ErrorKind::Internal | ErrorKind::NoSpace => {
            tracing::warn!(name, user = %by, uid, %error, hint, "{not_done}");
        }
        _ => tracing::info!(name, user = %by, uid, %error, "{not_done}"),
    }
}

/// Limits the refusals of lookups that are remembered for a caller; beyond it they are logged again.
const WAITED_FOR_MAX: usize = 64;

/// What a caller was told of names that it looks up again and again, as `ttctl get --timeout` does each second.
#[derive(Debug, Default)]
pub(super) struct WaitedFor(Mutex<BTreeSet<(String, String)>>);

impl WaitedFor {
    /// Logs that a lookup was refused, unless the caller heard the same of the same name before.
    pub(super) fn refused(&self, by: &WantedBy, what: &str, error: &ControlError) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= WAITED_FOR_MAX {
            heard.clear();
        }
        if heard.insert((what.to_owned(), error.message.clone())) {
            refused(by, what, "not fetched", error);
        }
    }
}

/// Like [`refused`], for a caller that has the error later.
pub(super) fn told(by: &WantedBy, what: &str, not_done: &str) -> impl Fn(&ControlError) {
    move |error| refused(by, what, not_done, error)
}

/// Logs a changed limit.
pub(super) fn limited(by: &WantedBy, direction: &str, limit: &dyn std::fmt::Display) {
    tracing::info!(user = %by, uid = uid_of(by), "{direction} limit set to {limit}");
}

fn uid_of(by: &WantedBy) -> Option<u32> {
    match by {
        WantedBy::User { uid, .. } => Some(*uid),
        _ => None,
    }
}
