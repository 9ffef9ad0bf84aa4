//! What ttctl is told of the subscriptions. Pure.

use super::follow::Follow;
use super::known::Version;
use super::machine::Subscriptions;
use super::rules::Rule;
use shared::name::ResourceName;
use shared::rpc::control::{FollowedTracker, NewestVersion, ResourceStatus, State, SubscriptionStatus};
use shared::wanted::WantedBy;

/// What is decided, and how far each tracker was followed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) subscriptions: Subscriptions,
    pub(super) follow: Follow,
}

/// The state of each rule, in order. `resources` is what is here.
pub(super) fn report(followed: &Followed, resources: &[ResourceStatus]) -> Vec<SubscriptionStatus> {
    let rules = followed.subscriptions.rules();
    let mut all: Vec<SubscriptionStatus> = rules.iter().map(|rule| empty(followed, rule)).collect();
    let at = |name: &ResourceName| rules.rule_of(name).map(|(index, ..)| index);
    for taken in followed.subscriptions.fetched() {
        if let Some(status) = at(&taken.name).and_then(|index| all.get_mut(index)) {
            status.fetched += 1;
            newer(status, &taken.name, taken.newest);
        }
    }
    for (name, version, error) in followed.subscriptions.waiting() {
        if let Some(status) = at(name).and_then(|index| all.get_mut(index)) {
            status.waiting += 1;
            newer(status, name, version);
            if let Some(error) = error {
                status.error.get_or_insert_with(|| format!("{name}: {error}"));
            }
        }
    }
    for resource in resources {
        let is_ours = |by: &WantedBy| matches!(by, WantedBy::Subscription(_));
        if !resource.wanted_by.iter().any(is_ours) {
            continue;
        }
        if let Some(status) = at(&resource.name).and_then(|index| all.get_mut(index)) {
            match resource.state {
                State::Seeding | State::Outdated => status.complete += 1,
                _ => status.unfinished += 1,
            }
            if let (State::Error, Some(why)) = (resource.state, &resource.reason_here) {
                status.error.get_or_insert_with(|| format!("{}: {why}", resource.name));
            }
        }
    }
    all
}

/// A rule of which nothing is known yet.
fn empty(followed: &Followed, rule: &Rule) -> SubscriptionStatus {
    let trackers = followed.subscriptions.rules().trackers_of(rule).iter().map(|url| FollowedTracker {
        url: url.clone(),
        has_answered: followed.follow.has_answered(url),
        error: followed.follow.error(url).map(str::to_owned),
    });
    SubscriptionStatus {
        names: rule.names.iter().map(ToString::to_string).collect(),
        place: rule.place.clone(),
        trackers: trackers.collect(),
        fetched: 0,
        waiting: 0,
        complete: 0,
        unfinished: 0,
        newest: None,
        error: None,
    }
}

/// Shows this version if it is newer than the one that is shown.
fn newer(status: &mut SubscriptionStatus, name: &ResourceName, version: Version) {
    if status.newest.as_ref().is_none_or(|newest| newest.shared_at_ms < version.shared_at_ms) {
        status.newest = Some(NewestVersion {
            name: name.clone(),
            resource: version.key.resource,
            shared_at_ms: version.shared_at_ms,
        });
    }
}
