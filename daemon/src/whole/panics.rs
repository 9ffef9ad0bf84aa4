//! Remembers the first panic of the process, wherever it happens: also one that a task or the product catches.

use std::panic;
use std::sync::{Mutex, PoisonError};

static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Has the first panic remembered from now on.
pub(super) fn remember() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.to_string().replace('\n', " ");
        FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        shown(info);
    }));
}

/// What panicked first, with its place; `None` if nothing did.
pub(super) fn first() -> Option<String> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
