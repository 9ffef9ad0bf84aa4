//! Users begin many downloads at once, and pause, resume, replace, remove and verify them while they run.

use crate::whole::content::Content;
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join_all};
use std::rc::Rc;
use std::time::Duration;

/// Limits the downloads of a world, of all machines together. More of them take longer and find nothing else.
const DOWNLOADS_MAX: u64 = 48;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let setup = Setup { sync_every: world.ms(250..=2000), ..Setup::default() };
        let seeders = world.add_machines(world.between(1..=2), &setup).await;
        let leechers = world.add_machines(world.between(1..=5), &setup).await;
        spread(world);
        let files = world.between(2..=60).min(DOWNLOADS_MAX / leechers.len() as u64);
        let mut contents = Vec::new();
        for number in 0..files {
            let content = world.content(&format!("f{number}"));
            let seeder = world.one_of(&seeders);
            world.share(&seeder, &content).await.expect("a file of the shared directory can be shared");
            contents.push((seeder, content));
        }
        world.sleep_ms(0..=2000).await;
        // How far apart they begin; in many worlds almost at the same moment.
        let apart = world.one_of(&[0, 1, 5, 30]);
        let act = world.one_of(&[0, 2, 5]);
        let mut users: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
        for leecher in &leechers {
            let mut begin = world.ms(0..=200);
            for (_, content) in &contents {
                begin += world.ms(0..=apart);
                users.push(Box::pin(user(world, leecher.clone(), content.clone(), begin, act)));
            }
        }
        for (seeder, content) in contents.iter().filter(|_| world.one_in(8)) {
            users.push(Box::pin(publish_anew(world, seeder.clone(), content.clone(), leechers.clone())));
        }
        join_all(users).await;
    })
}

/// Gives each direction between two machines a latency of its own.
pub(super) fn spread(world: &World) {
    let machines = world.machines();
    for (from, to) in machines.iter().flat_map(|from| machines.iter().map(move |to| (from, to))) {
        world.cables.set_latency(from.ip, to.ip, world.ms(1..=50));
    }
}

/// Fetches a file, by its name or its manifest. The tracker may not know the name yet.
pub(super) async fn get(world: &World, machine: &Machine, content: &Rc<Content>) {
    if world.one_in(3) && world.get_named(machine, content).await.is_ok() {
        return;
    }
    // Another version may be here meanwhile, which a user must allow to be replaced.
    let got = world.get(machine, content).await;
    if got.is_err() {
        let _ = world.replace(machine, content).await; // refused while it is being removed
    }
}

/// Fetches a file, and changes its mind up to `act` times.
async fn user(world: &World, machine: Rc<Machine>, content: Rc<Content>, begin: Duration, act: u64) {
    let name = content.name().as_str();
    tokio::time::sleep(begin).await;
    get(world, &machine, &content).await;
    for _ in 0..world.below(act + 1) {
        world.sleep_ms(0..=world.one_of(&[20, 300, 3000])).await;
        // Whatever is refused is refused for a reason: the name is gone, or is being checked.
        match world.below(5) {
            0 => {
                let _ = world.pause(&machine, name).await;
                if !world.one_in(4) {
                    world.sleep_ms(0..=2000).await;
                    let _ = world.resume(&machine, name).await;
                }
            }
            1 => {
                let _ = world.remove(&machine, name, world.one_in(2)).await;
                if !world.one_in(4) {
                    world.sleep_ms(0..=500).await;
                    get(world, &machine, &content).await;
                }
            }
            2 => drop(world.verify(&machine, name).await),
            3 => drop(world.replace(&machine, &content).await),
            _ => get(world, &machine, &content).await,
        }
    }
}

/// Takes the name of a file back, or shares another version of it and has some machines replace theirs.
async fn publish_anew(world: &World, seeder: Rc<Machine>, content: Rc<Content>, leechers: Vec<Rc<Machine>>) {
    world.sleep_ms(0..=3000).await;
    if world.one_in(3) {
        let taken_back = world.unpublish(&seeder, content.name().as_str()).await;
        return taken_back.expect("it was shared there");
    }
    let newer = world.content(content.name().as_str());
    if world.share(&seeder, &newer).await.is_err() {
        return;
    }
    world.sleep_ms(0..=1000).await;
    for leecher in leechers {
        if world.one_in(2) {
            let _ = world.replace(&leecher, &newer).await;
        }
    }
}
