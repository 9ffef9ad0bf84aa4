//! The functions that `tests/fuzz` calls.

use crate::want::Want;

/// Parses the WHAT of `ttctl get`. Returns whether it means something; if not, it is wrong usage.
pub fn what(text: &str) -> bool {
    match Want::parse(text) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            false
        }
    }
}
