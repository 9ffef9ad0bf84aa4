//! The configuration of a program: every key with its default, its unit and a description.
//!
//! Reading order: `daemon` and `tracker` declare the keys with `settings!`; `units` and `values` have the types of
//! their values (`glob`, `network`: patterns of names, and networks; `rule_values`: keys and callers), `rules` the tables
//! of rules, `timetable` times of day, `dscp` marks of packets; `setting` converts values from and to TOML; `files` reads the config file and finds its `drop_ins`;
//! `layers` combines what the files say, and `field` makes one configuration of it. The paths of the files are in
//! [`paths`](super::paths).

mod daemon;
mod drop_ins;
mod dscp;
mod error;
mod field;
mod file;
mod files;
mod glob;
mod key;
mod layers;
mod network;
mod rule_values;
mod rules;
#[cfg(any(test, feature = "fuzz"))]
pub mod sample;
mod setting;
mod settings;
mod timetable;
mod tracker;
mod units;
mod values;

#[cfg(test)]
mod tests;

pub use daemon::DaemonConfig;
pub use dscp::Dscp;
pub use error::ConfigError;
pub use files::Files;
pub use glob::{BadGlob, Glob};
pub use key::{Key, Shape};
pub use network::{HostPort, Network};
pub use rule_values::{BadRule, TrustKey, Who};
pub use rules::{AllowRule, LimitRule, SubscribeRule, TrustRule};
pub use timetable::{Day, TimeOfDay};
pub use tracker::TrackerConfig;
pub use units::{BadUnit, ByteSize, FileMode, Grace, Rate, RateLimit, Span};
pub use values::{BadValue, CongestionControl, GroupName, ListenAddr, ReuseScope, WatchMode, Zone};
