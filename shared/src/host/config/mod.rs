//! What a program is told by its config file: every key with its default, its unit and a sentence.
//!
//! Reading order: `daemon` and `tracker` list the keys, `units` has the types of their values, `setting`
//! reads and writes one as TOML, `file` all of a file. Where the files are is [`paths`](super::paths)'s business.

mod daemon;
mod error;
mod file;
mod setting;
mod tracker;
mod units;
mod values;

#[cfg(test)]
mod tests;

pub use daemon::DaemonConfig;
pub use error::ConfigError;
pub use file::{Key, place_of};
pub use tracker::TrackerConfig;
pub use units::{BadUnit, ByteSize, FileMode, Rate, RateLimit, Span};
pub use values::{BadValue, CongestionControl, GroupName, ListenAddr, Zone};
