//! Every machine has what its users asked for in the end, if its chunks are anywhere.

use super::all::Check;
use crate::whole::wishes::Wish;
use crate::whole::world::World;
use shared::have::HaveMap;

/// Knows nothing of its own.
#[derive(Debug)]
pub(super) struct Fulfilled;

impl Check for Fulfilled {
    fn is_over(&self, world: &World) -> Result<(), String> {
        let open = world.wishes().into_iter();
        let open =
            open.filter(|wish| !wish.is_paused && !world.is_fulfilled(wish) && is_anywhere(world, wish));
        let names: Vec<String> = open.map(|wish| missing(world, &wish)).collect();
        if names.is_empty() { Ok(()) } else { Err(names.join(", ")) }
    }
}

/// Whether each chunk is at some machine that may serve it.
fn is_anywhere(world: &World, wish: &Wish) -> bool {
    let mut all = HaveMap::empty(wish.content.manifest.count());
    for facts in world.machines().iter().filter_map(|machine| machine.facts(world)) {
        let of_it = facts.resources.iter().filter(|resource| resource.key == wish.content.key());
        of_it.filter(|resource| !resource.is_paused).for_each(|resource| {
            resource.have.iter().for_each(|index| _ = all.insert(index));
        });
    }
    all.is_full()
}

fn missing(world: &World, wish: &Wish) -> String {
    let facts = world.machine(wish.machine).facts(world);
    let of_it = facts.iter().flat_map(|facts| &facts.resources);
    let names = of_it.filter(|resource| resource.key == wish.content.key());
    let said: Vec<String> =
        names.map(|resource| format!("{} {:?}", resource.phase, resource.names)).collect();
    format!("m{} has no {}: {}", wish.machine, wish.content.name(), said.join(" "))
}
