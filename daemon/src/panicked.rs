//! Turns a panic into an ordinary failure that carries the panic's message.

use crate::store::StoreError;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Work that panicked, with the panic's message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("bug in ttd, please report it: {0}")]
pub struct Panicked(String);

impl Panicked {
    fn of(payload: &(dyn Any + Send)) -> Panicked {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Panicked(text.unwrap_or("it panicked").to_owned())
    }

    /// The same failure as a [`StoreError`]: `doing` says what was tried with the file or folder at `path`.
    pub fn at(self, doing: &'static str, path: &Path) -> StoreError {
        StoreError { doing, path: path.to_owned(), source: io::Error::other(self) }
    }
}

/// Runs `work` and catches a panic.
///
/// # Errors
/// When it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // After a panic nobody uses the values that the work was changing, except those behind locks. Whoever takes such a
    // lock must cope with what a panic left behind anyway.
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
