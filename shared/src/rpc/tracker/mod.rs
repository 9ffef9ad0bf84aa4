//! The `Tracker` service: which peers have some or all of a resource, and the catalogue of published manifests.
//!
//! `service` has the calls and `types` their arguments and results; `hello` is the greeting of a caller and a tracker,
//! `error` the reasons for refusing a call, one of which is `not_allowed`. `enrol` has what a machine asks that wants a
//! certificate, and `not_enrolled` why it gets none.

mod enrol;
mod error;
mod hello;
mod not_allowed;
mod not_enrolled;
mod service;
mod types;

pub use enrol::*;
pub use error::TrackerError;
pub use hello::{TrackedPeer, TrackerHello, TrackerWelcome};
pub use not_allowed::{NotAllowed, Right, WHOM_BYTES_MAX};
pub use not_enrolled::{NotEnrolled, PATTERN_BYTES_MAX, Pattern};
pub use service::*;
pub use types::*;
