//! Our time of day, and how a tracker's differs from it.

use super::{CALL_TIMEOUT, Session, Trouble};
use shared::date::Clocks;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day, in milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "when something was shared is a time of day, for catalogues to compare"
)]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Asks the tracker for its time of day. Ours is looked at after the answer: what was shared just now is then never ahead
/// of the tracker's clock.
pub(super) async fn compare(session: &Session) -> Result<Clocks, Trouble> {
    let theirs_ms = session.caller.clock(CALL_TIMEOUT).await??;
    Ok(Clocks { ours_ms: now_ms(), theirs_ms })
}
