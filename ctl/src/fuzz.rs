//! A door for tests/fuzz.

use crate::want::Want;

/// What `ttctl get` is asked for. Whether it is known what is meant; if not, it is wrong usage.
pub fn what(text: &str) -> bool {
    match Want::parse(text) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            false
        }
    }
}
