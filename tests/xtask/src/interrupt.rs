//! ^C: noted here and looked at between two steps, so that whatever was started is ended by whoever started it.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on ^C (and SIGTERM, and a closed terminal) no longer ends the process, but is noted.
pub(crate) fn watch() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot watch for signals: {error}"))?;
    let signals = runtime.block_on(async {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()
    });
    for mut signal in signals.map_err(|error| format!("cannot watch for signals: {error}"))? {
        let handle = runtime.handle().clone();
        handle.spawn(async move {
            signal.recv().await;
            INTERRUPTED.store(true, Ordering::Relaxed);
        });
    }
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(())
}

/// An error if somebody wants us to end.
pub(crate) fn check() -> Result<(), String> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".to_owned()) } else { Ok(()) }
}
