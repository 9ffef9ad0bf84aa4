//! What a daemon is to do, before it does anything: command line, configuration and the usual places together.

use crate::cli::Args;
use crate::store::Publisher;
use shared::host::accounts::group_id;
use shared::host::config::{self, DaemonConfig};
use shared::host::paths::Places;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why the daemon cannot start, and what it exits with.
#[derive(Debug)]
pub struct StartError {
    /// One line for a person.
    pub message: String,
    /// The process's exit code.
    pub exit: u8,
}

impl StartError {
    /// The machine does not let it.
    pub fn failed(doing: &str, error: &dyn Display) -> StartError {
        StartError { message: format!("{doing}: {error}"), exit: 1 }
    }

    /// The command line or the configuration is wrong: trying again does not help.
    pub fn wrong(message: String) -> StartError {
        StartError { message, exit: 2 }
    }
}

/// Everything that is settled before the daemon starts.
#[derive(Debug)]
pub struct Plan {
    /// The config file, with what the command line says in its place.
    pub config: DaemonConfig,
    /// Where the config file is, or would be.
    pub config_file: PathBuf,
    /// The shared folder.
    pub folder: PathBuf,
    /// Whether somebody named the folder; else it is where the machine or the user has such things.
    pub is_folder_named: bool,
    /// Whether the folder was named on the command line.
    pub has_own_folder: bool,
    /// The control socket.
    pub socket: PathBuf,
    /// How finished files look.
    pub publisher: Publisher,
}

impl Plan {
    /// Reads the configuration and puts the command line before it.
    ///
    /// # Errors
    /// When the configuration cannot be read, or says what cannot be.
    pub fn make(args: &Args) -> Result<Plan, StartError> {
        let places = Places::of_process();
        let config_file = args.config.clone().unwrap_or_else(|| places.daemon_config());
        let loaded = match &args.config {
            Some(path) => DaemonConfig::load(path),
            None => DaemonConfig::load_or_default(&config_file),
        };
        let mut config = loaded.map_err(|error| StartError::wrong(error.to_string()))?;
        config.listen = args.listen.or(config.listen);
        if !args.trackers.is_empty() {
            config.trackers.clone_from(&args.trackers);
        }
        config.download_limit = args.download_limit.unwrap_or(config.download_limit);
        config.upload_limit = args.upload_limit.unwrap_or(config.upload_limit);
        config.log_level = args.log_level.clone().unwrap_or(config.log_level);
        config.log_format = args.log_format.unwrap_or(config.log_format);
        let folder = places.shared_folder(args.folder.as_deref(), config.folder.as_deref());
        let socket =
            places.daemon_socket(args.socket.as_deref(), args.folder.as_deref(), config.socket.as_deref());
        let publisher = publisher(&config, &config_file)?;
        let has_own_folder = args.folder.is_some();
        let is_folder_named = has_own_folder || config.folder.is_some();
        Ok(Plan { config, config_file, folder, is_folder_named, has_own_folder, socket, publisher })
    }
}

fn publisher(config: &DaemonConfig, config_file: &Path) -> Result<Publisher, StartError> {
    let mut publisher = Publisher { mode: config.file_mode.bits(), group: None };
    if let Some(name) = &config.file_group {
        let unknown = || {
            let (place, name) = (config::place_of(config_file, "file_group"), name.as_str());
            StartError::wrong(format!(
                "{place}: file_group: this machine has no group \"{name}\"; `getent group` lists them, \
                 `groupadd {name}` makes it"
            ))
        };
        publisher.group = Some(group_id(name.as_str()).ok_or_else(unknown)?);
    }
    Ok(publisher)
}
