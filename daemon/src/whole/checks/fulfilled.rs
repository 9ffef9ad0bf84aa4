//! Every machine has what its users asked for in the end.

use super::all::Check;
use crate::whole::world::World;

/// Knows nothing of its own.
#[derive(Debug)]
pub(super) struct Fulfilled;

impl Check for Fulfilled {
    fn is_over(&self, world: &World) -> Result<(), String> {
        let open = world.wishes().into_iter().filter(|wish| !wish.is_paused && !world.is_fulfilled(wish));
        let names: Vec<String> =
            open.map(|wish| format!("m{} has no {}", wish.machine, wish.content.name())).collect();
        if names.is_empty() { Ok(()) } else { Err(names.join(", ")) }
    }
}
