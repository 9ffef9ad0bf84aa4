//! What a machine wants to hear of another one changes while answers are on their way: its downloads begin, end and
//! pause at the moments at which the others get chunks.

use super::downloads::{get, spread};
use crate::whole::content::Content;
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join_all};
use std::rc::Rc;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let seeder = world.add_machine(Setup::default()).await;
        let leechers = world.add_machines(world.between(2..=6), &Setup::default()).await;
        spread(world);
        let mut contents = Vec::new();
        for number in 0..world.between(2..=16) {
            let content = world.content(&format!("f{number}"));
            world.share(&seeder, &content).await.expect("a file of the shared directory can be shared");
            contents.push(content);
        }
        // Most machines fetch from one another, since the first one sends little.
        world.cables.set_uplink(seeder.ip, world.one_of(&[None, Some(200_000), Some(1_000_000)]));
        world.sleep_ms(0..=3000).await;
        let rounds = world.between(1..=4);
        let users = leechers.iter().map(|leecher| user(world, leecher, &contents, rounds));
        join_all(users).await;
        world.cables.set_uplink(seeder.ip, None);
    })
}

/// Fetches all files, each a moment after the one before, and does so again.
async fn user(world: &World, machine: &Machine, contents: &[Rc<Content>], rounds: u64) {
    for _ in 0..rounds {
        for content in contents {
            get(world, machine, content).await;
            world.sleep_ms(0..=world.one_of(&[5, 30, 120])).await;
        }
        for content in contents.iter().filter(|_| world.one_in(2)) {
            let name = content.name().as_str();
            match world.below(3) {
                0 => {
                    let _ = world.pause(machine, name).await; // it may be paused already
                    world.sleep_ms(0..=30).await;
                    let _ = world.resume(machine, name).await;
                }
                1 => drop(world.remove(machine, name, true).await),
                _ => world.sleep_ms(0..=100).await,
            }
        }
    }
    for content in contents {
        get(world, machine, content).await;
    }
}
