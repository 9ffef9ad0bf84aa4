//! The `Tracker` service: which peers have some or all of a resource, and the catalogue of published manifests.
//!
//! `service` has the calls and `types` their arguments and results; `hello` is the greeting of a caller and a tracker,
//! `error` the reasons for refusing a call, one of which is `not_allowed`.

mod error;
mod hello;
mod not_allowed;
mod service;
mod types;

pub use error::TrackerError;
pub use hello::{TrackedPeer, TrackerHello, TrackerWelcome};
pub use not_allowed::{NotAllowed, Right, WHOM_BYTES_MAX};
pub use service::*;
pub use types::*;
