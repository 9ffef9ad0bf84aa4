//! The certificate authority of a closed fleet: a directory on the tracker's machine, and everything that is done with
//! it. `ttctl` and `tt-tracker` use it; ttd does not, because no certificate is issued on an ordinary machine.
//!
//! The decisions are pure: [`issued`] (which certificates there are), [`tokens`] (who may join), [`revoked`] (what no
//! longer counts), `rotation` (how far a new authority has come). [`Authority`] has the effects: it takes the lock of the directory, reads, decides, and makes the
//! result durable before it answers. So ttctl and the tracker may work at the same time, and a process that is killed
//! leaves the directory as it was before or after its change.
//!
//! Two things never happen: a name in a certificate never comes from its request, and a private key never leaves the
//! process that made it, except into its own file.
//!
//! Reading order: [`authority`] → [`identity`] → [`enrol`] → [`revoke`] → [`rotate`].

pub mod authority;
mod crl;
mod date;
mod directory;
mod disk;
pub mod enrol;
pub mod error;
mod fingerprint;
pub mod identity;
pub mod issued;
mod plain_date;
pub mod revoke;
pub mod revoked;
pub mod rotate;
mod rotation;
mod sealed;
pub mod tokens;

pub use authority::{Authority, Certified, Init};
pub use crl::crl_number;
pub use directory::CRL;
pub use error::CaError;
pub use fingerprint::Fingerprint;
pub use rotation::{Behind, Rotation, Step};

#[cfg(test)]
mod tests;
