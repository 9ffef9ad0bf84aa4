//! Programs send files to machines, which share them: some programs cancel or lose their connection, and some machines die
//! meanwhile, while others fetch the files already.

use super::downloads::{get, spread};
use crate::jobs::life::Pace;
use crate::whole::content::Content;
use crate::whole::machine::{Death, Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join_all};
use std::rc::Rc;

/// How often a program tries to send a file, at least 200 ms apart. No machine is down for that long.
const TRIES_MAX: usize = 40;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let late_max_ms = world.one_of(&[50, 400]);
        let setup = Setup { pace: Pace { late_max_ms, ..Pace::default() }, ..Setup::default() };
        let machines = world.add_machines(world.between(1..=3), &setup).await;
        let others = world.add_machines(world.between(1..=3), &setup).await;
        spread(world);
        let mut users: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
        for number in 0..world.between(1..=10) {
            let content = world.content(&format!("f{number}"));
            users.push(Box::pin(import(world, world.one_of(&machines), content.clone())));
            for other in &others {
                users.push(Box::pin(fetch(world, other.clone(), content.clone())));
            }
        }
        if world.one_in(2) {
            users.push(Box::pin(die(world, &machines)));
        }
        join_all(users).await;
    })
}

/// Sends a file until it is shared. The first attempts may be given up in the middle.
async fn import(world: &World, machine: Rc<Machine>, content: Rc<Content>) {
    world.sleep_ms(0..=3000).await;
    for _ in 0..world.below(3) {
        match world.one_in(2) {
            true => drop(world.import(&machine, &content, Some(world.ms(0..=300)), None).await),
            false => drop(world.import(&machine, &content, None, Some(world.below(4) as usize)).await),
        }
        world.sleep_ms(0..=200).await;
    }
    for _ in 0..TRIES_MAX {
        match world.import(&machine, &content, None, None).await {
            Ok(()) => return,
            Err(error) => world.note(format_args!("m{} did not import: {error}", machine.number)),
        }
        world.sleep_ms(200..=1000).await; // it is down, or an import of the name has not ended yet
    }
    panic!("m{} never imports {}", machine.number, content.name());
}

/// Fetches a file that may not be there yet.
async fn fetch(world: &World, machine: Rc<Machine>, content: Rc<Content>) {
    world.sleep_ms(0..=4000).await;
    get(world, &machine, &content).await;
}

/// Some machines die and come back.
async fn die(world: &World, machines: &[Rc<Machine>]) {
    for _ in 0..world.between(1..=3) {
        world.sleep_ms(0..=2500).await;
        let machine = world.one_of(machines);
        machine.end(world, world.one_of(&[Death::Stop, Death::Kill, Death::PowerCut])).await;
        world.sleep_ms(0..=2000).await;
        machine.start(world).await;
    }
}
