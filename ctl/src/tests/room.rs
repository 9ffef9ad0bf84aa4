//! The room that the fake daemon has for imports.

use super::values::refused;
use shared::rpc::control::{ControlError, ErrorKind};
use std::path::PathBuf;

/// Accepts imports while there is room, and records those that are canceled.
#[derive(Default)]
pub(crate) struct Room {
    /// A file that is written to when an import begins, once.
    pub(crate) changes: Option<PathBuf>,
    /// The number of imports that find room; without it all do.
    pub(crate) imports_max: Option<usize>,
    begun: usize,
    /// The number of imports that were canceled.
    pub(crate) canceled: usize,
}

impl Room {
    /// An import begins.
    pub(super) fn begin(&mut self) -> Result<(), ControlError> {
        if let Some(path) = self.changes.take() {
            std::fs::write(path, "changed").unwrap();
        }
        if self.imports_max.is_some_and(|max| self.begun >= max) {
            return Err(ControlError { kind: ErrorKind::NoSpace, ..refused("no space") });
        }
        self.begun += 1;
        Ok(())
    }

    /// An import is canceled.
    pub(super) fn cancel(&mut self) {
        self.canceled += 1;
    }
}
