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
    /// Reads the config file and its drop-ins. If `--config` names a file, it must exist; the one at the usual place
    /// need not.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read_files(&self, usual: &Path) -> Result<Files, ConfigError> {
        match &self.config {
            Some(path) => Files::read(path),
            None => Files::read_if_any(usual),
        }
    }

    /// Replaces the log settings of the config files by those of the command line.
    pub fn apply(&self, level: &mut LogFilter, format: &mut LogFormat) {
        if let Some(named) = &self.log_level {
            level.clone_from(named);
        }
        *format = self.log_format.unwrap_or(*format);
    }
}
