//! What the daemon does by itself, for a fleet that nobody logs in to. Each part is a pure state machine and a task, asks the
//! driver for what it wants through [`Requests`](crate::inbox::Requests), like ttctl, and touches neither the driver nor the
//! library.
//!
//! - `watch`: what is put into the shared directory is shared. `arrivals` decides when, and `entry` what is to be done with
//!   a name; `look` reads the directory, `print` tells whether a directory in it has changed, `notice` hears of changes
//!   (`seen`: what is seen and heard).
//! - `subscriptions`: what is published under certain names is fetched.
//! - `hook` runs programs of the administrator, and `retain` decides which versions are kept. Nothing uses them yet.

mod arrivals;
mod entry;
#[allow(dead_code, reason = "subscriptions are to run hooks")]
mod hook;
mod look;
mod notice;
mod print;
#[allow(dead_code, reason = "subscriptions are to keep and remove versions by it")]
mod retain;
mod seen;
mod subscriptions;
mod watch;

pub use subscriptions::SubscriptionsHandle;
pub use watch::watch;
