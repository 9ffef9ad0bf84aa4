//! Who this machine is in a closed fleet: its key, its certificate, whom it believes, and who was revoked.
//!
//! [`Membership`] keeps all that in ttd's state directory, tells what is known of it, and is the way in. `settled` decides
//! what the configuration changes about it, `schedule` when the certificate is renewed, `answer` whether what a tracker sent
//! is what was asked for, `list` whether a list of revoked certificates counts: all four are pure. `key` makes the key.
//!
//! Nothing here speaks with trackers: `tracker/enrol` joins, renews, and fetches lists of revoked certificates.

mod answer;
mod follow;
mod key;
mod list;
mod membership;
mod report;
mod schedule;
mod settled;

#[cfg(test)]
mod tests;

pub use answer::{CLOCKS_DIFFER_S_MAX, Kept, check, node_of_host, pem, pin};
pub use follow::follow;
pub use key::Key;
#[cfg(feature = "fuzz")]
pub use list::check as check_list;
pub use membership::{Known, Membership, NotKept, Trouble};
pub use report::report;
pub use schedule::Schedule;
pub use settled::{ConfiguredTls, Settled, settle};
