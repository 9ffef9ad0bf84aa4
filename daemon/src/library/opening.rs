//! A download that was accepted earlier and whose slot in the shared directory is being made now. Nothing of it is on
//! disk before that. (A new download becomes a resource only when its slot exists.)

use std::sync::Arc;

/// Identifies the making of one download's slot, for the task that makes it and for the resource that waits for it. The
/// slot is not used if the resource has moved on meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<()>);

impl Opening {
    /// Whether both are the same.
    pub fn is_same(&self, other: &Opening) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
