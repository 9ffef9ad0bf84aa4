//! The host name of this machine.

use crate::hostname::cleaned;

/// This machine's host name as it is reported to others, cleaned like that of a stranger. Empty if the system has none.
pub fn own() -> String {
    nix::unistd::gethostname().map(|name| cleaned(&name.to_string_lossy())).unwrap_or_default()
}
