//! What this machine calls itself.

use crate::hostname::cleaned;

/// This machine's host name as others are told it: cleaned as that of a stranger. Empty if the system does not tell it.
pub fn own() -> String {
    nix::unistd::gethostname().map(|name| cleaned(&name.to_string_lossy())).unwrap_or_default()
}
