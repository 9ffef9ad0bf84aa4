//! A tracker of a world. It keeps everything in its memory: one that starts again knows nothing.

use super::cable::Cables;
use super::world::World;
use shared::host::config::TrackerConfig;
use shared::url::TrackerUrl;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracker::server::{Accepted, Core, Handle};

/// A tracker, which runs or not.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// The same for manifests.
    pub(crate) url: TrackerUrl,
    running: RefCell<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    task: JoinHandle<()>,
    handle: Handle,
    since: Instant,
}

impl Tracker {
    /// The tracker with this number, counted from 1. It does not run yet.
    pub(crate) fn new(number: u8) -> Tracker {
        let addr = SocketAddr::from(([10, 0, 1, number], 7986));
        let url = format!("tt://{addr}").parse().expect("an address is a valid url");
        Tracker { addr, url, running: RefCell::default() }
    }

    /// Starts it, if it does not run.
    pub(crate) fn start(&self, world: &World) {
        if self.is_up() {
            return;
        }
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&world.draw().to_le_bytes());
        let core = Core::new(&TrackerConfig::default(), seed, world.draw());
        let (handle, listener) = (core.handle(), Arc::new(Cables::listen(&world.cables, self.addr)));
        let accept = move || {
            let listener = listener.clone();
            async move {
                let own = listener.address();
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted { stream, peer, own })
            }
        };
        let task = tokio::spawn(core.serve_on(accept));
        self.running.replace(Some(Running { task, handle, since: Instant::now() }));
        world.note(format_args!("tracker {} starts", self.addr));
    }

    /// Ends it. All its connections are closed.
    pub(crate) async fn end(&self, world: &World) {
        let running = self.running.take();
        if let Some(Running { task, .. }) = running {
            world.note(format_args!("tracker {} ends", self.addr));
            task.abort();
            let _ = task.await;
        }
    }

    /// Whether it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Since when it runs.
    pub(crate) fn up_since(&self) -> Option<Instant> {
        self.running.borrow().as_ref().map(|running| running.since)
    }

    /// Its memory, while it runs.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.running.borrow().as_ref().map(|running| running.handle.clone())
    }
}
