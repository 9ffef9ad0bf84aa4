//! What the runner of seeds must notice: these scenarios fail, and no seed picks them by itself.

use super::kind::Scenario;
use crate::whole::machine::Setup;
use crate::whole::world::World;
use futures::future::LocalBoxFuture;
use tokio::time::Instant;

/// The scenarios.
pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "panics", run: panics },
    Scenario { name: "differs", run: differs },
    Scenario { name: "never-ends", run: never_ends },
];

/// A task of a machine panics. That ends nothing but the task.
fn panics(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        let machine = world.add_machine(Setup::default()).await;
        machine.spawn(async { panic!("on purpose") });
    })
}

/// Two runs of the same seed differ.
fn differs(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move { world.note(format_args!("this is the process {}", std::process::id())) })
}

/// Something waits in circles, so that no time passes.
fn never_ends(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        let machine = world.add_machine(Setup::default()).await;
        let begin = Instant::now();
        machine.spawn(async move {
            while Instant::now() == begin {
                tokio::task::yield_now().await;
            }
        });
    })
}
