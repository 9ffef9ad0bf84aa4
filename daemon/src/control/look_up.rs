//! Looks names and ids up in catalogues, for `get`.

use crate::inbox::{Context, Hit};
use crate::tracker::lookup::{self, Miss};
use shared::id::digits_hint;
use shared::rpc::control::{ControlError, ErrorKind, TRY_LATER};
use shared::rpc::tracker::Lookup;
use shared::tree::TreeName;
use shared::url::TrackerUrl;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Looks `what` up in the given tracker's catalogue, or in those of the configured ones; a name that nobody knows also as
/// that of a directory. The inner error says that no
/// tracker answered and why; the caller then falls back on what this daemon knows.
pub async fn look_up(
    context: &Arc<Context>,
    configured: Vec<TrackerUrl>,
    what: &Lookup,
    tracker: Option<TrackerUrl>,
    allows_older: bool,
) -> Result<Result<Hit, ControlError>, ControlError> {
    let is_named = tracker.is_some();
    let trackers = match tracker {
        Some(url) => vec![url],
        None => configured,
    };
    let shown = shown(what);
    let mut found = lookup::find(context, &trackers, what, &BTreeSet::new(), allows_older).await;
    if let (Err(Miss::Unknown | Miss::NotAllowed(..)), Some(tree)) = (&found, as_tree(what)) {
        found = match lookup::find(context, &trackers, &tree, &BTreeSet::new(), allows_older).await {
            Err(Miss::Unknown | Miss::NotAllowed(..) | Miss::Unreachable(_)) => found,
            found => found,
        };
    }
    match found {
        Ok(hit) => Ok(Ok(hit)),
        Err(Miss::Unknown) => Err(ControlError {
            kind: ErrorKind::Unknown,
            message: format!("{shown} is not published on {}", list(&trackers)),
            hint: Some(match is_named {
                true => {
                    format!("`ttctl tracker list --tracker {}` shows what is published", list(&trackers))
                }
                false => format!("`ttctl tracker list` shows what is published{}", digits_hint(&shown)),
            }),
        }),
        Err(Miss::Bad(url, why)) => Err(ControlError {
            kind: ErrorKind::BadData,
            message: format!("{url} sent an invalid manifest for {shown}: {why}"),
            hint: None,
        }),
        Err(Miss::NotTrusted(why)) => Err(why.error()),
        Err(Miss::NotAllowed(url, why)) => Err(ControlError {
            kind: ErrorKind::Refused,
            message: format!("{url}: {why}"),
            hint: Some("the rules are in the tracker's configuration, in [[allow]]".to_owned()),
        }),
        Err(Miss::Unreachable(silent)) => {
            let hint = silent.iter().find_map(|(_, trouble)| trouble.hint()).unwrap_or(TRY_LATER);
            let why = silent.iter().map(|(url, why)| format!("tracker {url} unreachable ({why})"));
            let why = why.collect::<Vec<_>>().join("; ");
            let unreachable = ControlError {
                kind: ErrorKind::Unreachable,
                message: format!("cannot look up {shown}: {why}"),
                hint: Some(hint.to_owned()),
            };
            match (is_named, why.is_empty()) {
                (true, _) => Err(unreachable),
                (false, false) => Ok(Err(unreachable)),
                (false, true) => Ok(Err(ControlError {
                    kind: ErrorKind::Refused,
                    message: format!("cannot look up {shown}: no tracker is configured"),
                    hint: Some(
                        "set `trackers` in ttd.toml, or name the tracker as in tt://HOST/NAME".to_owned(),
                    ),
                })),
            }
        }
    }
}

/// The resource of the directory of this name: it may be called without `.tar`.
fn as_tree(what: &Lookup) -> Option<Lookup> {
    let Lookup::Name(name) = what else { return None };
    let tree: TreeName = name.as_str().parse().ok()?;
    Some(Lookup::Name(tree.resource_name()))
}

/// The name or id as text.
pub fn shown(what: &Lookup) -> String {
    match what {
        Lookup::Name(name) => name.to_string(),
        Lookup::Resource(id) => id.to_string(),
    }
}

fn list(trackers: &[TrackerUrl]) -> String {
    trackers.iter().map(TrackerUrl::as_str).collect::<Vec<_>>().join(", ")
}
