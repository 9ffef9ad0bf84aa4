//! Machines whose times of day differ by seconds or years share one version of a name after the other. Whoever asks for
//! the name gets the last version, also from a tracker that has forgotten everything in between.

use crate::whole::content::{self, Content};
use crate::whole::machine::{Machine, Setup};
use crate::whole::world::World;
use futures::future::LocalBoxFuture;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How long a tracker may take to know all versions after its restart, and a machine after it has shared one.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);

/// How far clocks may be ahead or behind, in seconds.
const AHEAD_S: [u64; 5] = [0, 2, 600, 86_400, 5 * 365 * 86_400];

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        let tracker = world.add_tracker();
        let machines = world.add_machines(world.between(2..=4), &Setup::default()).await;
        for machine in &machines {
            let ahead_s = world.one_of(&AHEAD_S) as i64;
            set_clock(world, machine, if world.one_in(2) { ahead_s } else { -ahead_s });
        }
        let mut last: Option<(Rc<Machine>, Rc<Content>)> = None;
        for _ in 0..world.between(2..=5) {
            let sharer = world.one_of(&machines);
            let bytes = world.between(1..=2000) as usize;
            let content = world.content_of("name", content::bytes(world, bytes));
            world.share(&sharer, &content).await.expect("a file of the shared directory can be shared");
            sleep(KNOWN_WITHIN).await;
            // What was shared before is not the newest any more. Its clock may be set right, so that its date is to come.
            if let Some((former, _)) = last.replace((sharer.clone(), content))
                && former.number != sharer.number
                && world.one_in(2)
            {
                set_clock(world, &former, 0);
            }
            if world.one_in(2) {
                tracker.end(world).await;
                tracker.start(world);
                sleep(KNOWN_WITHIN).await;
            }
        }
        let (_, newest) = last.expect("at least two were shared");
        let asker = world.add_machine(Setup::default()).await;
        world.get_named(&asker, &newest).await.expect("the tracker knows the name");
        let wishes = world.wishes();
        let wish = wishes.iter().find(|wish| wish.machine == asker.number).expect("it was just wished");
        assert_eq!(wish.content.key(), newest.key(), "an old version of the name came back");
    })
}

fn set_clock(world: &World, machine: &Machine, ahead_s: i64) {
    world.note(format_args!("the clock of m{} is {ahead_s} s ahead", machine.number));
    machine.set_clock(ahead_s);
}
