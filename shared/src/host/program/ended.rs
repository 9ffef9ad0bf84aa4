//! How a daemon's process ends.

use crate::host::logging;
use crate::host::service::Service;
use std::fmt::Display;
use std::process::ExitCode;

/// Why a daemon cannot start, or cannot go on, and what it exits with.
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

/// The exit code of a program. The reason of an end that was not asked for is its last status for systemd, and is told on
/// the standard error.
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
