//! Fetches the list of revoked certificates from a tracker, again and again, over the connection that announces, and asks
//! which authorities the tracker has.

use super::desk::bytes;
use crate::entropy;
use crate::identity::{Known, Membership, NotKept};
use crate::inbox::Context;
use crate::jobs;
use crate::tracker::session::{CALL_TIMEOUT, Session};
use shared::rpc::tracker::{REVOKED_BYTES_MAX, REVOKED_PAGE_BYTES, RevokedAsk, TrackerCaller};
use std::sync::Arc;
use std::time::Duration;

/// The time between two questions, on average. With what a tracker and the doors need to notice a change, a revoked machine
/// is out within a minute.
const EVERY: Duration = Duration::from_secs(20);

/// How often a list may be replaced while it is fetched. Then the next question begins anew.
const REPLACED_MAX: usize = 3;

/// Why there is no list.
#[derive(Debug)]
pub(super) enum NoList {
    /// The tracker gave none.
    Failed(String),
    /// What it gave is not what was asked for.
    Malformed,
}

/// Asks the tracker at the other end of this connection as long as the connection lasts, while this machine believes some
/// authority.
pub(in crate::tracker) async fn follow(context: &Context, caller: TrackerCaller, is_encrypted: bool) {
    let mut known = context.membership.subscribe();
    loop {
        let has_authority = |known: &Arc<Known>| !known.authorities.is_empty();
        let Ok(seen) = known.wait_for(has_authority).await.map(|known| known.list) else { return };
        match fetch(&caller, seen).await {
            Ok(list) => heard(&context.membership, list).await,
            Err(NoList::Failed(why)) => {
                tracing::debug!(error = why, "the tracker gives no list of revoked certificates")
            }
            Err(NoList::Malformed) => {
                tracing::warn!(
                    "a tracker's list of revoked certificates comes in pages that do not fit together"
                );
            }
        }
        if is_encrypted {
            hear_authorities(&context.membership, &caller).await;
        }
        pause().await;
    }
}

/// Asks which authorities the tracker has. One that does not say has none.
async fn hear_authorities(membership: &Membership, caller: &TrackerCaller) {
    if let Ok(Ok(reply)) = caller.authority(CALL_TIMEOUT).await {
        membership.told_authorities(bytes(reply.certificates));
    }
}

/// Asks over a connection of its own while nothing is announced, as on a machine that shares nothing yet.
pub async fn run_beside(context: Arc<Context>) {
    let (mut known, mut session) = (context.membership.subscribe(), None);
    loop {
        let has_authority = |known: &Arc<Known>| !known.authorities.is_empty();
        let present = known.wait_for(has_authority).await.map(|known| (**known).clone());
        let Ok(present) = present else { return };
        pause().await;
        if context.membership.has_heard_within(EVERY.mul_f64(1.5)) {
            session = None;
            continue;
        }
        let own = present.in_use().map(|(joined, _)| &joined.tracker);
        let Some(url) = own.or(present.configured.trackers.first()) else { continue };
        let open = match session.take().filter(|session: &Session| !session.is_ended()) {
            Some(session) => Ok(session),
            None => Session::open_to_ask(&context, url).await,
        };
        let Ok(asked) = open else { continue }; // the announcers and the renewal say why
        if let Ok(list) = fetch(&asked.caller, present.list).await {
            if let Some(list) = list {
                keep(&context.membership, list).await;
            }
            if asked.is_encrypted {
                hear_authorities(&context.membership, &asked.caller).await;
            }
            session = Some(asked);
        }
    }
}

async fn pause() {
    let draw: f64 = entropy::random();
    tokio::time::sleep(EVERY.mul_f64(0.75 + 0.5 * draw)).await;
}

/// A tracker to which this machine announces has answered.
async fn heard(membership: &Arc<Membership>, list: Option<Vec<u8>>) {
    membership.heard();
    if let Some(list) = list {
        keep(membership, list).await;
    }
}

/// The tracker's list, if it is newer than the one with the number `seen`.
pub(super) async fn fetch(caller: &TrackerCaller, seen: u64) -> Result<Option<Vec<u8>>, NoList> {
    let (mut list, mut number, mut begun) = (Vec::new(), None, 0);
    loop {
        let offset = u32::try_from(list.len()).map_err(|_| NoList::Malformed)?;
        let page = match caller.revoked(RevokedAsk { seen, offset }, CALL_TIMEOUT).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => return Err(NoList::Failed(error.to_string())),
            Err(error) => return Err(NoList::Failed(error.to_string())),
        };
        if page.number <= seen {
            return Ok(None);
        }
        if number.replace(page.number).is_some_and(|number| number != page.number) {
            begun += 1;
            if begun > REPLACED_MAX {
                return Err(NoList::Malformed);
            }
            (list, number) = (Vec::new(), None);
            continue;
        }
        let (bytes, total) = (&page.part.bytes, page.bytes_total as usize);
        let fits = (1..=REVOKED_PAGE_BYTES).contains(&bytes.len()) && list.len() + bytes.len() <= total;
        if !fits || total > REVOKED_BYTES_MAX {
            return Err(NoList::Malformed);
        }
        list.extend_from_slice(bytes);
        if list.len() == total {
            return Ok(Some(list));
        }
    }
}

async fn keep(membership: &Arc<Membership>, list: Vec<u8>) {
    let membership = membership.clone();
    match jobs::run(move || membership.keep_list(&list)).await {
        Ok(Ok(number)) => tracing::info!(number, "a newer list of revoked certificates is in force"),
        Ok(Err(NotKept::Bad(why))) => {
            tracing::warn!(error = %why, "a tracker's list of revoked certificates is not used");
        }
        Ok(Err(NotKept::Store(why))) => {
            tracing::error!(error = %why, "a newer list of revoked certificates cannot be kept");
        }
        Err(error) => tracing::error!(%error, "a list of revoked certificates was not read"),
    }
}
