//! The `Tracker` service: who has (part of) what, and the catalogue of published manifests.
//!
//! `service` are the calls, `types` what they carry; `hello` is how a caller and a tracker greet each other, `error` why
//! a call is refused.

mod error;
mod hello;
mod service;
mod types;

pub use error::TrackerError;
pub use hello::{TrackedPeer, TrackerHello, TrackerWelcome};
pub use service::*;
pub use types::*;
