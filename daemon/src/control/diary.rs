//! What the log says of each request: who asked for what, and what came of it. The driver logs what it begins and ends
//! itself (a share, a download, a removal), with the user who wanted it; here is the rest, and whatever is refused.

use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::wanted::WantedBy;

/// How many characters of what a caller named are logged.
const SHOWN_CHARS_MAX: usize = 100;

/// Something was done at once.
pub(super) fn done(by: &WantedBy, name: &ResourceName, id: Option<ResourceId>, done: &str) {
    match id {
        Some(id) => tracing::info!(%name, %id, user = %by, uid = uid_of(by), "{done}"),
        None => tracing::info!(%name, user = %by, uid = uid_of(by), "{done}"),
    }
}

/// Nothing came of a request.
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

/// A limit has another value now.
pub(super) fn limited(by: &WantedBy, direction: &str, limit: &dyn std::fmt::Display) {
    tracing::info!(user = %by, uid = uid_of(by), "{direction} limit set to {limit}");
}

fn uid_of(by: &WantedBy) -> Option<u32> {
    match by {
        WantedBy::User { uid, .. } => Some(*uid),
        _ => None,
    }
}
