//! The options that both command lines have.

use crate::host::config::{ConfigError, Files};
use crate::host::logging::{LogFilter, LogFormat};
use std::path::{Path, PathBuf};

/// The options of every daemon: its configuration and its log.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CommonArgs {
    /// Read this configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check the configuration and exit
    #[arg(long)]
    pub check_config: bool,

    /// Log level: error, warn, info, debug or trace, also per module ("info,shared::rpc=debug")
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogFilter>,

    /// Log format: text, json or auto
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl CommonArgs {
    /// Reads the config file and its drop-ins: the file that `--config` names, which must be there, else the one at its
    /// usual place, which need not.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read_files(&self, usual: &Path) -> Result<Files, ConfigError> {
        match &self.config {
            Some(path) => Files::read(path),
            None => Files::read_if_any(usual),
        }
    }

    /// Puts what the command line says of the log in the place of what the config files say.
    pub fn apply(&self, level: &mut LogFilter, format: &mut LogFormat) {
        if let Some(named) = &self.log_level {
            level.clone_from(named);
        }
        *format = self.log_format.unwrap_or(*format);
    }
}
