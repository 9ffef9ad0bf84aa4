//! What a scenario is.

use crate::whole::world::World;
use futures::future::LocalBoxFuture;

/// A scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// What happens, until the faults end.
    pub(crate) run: fn(&World) -> LocalBoxFuture<'_, ()>,
}
