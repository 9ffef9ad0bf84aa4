//! Compares a tracker's clock with ours.

use super::health::Trouble;
use super::session::CALL_TIMEOUT;
use shared::date::Clocks;
use shared::host::clock::now_ms;
use shared::rpc::tracker::TrackerCaller;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a comparison of two clocks is used: meanwhile they run at nearly the same speed.
const HOLDS_FOR: Duration = Duration::from_secs(10);
/// If our clock has jumped by more than this many milliseconds, the comparison is not used any more.
const JUMP_MS: u64 = 500;

/// The last comparison of a tracker's clock with ours, if there was one. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Dates(Arc<Mutex<Option<(Instant, Clocks)>>>);

impl Dates {
    /// The time that both clocks show. Ours is read after the tracker's answer, so that something that was shared just
    /// now never lies in the future of the tracker's clock.
    pub(super) async fn compare(&self, caller: &TrackerCaller) -> Result<Clocks, Trouble> {
        if let Some(clocks) = self.known() {
            return Ok(clocks);
        }
        let theirs_ms = caller.clock(CALL_TIMEOUT).await??;
        let clocks = Clocks { ours_ms: now_ms(), theirs_ms };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), clocks));
        Ok(clocks)
    }

    /// The present time of both clocks, if they were compared recently.
    fn known(&self) -> Option<Clocks> {
        let (at, clocks) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = at.elapsed();
        let passed_ms = u64::try_from(passed.as_millis()).ok()?;
        let ours_ms = now_ms();
        let has_jumped = ours_ms.abs_diff(clocks.ours_ms.saturating_add(passed_ms)) > JUMP_MS;
        let theirs_ms = clocks.theirs_ms.saturating_add(passed_ms);
        (passed < HOLDS_FOR && !has_jumped).then_some(Clocks { ours_ms, theirs_ms })
    }
}
