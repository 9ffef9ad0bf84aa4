//! A task that notes something of a directory in its slot.

use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, TaskId};

/// A task that shares or compares what may be a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noting {
    pub(super) task: TaskId,
    pub(super) shares: bool,
}

impl Noting {
    /// Refuses what another task would do with the same name.
    pub(super) fn is_in_the_way(self, name: &ResourceName) -> ControlError {
        let how = if self.shares { "shared" } else { "compared" };
        ControlError {
            kind: ErrorKind::Refused,
            message: format!("{name} is being {how} already"),
            hint: Some("try again when that is done".to_owned()),
        }
    }
}
