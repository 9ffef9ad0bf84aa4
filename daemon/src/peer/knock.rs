//! Knocks at a lonely leecher, so that it learns that we have what it needs, and dials us.

use super::connection::DialedConnection;
use crate::inbox::Context;
use crate::jobs;
use shared::id::SwarmKey;
use shared::rpc::peer::{LinkKind, Subscriptions};
use shared::rpc::wire::Meter;
use shared::swarm::PeerAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Limits the time of a knock after its hello; after that it is given up. It is the answer to one short message.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Says hello to a peer, subscribes to a swarm there, and hangs up.
pub fn knock(context: &Arc<Context>, peer: PeerAddr, key: SwarmKey) {
    let Ok(permit) = context.knocks.clone().try_acquire_owned() else { return };
    let context = context.clone();
    jobs::spawn(async move {
        let _permit = permit;
        let (broken, _) = watch::channel(None);
        let dialled = DialedConnection::dial(&context, peer, LinkKind::Quick, Meter::default(), broken).await;
        let Ok(connection) = dialled else {
            tracing::debug!(%peer, "cannot reach a leecher that found no peer");
            return;
        };
        let changes = Subscriptions { added: vec![key], removed: Vec::new() };
        let told = connection.caller.subscribe(changes, SUBSCRIBE_TIMEOUT).await;
        tracing::debug!(%peer, id = %key, told = told.is_ok(), "knocked at a leecher that found no peer");
    });
}
