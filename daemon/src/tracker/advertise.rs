//! The address under which trackers tell others of us, where it is not that of our connections: behind NAT, in a container.

use crate::inbox::Context;
use shared::host::config::HostPort;
use shared::rpc::tracker::TrackedPeer;
use shared::url::TrackerUrl;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the lookup of the configured host may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Our own entry in a tracker's list of peers, with the configured address. Its host is looked up for each connection,
/// since the address of a name may change. Without an answer the connection's address counts.
pub(super) async fn tracked(context: &Context) -> TrackedPeer {
    let configured = context.advertised.borrow().clone();
    let advertise = match configured {
        Some(host) => resolve(&host, context.listen.port()).await,
        None => None,
    };
    TrackedPeer { advertise, ..context.tracked() }
}

async fn resolve(host: &HostPort, own_port: u16) -> Option<SocketAddr> {
    let port = host.port.unwrap_or(own_port);
    let lookup = tokio::net::lookup_host((host.host.as_str(), port));
    let address = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await.ok()?.ok()?.next()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Says in the log why a tracker tells others `told`, where that is not the configured address. `asked` is the address that the
/// tracker was asked to tell.
pub(super) fn warn_of_other(
    context: &Context,
    url: &TrackerUrl,
    asked: Option<SocketAddr>,
    told: SocketAddr,
) {
    let configured = context.advertised.borrow();
    let Some(host) = &*configured else { return };
    match asked {
        None => {
            tracing::warn!(%host, "cannot look up the address to advertise; tracker {url} tells others {told}")
        }
        Some(wanted) if wanted != told => tracing::warn!(
            %host,
            "tracker {url} tells others {told} instead of the advertised address; its `advertise_networks` must contain the address from which this machine connects"
        ),
        Some(_) => {}
    }
}
