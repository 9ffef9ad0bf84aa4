//! Records ^C. The steps check for it, so that every process is ended by the one that started it.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From this call on, ^C, SIGTERM and a closed terminal do not end the process but are recorded.
pub(crate) fn watch() -> Result<(), String> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))
            .map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    Ok(())
}

/// An error if such a signal was recorded.
pub(crate) fn check() -> Result<(), String> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".to_owned()) } else { Ok(()) }
}
