//! The code that ttd and tt-tracker share between the command line and the end of the process.
//!
//! Reading order: `args` contains the options of both command lines, `said` the messages about the configuration,
//! `signals` the signals, and `ended` the end of the process.

mod args;
mod ended;
mod said;
mod signals;

pub use args::CommonArgs;
pub use ended::{StartError, exit_code};
pub use said::{not_reloaded, reloaded, say_good};
pub use signals::{Heard, Signals};
