//! Sends the events of a link to the driver.

use crate::inbox::{Context, Input, LinkId};
use shared::swarm::{Event, PeerAddr};
use std::sync::Arc;

/// Sends the events of a link to the driver.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) context: Arc<Context>,
    pub(super) peer: PeerAddr,
    pub(super) id: LinkId,
}

impl Teller {
    pub(super) async fn event(&self, event: Event) {
        self.context.tell(Input::Link { peer: self.peer, link: self.id, event }).await;
    }
}
