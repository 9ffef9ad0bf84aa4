//! Work that panics ends as a failure of that work, with what the panic said.

use crate::store::StoreError;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Work that did not come to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("ttd has made a mistake, please report it: {0}")]
pub struct Panicked(String);

impl Panicked {
    fn of(payload: &(dyn Any + Send)) -> Panicked {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Panicked(text.unwrap_or("it panicked").to_owned())
    }

    /// As the failure of what was tried on a path.
    pub fn at(self, doing: &'static str, path: &Path) -> StoreError {
        StoreError { doing, path: path.to_owned(), source: io::Error::other(self) }
    }
}

/// Does something that may panic.
///
/// # Errors
/// When it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // What the work was changing is not used after a panic, but for locks, which are asked for what they hold anyway.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Panicked::of(&*payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_said_is_told() {
        let said = |work: fn()| caught(work).unwrap_err().to_string();
        assert!(said(|| panic!("no {}", "luck")).ends_with("no luck"));
        assert!(said(|| panic!("plain")).ends_with("plain"));
        assert!(said(|| std::panic::panic_any(7)).ends_with("it panicked"));
    }
}
