//! Limits of all connections of every service.

use std::time::Duration;

/// The longest time for a call: that of a chunk over the slowest link. A longer one, requested by us or by a peer, is
/// reduced to this.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Limits a head before hello was accepted, in bytes. A longer one ends the connection. It bounds what a stranger can
/// make us reserve, and the largest hello, with a host name of 253 bytes, is much shorter.
pub const HELLO_BYTES_MAX: usize = 1024;

/// Limits a head, in bytes, of a caller whose hello was accepted although it has not proved who it is. A longer one ends
/// the connection. It bounds what strangers can make us reserve. A request for a certificate (about 300 bytes) together
/// with an expired certificate (about 700 bytes) fits.
pub const NARROW_HEAD_BYTES_MAX: usize = 4 << 10;
