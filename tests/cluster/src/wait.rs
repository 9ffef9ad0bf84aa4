//! Waiting for a condition, with a cap.

use std::time::{Duration, Instant};

/// The longest wait for anything in a scenario, on a busy machine. Without a fault every wait is much shorter.
pub const CAP: Duration = Duration::from_secs(60);

/// Waits until the condition holds. Panics with `what` when it does not within the cap.
#[track_caller]
pub fn wait_until(what: &str, cap: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, cap, || condition().then_some(()));
}

/// Waits until there is a value. Panics with `what` when there is none within the cap.
#[track_caller]
pub fn wait_for<T>(what: &str, cap: Duration, mut value: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(begin.elapsed() < cap, "waited {cap:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
