//! `ttctl subscriptions`: shows what this machine subscribes to, and how far it is.

use crate::cli::Global;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::Document;
use crate::error::Error;
use crate::local_time;
use crate::output::{Colour, Output};
use crate::table::{Cell, Column, Table};
use serde::Serialize;
use shared::rpc::control::SubscriptionStatus;

pub(crate) async fn subscriptions(global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let subscriptions = daemon.caller.subscriptions(CALL_TIMEOUT).await??;
    if output.is_json() {
        let subscriptions = subscriptions.iter().map(SubscriptionDocument::new).collect();
        return output.json(&Document::new(Subscriptions { subscriptions }));
    }
    table(&subscriptions, output)
        .print(output, "this machine subscribes to nothing; `ttctl subscribe NAME` adds a subscription")
}

fn table(subscriptions: &[SubscriptionStatus], output: &Output) -> Table {
    let mut table = Table::new(&[
        Column::left("NAMES").shortened(),
        Column::left("STATE"),
        Column::right("FETCHED"),
        Column::left("NEWEST").shortened(),
        Column::left("PUBLISHED").dropped(2),
        Column::left("FROM").shortened().dropped(1),
        Column::left("REASON").below(),
    ]);
    for subscription in subscriptions {
        let (state, colour) = state(subscription);
        let newest = subscription.newest.as_ref();
        let date = newest.map(|newest| newest.shared_at_ms).filter(|at| *at > 0);
        table.row(vec![
            subscription.names.join(" ").as_str().into(),
            colour.map_or_else(|| state.into(), |colour| Cell::coloured(state, colour)),
            subscription.fetched.to_string().into(),
            newest.map(|newest| newest.name.to_string()).unwrap_or_default().into(),
            date.map(|at| local_time::minute(at, output)).unwrap_or_default().into(),
            subscription.place.as_str().into(),
            reason(subscription).unwrap_or_default().into(),
        ]);
    }
    table
}

/// The state in one word or two.
fn state(subscription: &SubscriptionStatus) -> (&'static str, Option<Colour>) {
    let SubscriptionStatus { trackers, fetched, waiting, unfinished, error, .. } = subscription;
    let has_answer = trackers.iter().any(|tracker| tracker.has_answered && tracker.error.is_none());
    let has_failed = trackers.is_empty() || trackers.iter().any(|tracker| tracker.error.is_some());
    match (error.is_some(), has_answer) {
        (true, _) => ("error", Some(Colour::Bad)),
        (false, false) if has_failed => ("no tracker", Some(Colour::Careful)),
        (false, false) => ("asking", None),
        _ if waiting + unfinished > 0 => ("fetching", Some(Colour::Busy)),
        _ if *fetched == 0 => ("none published", None),
        _ => ("up to date", Some(Colour::Good)),
    }
}

/// What is wrong, if something is.
fn reason(subscription: &SubscriptionStatus) -> Option<String> {
    let tracker = subscription
        .trackers
        .iter()
        .find_map(|tracker| tracker.error.as_ref().map(|error| format!("tracker {}: {error}", tracker.url)));
    let missing = subscription
        .trackers
        .is_empty()
        .then(|| "no tracker is configured: set `trackers` in ttd.toml, or in this rule".to_owned());
    subscription.error.clone().or(tracker).or(missing)
}

/// `subscriptions`
#[derive(Debug, Serialize)]
struct Subscriptions {
    subscriptions: Vec<SubscriptionDocument>,
}

#[derive(Debug, Serialize)]
struct SubscriptionDocument {
    /// The patterns of the names.
    names: Vec<String>,
    /// Where the rule is written, as FILE:LINE.
    from: String,
    /// "up to date", "fetching", "asking", "none published", "no tracker" or "error".
    state: &'static str,
    trackers: Vec<TrackerDocument>,
    /// How many names were fetched, including those that were removed since.
    fetched: u32,
    /// How many new versions are still to be begun.
    waiting: u32,
    /// How many names are complete, and how many are being fetched.
    complete: u32,
    unfinished: u32,
    /// The version that was published last; `null` if there is none.
    newest: Option<NewestDocument>,
    /// Why a version cannot be fetched; `null` if none fails.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct TrackerDocument {
    url: String,
    /// Whether it has answered since it is followed.
    answered: bool,
    /// Why it did not answer the last question.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct NewestDocument {
    name: String,
    resource: String,
    /// By the tracker's clock; `null` if unknown.
    shared_at_ms: Option<u64>,
}

impl SubscriptionDocument {
    fn new(subscription: &SubscriptionStatus) -> SubscriptionDocument {
        let trackers = subscription.trackers.iter().map(|tracker| TrackerDocument {
            url: tracker.url.to_string(),
            answered: tracker.has_answered,
            error: tracker.error.clone(),
        });
        let newest = subscription.newest.as_ref().map(|newest| NewestDocument {
            name: newest.name.to_string(),
            resource: newest.resource.to_string(),
            shared_at_ms: Some(newest.shared_at_ms).filter(|at| *at > 0),
        });
        SubscriptionDocument {
            names: subscription.names.clone(),
            from: subscription.place.clone(),
            state: state(subscription).0,
            trackers: trackers.collect(),
            fetched: subscription.fetched,
            waiting: subscription.waiting,
            complete: subscription.complete,
            unfinished: subscription.unfinished,
            newest,
            error: subscription.error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::rpc::control::FollowedTracker;

    fn subscription(answers: &[(bool, Option<&str>)]) -> SubscriptionStatus {
        let tracker = |(has_answered, error): &(bool, Option<&str>)| FollowedTracker {
            url: "tt://t".parse().unwrap(),
            has_answered: *has_answered,
            error: error.map(str::to_owned),
        };
        SubscriptionStatus {
            names: vec!["app-*".to_owned()],
            place: "/etc/tinytorrent/ttd.toml:3".to_owned(),
            trackers: answers.iter().map(tracker).collect(),
            fetched: 0,
            waiting: 0,
            complete: 0,
            unfinished: 0,
            newest: None,
            error: None,
        }
    }

    #[test]
    fn the_state_says_whether_somebody_has_to_do_something() {
        let (good, silent, dead) = ((true, None), (false, None), (true, Some("gone")));
        let idle = || subscription(&[good]);
        for (subscription, expected, reason_begins) in [
            (idle(), "none published", None),
            (SubscriptionStatus { fetched: 3, complete: 2, ..idle() }, "up to date", None),
            (SubscriptionStatus { fetched: 3, unfinished: 1, ..idle() }, "fetching", None),
            (SubscriptionStatus { waiting: 1, ..idle() }, "fetching", None),
            (subscription(&[silent]), "asking", None),
            (subscription(&[dead]), "no tracker", Some("tracker tt://t: gone")),
            (subscription(&[dead, good]), "none published", Some("tracker tt://t: gone")),
            (subscription(&[]), "no tracker", Some("no tracker is configured")),
            (
                SubscriptionStatus { waiting: 1, error: Some("app-1: no".to_owned()), ..idle() },
                "error",
                Some("app-1: no"),
            ),
        ] {
            assert_eq!(state(&subscription).0, expected);
            let reason = reason(&subscription);
            let fits = match reason_begins {
                Some(begin) => reason.as_ref().is_some_and(|reason| reason.starts_with(begin)),
                None => reason.is_none(),
            };
            assert!(fits, "{reason:?}");
        }
    }
}
