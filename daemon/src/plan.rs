//! What a daemon is to do, before it does anything: command line, configuration and the usual places together.

use crate::cli::Args;
use crate::store::Publisher;
use shared::host::accounts::group_id;
use shared::host::config::{ConfigError, DaemonConfig, Files};
use shared::host::environment;
use shared::host::paths::Places;
use shared::host::program::StartError;
use std::path::PathBuf;

/// Everything that is settled before the daemon starts.
#[derive(Debug)]
pub struct Plan {
    /// What the config files say, with what the environment and the command line say in its place.
    pub config: DaemonConfig,
    /// The config file and its drop-ins.
    pub files: Files,
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
    /// Reads the configuration, and puts the environment before it and the command line before both.
    ///
    /// # Errors
    /// When the configuration or the environment cannot be read, or says what cannot be.
    pub fn make(args: &Args) -> Result<Plan, StartError> {
        let places = Places::of_process();
        let (files, mut config) =
            load(args, &places).map_err(|error| StartError::wrong(error.to_string()))?;
        config.listen = args.listen.or(config.listen);
        let trackers = environment::trackers(&args.trackers);
        let trackers = trackers.map_err(|error| StartError::wrong(error.to_string()))?;
        if !trackers.is_empty() {
            config.trackers = trackers;
        }
        config.download_limit = args.download_limit.unwrap_or(config.download_limit);
        config.upload_limit = args.upload_limit.unwrap_or(config.upload_limit);
        args.common.apply(&mut config.log_level, &mut config.log_format);
        let folder = places.shared_folder(args.folder.as_deref(), config.folder.as_deref());
        let socket =
            places.daemon_socket(args.socket.as_deref(), args.folder.as_deref(), config.socket.as_deref());
        let publisher = publisher(&config, &files)?;
        let has_own_folder = args.folder.is_some();
        let is_folder_named = has_own_folder || config.folder.is_some();
        Ok(Plan { config, files, folder, is_folder_named, has_own_folder, socket, publisher })
    }
}

fn load(args: &Args, places: &Places) -> Result<(Files, DaemonConfig), ConfigError> {
    let files = args.common.read_files(&places.daemon_config())?;
    let config = DaemonConfig::of(&files)?;
    Ok((files, config))
}

fn publisher(config: &DaemonConfig, files: &Files) -> Result<Publisher, StartError> {
    let mut publisher = Publisher { mode: config.file_mode.bits(), group: None };
    if let Some(name) = &config.file_group {
        let (place, name) = (files.place_of("file_group"), name.as_str());
        let found = group_id(name).map_err(|error| StartError {
            message: format!(
                "{place}: file_group: {error}; name the group by its number, or try again when `getent group {name}` \
                 answers"
            ),
            exit: 1,
        })?;
        publisher.group = Some(found.ok_or_else(|| {
            StartError::wrong(format!(
                "{place}: file_group: this machine has no group \"{name}\"; `getent group` lists them, \
                 `groupadd {name}` makes it"
            ))
        })?);
    }
    Ok(publisher)
}
