//! What ttd and tt-tracker have in common between the command line and the end of the process.
//!
//! Reading order: `args` is what both command lines have, `said` what is told of the configuration, `signals` what is
//! waited for, `ended` how the process ends.

mod args;
mod ended;
mod said;
mod signals;

pub use args::CommonArgs;
pub use ended::{StartError, exit_code};
pub use said::{not_reloaded, reloaded, say_good};
pub use signals::{Heard, Signals};
