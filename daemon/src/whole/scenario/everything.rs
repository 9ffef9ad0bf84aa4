//! Everything at once: users share, fetch and change their minds, while machines die, disks fail, links break and the
//! tracker restarts.

use super::{deaths, disks, links, tracker};
use crate::jobs::life::Pace;
use crate::whole::content::Content;
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join, join_all};
use std::rc::Rc;
use tokio::time::Instant;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        (0..world.one_of(&[1, 1, 2])).for_each(|_| drop(world.add_tracker()));
        for _ in 0..world.between(2..=5) {
            let known_max_ms = world.one_of(&[2, 2, 50, 400]);
            let pace = Pace { happens_max_ms: world.between(0..=10), known_max_ms, late_max_ms: 500 };
            let (sync_every, zone) =
                (world.ms(250..=3000), world.one_of(&["", "", "north", "south"]).to_owned());
            let uplink = Some(world.between(1 << 17..=1 << 24));
            world.add_machine(Setup { zone, sync_every, pace, uplink, ..Setup::default() }).await;
        }
        let machines = world.machines();
        let ends = links::ends(world);
        let mut troubles: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
        if world.one_in(2) {
            troubles.push(Box::pin(deaths::die(world, &machines)));
        }
        if world.one_in(2) {
            troubles.push(Box::pin(links::trouble(world, &ends)));
        }
        if world.one_in(2) {
            troubles.push(Box::pin(tracker::trouble(world)));
        }
        if world.one_in(2) {
            let machine = world.one_of(&machines);
            troubles.push(Box::pin(async move { disks::fail(world, &machine).await }));
        }
        let users = (0..world.between(1..=12)).map(|number| use_name(world, &machines, number));
        join(join_all(users), join_all(troubles)).await;
    })
}

/// One machine shares a file, and later perhaps another version of it. The others fetch it and change their minds.
async fn use_name(world: &World, machines: &[Rc<Machine>], number: u64) {
    world.sleep_ms(0..=10_000).await;
    let name = format!("file-{number}");
    let sharer = world.one_of(machines);
    for _ in 0..world.one_of(&[1, 1, 1, 2]) {
        let content = world.content(&name);
        share(world, &sharer, &content).await;
        let others = machines.iter().filter(|machine| machine.number != sharer.number && !world.one_in(4));
        let others: Vec<_> = others.collect();
        join_all(others.into_iter().map(|machine| fetch(world, machine, &content))).await;
    }
}

/// Shares it. Whoever is told that ttd stops, or that the disk refuses, asks again.
async fn share(world: &World, machine: &Machine, content: &Rc<Content>) {
    while world.share(machine, content).await.is_err() {
        world.sleep_ms(500..=1500).await;
    }
}

/// Fetches it, and perhaps pauses, removes or verifies it before it is there.
async fn fetch(world: &World, machine: &Machine, content: &Rc<Content>) {
    let name = content.name().as_str();
    world.sleep_ms(0..=3000).await;
    get(world, machine, content).await;
    for _ in 0..world.below(3) {
        world.sleep_ms(0..=4000).await;
        // It is refused while the machine is down, and by one that does not know the name any more.
        match world.below(4) {
            0 => {
                let _ = world.pause(machine, name).await;
                world.sleep_ms(0..=3000).await;
                resume(world, machine, name).await;
            }
            1 => {
                let _ = world.remove(machine, name, world.one_in(2)).await;
                world.sleep_ms(0..=3000).await;
                get(world, machine, content).await;
            }
            2 => drop(world.verify(machine, name).await),
            _ => get(world, machine, content).await,
        }
    }
}

/// Asks until it is accepted.
async fn get(world: &World, machine: &Machine, content: &Rc<Content>) {
    while world.replace(machine, content).await.is_err() {
        world.sleep_ms(500..=1500).await;
    }
}

/// Asks until it is resumed, or the name is gone.
async fn resume(world: &World, machine: &Machine, name: &str) {
    let until = Instant::now() + world.ms(20_000..=20_000);
    while world.resume(machine, name).await.is_err() && Instant::now() < until {
        world.sleep_ms(500..=1500).await;
    }
}
