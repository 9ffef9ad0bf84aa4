//! A tracker that restarts with nothing, is away or slow, while one machine has many names and others fetch some of them.

use crate::whole::content::{self, Content};
use crate::whole::machine::{Machine, Setup};
use crate::whole::tracker::Tracker;
use crate::whole::world::World;
use futures::future::{LocalBoxFuture, join, join_all};
use std::rc::Rc;
use tokio::time::Instant;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        for _ in 0..world.one_of(&[1, 1, 1, 2]) {
            world.add_tracker();
        }
        let owner = world.add_machine(Setup::default()).await;
        let others = world.add_machines(world.between(1..=3), &Setup::default()).await;
        for tracker in world.trackers() {
            for (from, to) in [(owner.ip, tracker.addr.ip()), (tracker.addr.ip(), owner.ip)] {
                world.cables.set_latency(from, to, world.ms(60..=200));
            }
        }
        join(names(world, &owner, &others), trouble(world)).await;
    })
}

/// One machine shares many small files, and removes some of them.
async fn names(world: &World, owner: &Machine, others: &[Rc<Machine>]) {
    let files = (0..world.between(40..=100)).map(|number| async move {
        let bytes = world.between(1..=2_000) as usize;
        let content = world.content_of(&format!("name-{number}"), content::bytes(world, bytes));
        world.share(owner, &content).await.expect("a file of the shared directory can be shared");
        content
    });
    let mut files = join_all(files).await;
    // Nobody fetches these, so that the owner can remove them.
    let removed = files.split_off(files.len() - world.between(0..=10) as usize);
    let remove = removed.iter().map(|content| async move {
        world.sleep_ms(0..=40_000).await;
        let removed = world.remove(owner, content.name().as_str(), true).await;
        removed.expect("what was shared can be removed");
    });
    join(fetch(world, others, &files), join_all(remove)).await;
}

/// The others fetch some of the files.
async fn fetch(world: &World, others: &[Rc<Machine>], files: &[Rc<Content>]) {
    for _ in 0..world.between(0..=20) {
        world.sleep_ms(0..=3_000).await;
        let (other, content) = (world.one_of(others), world.one_of(files));
        world.get(&other, &content).await.expect("a download begins");
    }
}

/// The trackers restart, are away, or hold their answers back.
pub(super) async fn trouble(world: &World) {
    for _ in 0..world.between(1..=4) {
        world.sleep_ms(2_000..=30_000).await;
        let tracker: Rc<Tracker> = world.one_of(&world.trackers());
        match world.below(4) {
            0 | 1 => {
                tracker.end(world).await;
                tracker.start(world);
                world.sleep_ms(10_000..=30_000).await; // undisturbed, so that all of it must be told again
            }
            2 => {
                tracker.end(world).await;
                world.sleep_ms(100..=40_000).await;
                tracker.start(world);
            }
            _ => {
                let machine = world.one_of(&world.machines());
                let span = world.ms(500..=20_000);
                world.note(format_args!("{} tells m{} nothing for {span:?}", tracker.addr, machine.number));
                world.cables.hold(tracker.addr.ip(), machine.ip, Instant::now() + span);
            }
        }
    }
}
