//! What a program is told by its config file: every key with its default, its unit and a sentence.
//!
//! Reading order: `daemon` and `tracker` list the keys with `settings!`, `units` and `values` have the types of their
//! values, `setting` reads and writes those as TOML. `files` has the files of a configuration, the `drop_ins` among them;
//! `layers` lays what they say one upon the other, and `field` makes one configuration of it. Where the files are is
//! [`paths`](super::paths)'s business.

mod daemon;
mod drop_ins;
mod error;
mod field;
mod file;
mod files;
mod key;
mod layers;
#[cfg(any(test, feature = "fuzz"))]
pub mod sample;
mod setting;
mod settings;
mod tracker;
mod units;
mod values;

#[cfg(test)]
mod tests;

pub use daemon::DaemonConfig;
pub use error::ConfigError;
pub use files::Files;
pub use key::{Key, Shape};
pub use tracker::TrackerConfig;
pub use units::{BadUnit, ByteSize, FileMode, Rate, RateLimit, Span};
pub use values::{BadValue, CongestionControl, GroupName, ListenAddr, Zone};
