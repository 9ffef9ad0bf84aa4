//! One machine shares a file, and another one fetches it.

use crate::whole::machine::Setup;
use crate::whole::world::World;
use futures::future::LocalBoxFuture;

/// The scenario.
pub(super) fn run(world: &World) -> LocalBoxFuture<'_, ()> {
    Box::pin(async move {
        world.add_tracker();
        let (one, other) =
            (world.add_machine(Setup::default()).await, world.add_machine(Setup::default()).await);
        let content = world.content("file");
        world.share(&one, &content).await.expect("a file of the shared directory can be shared");
        world.sleep_ms(0..=3000).await;
        world.get(&other, &content).await.expect("a download begins");
    })
}
