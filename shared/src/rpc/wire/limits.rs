//! What holds for all connections, whatever their service.

use std::time::Duration;

/// The longest time that a call may take. A longer one that is asked for, by us or by a peer, is cut to this.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// The longest head that is read before hello was accepted, in bytes.
pub const HELLO_BYTES_MAX: usize = 1024;
