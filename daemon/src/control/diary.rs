//! Logs requests: who asked for what, and the outcome. The driver itself logs the begin and end of shares, downloads
//! and removals with their users; this file logs everything else and all refusals.

use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::wanted::WantedBy;

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
