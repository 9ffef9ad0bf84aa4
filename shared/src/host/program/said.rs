//! What a daemon says of its configuration.

use crate::host::config::Files;
use std::fmt::Display;
use std::io::{self, Write};

/// `--check-config`: names each file that was read and is good, on the standard output.
pub fn say_good(files: &Files) {
    // a reader that is gone has seen enough
    let _ = io::stdout().write_all(files.verdict().as_bytes());
}

/// Logs that a reload changed nothing, and why.
pub fn not_reloaded(error: &dyn Display) {
    tracing::error!("the configuration was not taken over, and nothing was changed: {error}");
}

/// Logs what a reload changed, and which keys wait for a restart.
pub fn reloaded(files: &Files, changed: &[&str], waiting: &[&str]) {
    tracing::info!(changed = changed.join(", "), "{files} was read again");
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "what else was changed in {files} needs a restart");
    }
}
