//! Files that have chunks in common: machines take them from files that they have, while these are removed, paused and
//! verified.

use super::downloads::spread;
use crate::whole::content::{self, Content};
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join_all};
use shared::chunk::CHUNK_BYTES;
use shared::host::config::ReuseScope;
use std::rc::Rc;
use std::time::Duration;

/// The different chunks of which the files are made.
const CHUNKS: u64 = 5;

/// Limits the chunks of a file.
const CHUNKS_EACH_MAX: u64 = 4;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let setup = Setup { reuse: ReuseScope::All, sync_every: world.ms(250..=2000), ..Setup::default() };
        let seeder = world.add_machine(setup.clone()).await;
        let leechers = world.add_machines(world.between(1..=3), &setup).await;
        spread(world);
        let chunks: Vec<Vec<u8>> = (0..CHUNKS).map(|_| content::bytes(world, CHUNK_BYTES as usize)).collect();
        let mut contents = Vec::new();
        for number in 0..world.between(2..=8) {
            let content = world.content_of(&format!("f{number}"), mixed(world, &chunks));
            world.share(&seeder, &content).await.expect("a file of the shared directory can be shared");
            contents.push(content);
        }
        world.sleep_ms(0..=2000).await;
        let mut users = Vec::new();
        for (leecher, content) in leechers.iter().flat_map(|one| contents.iter().map(move |it| (one, it))) {
            users.push(user(world, leecher.clone(), content.clone(), world.ms(0..=2000)));
        }
        join_all(users).await;
    })
}

/// Some of the chunks in any order, and a few bytes of the file's own.
fn mixed(world: &World, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..world.between(1..=CHUNKS_EACH_MAX) {
        bytes.extend_from_slice(&world.one_of(chunks));
    }
    bytes.extend_from_slice(&content::bytes(world, world.between(1..=1000) as usize));
    bytes
}

/// Fetches a file, and changes its mind up to three times.
async fn user(world: &World, machine: Rc<Machine>, content: Rc<Content>, begin: Duration) {
    let name = content.name().as_str();
    tokio::time::sleep(begin).await;
    let _ = world.get(&machine, &content).await;
    for _ in 0..world.below(4) {
        world.sleep_ms(0..=world.one_of(&[20, 300, 3000])).await;
        // Whatever is refused is refused for a reason: the name is gone, or is being checked.
        match world.below(4) {
            0 => {
                let _ = world.pause(&machine, name).await;
                world.sleep_ms(0..=1000).await;
                let _ = world.resume(&machine, name).await;
            }
            1 => {
                let _ = world.remove(&machine, name, world.one_in(2)).await;
                world.sleep_ms(0..=500).await;
            }
            2 => drop(world.verify(&machine, name).await),
            _ => {}
        }
        let _ = world.get(&machine, &content).await;
    }
}
