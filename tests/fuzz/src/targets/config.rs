//! Configuration files and command lines.

use super::text::{check_shown, text};
use clap::Parser;
use shared::host::config::sample::SampleConfig;
use shared::host::config::{ConfigError, DaemonConfig, Files, TrackerConfig};
use std::fmt::Debug;

/// `ttd.toml` and its drop-ins.
pub fn daemon(bytes: &[u8]) {
    config(bytes, DaemonConfig::of);
}

/// `tt-tracker.toml` and its drop-ins.
pub fn tracker(bytes: &[u8]) {
    config(bytes, TrackerConfig::of);
}

/// A configuration with tables of every kind.
pub fn tables(bytes: &[u8]) {
    config(bytes, SampleConfig::of);
}

/// The files of a configuration, separated by NUL. A refusal must be one line that names the file.
fn config<T: PartialEq + Debug>(bytes: &[u8], read: fn(&Files) -> Result<T, ConfigError>) {
    let Some(text) = text(bytes) else { return };
    let texts = text.split('\0').enumerate().map(|(number, text)| (format!("{number}.toml"), text));
    let files = Files::of_texts(texts);
    match read(&files) {
        Ok(config) => assert_eq!(read(&files).ok(), Some(config)),
        Err(error) => {
            check_shown(&error);
            assert!(error.to_string().contains(".toml:"), "{error}");
        }
    }
    for key in ["zone", "limits.upload"] {
        check_shown(&files.place_of(key));
    }
}

/// The first byte selects the program; the rest are its arguments, separated by NUL as in the system.
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
