//! The end of a daemon's process: error and exit code.

use crate::host::logging;
use crate::host::service::Service;
use std::fmt::Display;
use std::process::ExitCode;

/// Why a daemon cannot start or continue, with its exit code.
#[derive(Debug)]
pub struct StartError {
    /// One line that explains it.
    pub message: String,
    /// The process's exit code.
    pub exit: u8,
}

impl StartError {
    /// Something failed on this machine; trying again may help.
    pub fn failed(doing: &str, error: &dyn Display) -> StartError {
        StartError { message: format!("{doing}: {error}"), exit: 1 }
    }

    /// The command line or the configuration is wrong; trying again does not help.
    pub fn wrong(message: String) -> StartError {
        StartError { message, exit: 2 }
    }
}

/// The exit code of a program. The reason of a failure becomes the last status for systemd and is printed to stderr.
pub fn exit_code(program: &str, service: &Service, ended: Result<(), StartError>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            service.status(&error.message);
            logging::complain(program, &error.message);
            ExitCode::from(error.exit)
        }
    }
}
