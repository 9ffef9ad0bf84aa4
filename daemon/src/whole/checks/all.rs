//! The checks that every world has.

use super::announced::Announced;
use super::bounds::Bounds;
use super::ends::Ends;
use super::visible::Visible;
use crate::store::Home;
use crate::whole::machine::Machine;
use crate::whole::world::World;
use std::fmt::Debug;

/// Something that must be true. A check that finds something wrong panics.
pub(crate) trait Check: Debug {
    /// Called every two seconds of virtual time.
    fn look(&mut self, _world: &World) {}

    /// Called when a machine has died: nothing of it runs, and its disk is as its next life finds it.
    fn died(&mut self, _world: &World, _machine: &Machine) {}

    /// Called when a machine starts again: it has opened its shared directory and done nothing else yet.
    fn returns(&mut self, _world: &World, _machine: &Machine, _home: &Home) {}

    /// Whether everything has happened that it waits for.
    ///
    /// # Errors
    /// What has not happened yet.
    fn is_over(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }

    /// Called once at the end, when nobody waits for anything any more and all machines still run.
    fn end(&mut self, _world: &World) {}
}

/// All checks, without anything seen.
pub(crate) fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Ends::default()),
        Box::new(Visible::default()),
        Box::new(Announced::default()),
        Box::new(Bounds::default()),
    ]
}
