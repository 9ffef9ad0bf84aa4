//! How this machine gets its certificate and the list of revoked ones from a tracker: `join` asks for the first
//! certificate, `renew` for the following ones, `revocations` for the list. `desk` is a connection for that, on which this
//! machine shows no certificate, since it may have none that counts.
//!
//! What is kept, and what of an answer is believed, is decided by the room `identity`.

mod desk;
mod join;
mod renew;
pub(super) mod revocations;

pub use join::{Wish, join};
pub use renew::run;
pub use revocations::run_beside;
