//! Configuration files and command lines.

use super::text::{check_shown, text};
use clap::Parser;
use shared::host::config::{DaemonConfig, TrackerConfig};
use std::path::Path;

/// `ttd.toml`. What is refused is told in one line, with the place.
pub fn daemon(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Err(error) = DaemonConfig::parse(text, Path::new("ttd.toml")) {
        check_shown(&error);
        assert!(error.to_string().contains("ttd.toml"), "{error}");
    }
}

/// `tt-tracker.toml`.
pub fn tracker(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Err(error) = TrackerConfig::parse(text, Path::new("tt-tracker.toml")) {
        check_shown(&error);
        assert!(error.to_string().contains("tt-tracker.toml"), "{error}");
    }
}

/// The first byte says which program; its arguments are separated by NUL, as the system has them.
pub fn command_line(bytes: &[u8]) {
    let Some((&program, args)) = bytes.split_first() else { return };
    let Some(args) = text(args) else { return };
    let args = std::iter::once("program").chain(args.split('\0'));
    match program % 3 {
        0 => _ = ctl::cli::Cli::try_parse_from(args),
        1 => _ = daemon::cli::Args::try_parse_from(args),
        _ => _ = tracker::cli::Args::try_parse_from(args),
    }
}
