//! Fetches what a name or an id means.

use super::common::ControlServer;
use super::look_up::{look_up, shown};
use crate::inbox::{Manner, Requests, Wanted};
use shared::rpc::control::{Accepted, ControlError, ErrorKind};
use shared::rpc::tracker::Lookup;
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;

/// Fetches what a name or an id means at this tracker, or at the configured ones.
pub async fn get_named(
    server: &ControlServer,
    requests: &Requests,
    (lookup, tracker): (Lookup, Option<TrackerUrl>),
    manner: Manner,
    by: &WantedBy,
) -> Result<Accepted, ControlError> {
    let find_locally = || requests.find_locally(shown(&lookup), manner, by.clone());
    // An id is unambiguous: what is here with this id is what is meant.
    if matches!(lookup, Lookup::Resource(_))
        && let Ok(accepted) = find_locally().await
    {
        return Ok(accepted);
    }
    let configured = server.configured.borrow().trackers.clone();
    match look_up(&server.context, configured, &lookup, tracker, manner.allows_older).await? {
        Ok(hit) => {
            let wanted = Wanted::found(hit, manner.replace, Some(by.clone())).in_manner(manner);
            requests.get(wanted).await
        }
        Err(nowhere) => match find_locally().await {
            Err(error) if error.kind == ErrorKind::Unknown => Err(nowhere),
            found => found,
        },
    }
}
