//! Machines are stopped, killed and lose power while they share and fetch, and come back.

use crate::whole::content::Content;
use crate::whole::machine::{Death, Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join, join_all};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long it is waited for the disk to stop at a step. A machine without work comes to none.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let sync_every = world.ms(250..=3000);
        let setup = Setup { sync_every, uplink: Some(world.between(1 << 18..=1 << 23)), ..Setup::default() };
        let machines = world.add_machines(world.between(2..=5), &setup).await;
        let contents: Vec<Rc<Content>> =
            (0..world.between(1..=8)).map(|number| world.content(&format!("file-{number}"))).collect();
        let users = join_all(contents.iter().map(|content| use_it(world, &machines, content)));
        join(users, die(world, &machines)).await;
    })
}

/// One machine shares the file, and some of the others fetch it.
async fn use_it(world: &World, machines: &[Rc<Machine>], content: &Rc<Content>) {
    world.sleep_ms(0..=4000).await;
    let sharer = world.one_of(machines);
    // Whoever is told that ttd stops asks again.
    while world.share(&sharer, content).await.is_err() {
        world.sleep_ms(500..=1500).await;
    }
    for machine in machines.iter().filter(|machine| machine.number != sharer.number) {
        if world.one_in(4) {
            continue;
        }
        world.sleep_ms(0..=2000).await;
        while world.get(machine, content).await.is_err() {
            world.sleep_ms(500..=1500).await;
        }
    }
}

/// Machines die and come back.
pub(super) async fn die(world: &World, machines: &[Rc<Machine>]) {
    for _ in 0..world.between(1..=8) {
        world.sleep_ms(0..=4000).await;
        let machine = world.one_of(machines);
        if world.one_in(2) {
            stop_at_a_step(world, &machine).await;
        }
        machine.end(world, world.one_of(&[Death::Stop, Death::Kill, Death::PowerCut, Death::PowerCut])).await;
        while !machine.is_up() {
            world.sleep_ms(0..=5000).await;
            machine.start(world).await; // unless its disk fails now
        }
    }
}

/// Waits until the machine has died within a step on its disk that does not happen, or only half.
async fn stop_at_a_step(world: &World, machine: &Machine) {
    machine.die_at(world.between(1..=60), world.one_in(2));
    let until = Instant::now() + STOPS_WITHIN;
    while !machine.disk.has_stopped() && Instant::now() < until {
        sleep(Duration::from_millis(1)).await;
    }
}
