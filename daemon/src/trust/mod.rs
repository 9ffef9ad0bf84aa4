//! Whose signature a manifest needs before anything of it is fetched, and again before its file gets its name.
//!
//! [`Policy`] decides, and is pure; [`Trust`] asks it for the daemon, with the rules that are in force and the times of the
//! signatures that were accepted. `refused` are its reasons, `newest` the times.

mod newest;
mod policy;
mod refused;
#[expect(clippy::module_inception, reason = "the room has one way in")]
mod trust;

pub use newest::Newest;
pub use policy::{Accepted, Age, Policy, Rule};
pub use refused::Refused;
pub use trust::Trust;
