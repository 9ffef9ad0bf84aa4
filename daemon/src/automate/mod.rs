//! What the daemon does by itself, for a fleet that nobody logs in to. Each room asks the driver for what it wants through
//! `inbox::Requests`, like ttctl, and touches neither the driver nor the library.

#[allow(dead_code, reason = "subscriptions are to run hooks")]
mod hook;
#[allow(dead_code, reason = "subscriptions are to keep and remove versions by it")]
mod retain;
