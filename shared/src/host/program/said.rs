//! Messages about a daemon's configuration.

use crate::host::config::Files;
use std::fmt::Display;
use std::io::{self, Write};

/// For `--check-config`: prints each file that was read and is valid.
pub fn say_good(files: &Files) {
    // nobody may be reading any more
    let _ = io::stdout().write_all(files.verdict().as_bytes());
}

/// Logs that a reload changed nothing, and why.
pub fn not_reloaded(error: &dyn Display) {
    tracing::error!("the configuration was not reloaded, and nothing has changed: {error}");
}

/// Logs what a reload changed, and which keys wait for a restart.
pub fn reloaded(files: &Files, changed: &[&str], waiting: &[&str]) {
    match changed {
        [] => tracing::info!("{files} was read again; nothing has changed"),
        changed => tracing::info!("{files} was read again; changed: {}", changed.join(", ")),
    }
    if !waiting.is_empty() {
        tracing::warn!("{files} needs a restart for: {}", waiting.join(", "));
    }
}
