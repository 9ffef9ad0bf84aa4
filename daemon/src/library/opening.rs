//! A download that was accepted before, whose place in the shared folder is being made now: until that is done nothing of it
//! is on disk. (A download that has just been asked for is no resource before its place is made.)

use std::sync::Arc;

/// The making of one download's place, known to whoever makes it and to the resource that waits for it: what was made
/// for a resource that has gone on otherwise meanwhile is not taken.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<()>);

impl Opening {
    /// Whether the two are one and the same.
    pub fn is_same(&self, other: &Opening) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
