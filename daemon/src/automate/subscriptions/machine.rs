//! Decides which versions are fetched, when, and how many at once. Pure: the time is passed in.
//!
//! ```text
//! tracker ─ told ─▶ want ─ order ─▶ fetched (known from now on) | nothing | failed (again later)
//! ```

use super::known::{Known, Taken, Version};
use super::rules::Rules;
use shared::name::ResourceName;
use shared::rpc::tracker::Change;
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many versions are looked up and begun at once.
pub const ORDERS_MAX: usize = 4;

/// How many downloads of subscriptions may be in progress at once before no further one is begun. What waits for something
/// does not count.
pub const DOWNLOADS_MAX: usize = 16;

/// Limits the names that wait to be fetched. Of further ones the tracker tells again after the next restart, or when they
/// change.
pub const WANTS_MAX: usize = 16_384;

/// How long to wait after the first failure; after each further one twice as long.
const AGAIN_MIN: Duration = Duration::from_secs(5);
/// How soon to look again whether downloads have ended.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// A version that is to be fetched.
#[derive(Debug, Clone)]
struct Want {
    version: Version,
    /// The tracker that told it.
    tracker: TrackerUrl,
    /// When it is tried.
    due: Instant,
    failures: u32,
    /// Why it could not be fetched, the last time.
    error: Option<String>,
    is_running: bool,
}

/// A version to look up and to fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its name.
    pub name: ResourceName,
    /// The version of which the tracker told.
    pub version: Version,
    /// That tracker.
    pub tracker: TrackerUrl,
    /// The pattern by which it is wanted.
    pub pattern: String,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// This version was begun, or was here already.
    Fetched(Version),
    /// The tracker does not publish it any more, or publishes something else that is no news.
    Nothing,
    /// It could not be begun, for this reason.
    Failed(String),
}

/// What this machine subscribes to, and how far it is.
#[derive(Debug, Default)]
pub struct Subscriptions {
    rules: Rules,
    known: Known,
    wants: BTreeMap<ResourceName, Want>,
    running: usize,
    /// The latest time that any clock showed, in milliseconds since 1970.
    latest_ms: u64,
}

impl Subscriptions {
    /// With the versions that earlier runs fetched.
    pub fn new(known: Known) -> Subscriptions {
        Subscriptions { known, ..Subscriptions::default() }
    }

    /// Puts other rules in force. What no rule wants any more is not fetched.
    pub fn configure(&mut self, rules: Rules) {
        self.wants.retain(|name, want| want.is_running || rules.wants(name, &want.tracker).is_some());
        self.rules = rules;
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The versions that were fetched, to be kept.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// A tracker tells what names mean. `latest_ms` is the later one of its time of day and ours. Returns whether what is known
    /// of versions has changed.
    pub fn told(&mut self, now: Instant, tracker: &TrackerUrl, latest_ms: u64, changes: &[Change]) -> bool {
        self.latest_ms = latest_ms;
        let mut is_changed = false;
        for change in changes {
            if self.rules.wants(&change.name, tracker).is_none() {
                continue;
            }
            let version = Version { key: change.key, shared_at_ms: change.shared_at_ms };
            if self.known.is_news(&change.name, version, latest_ms) {
                self.want(now, &change.name, version, tracker);
            } else {
                is_changed |= self.known.told_again(&change.name, version, latest_ms);
            }
        }
        is_changed
    }

    /// Wants a version, unless a later one is wanted.
    fn want(&mut self, now: Instant, name: &ResourceName, version: Version, tracker: &TrackerUrl) {
        if let Some(want) = self.wants.get_mut(name) {
            let is_older = version.shared_at_ms < want.version.shared_at_ms;
            if is_older && want.version.shared_at_ms <= self.latest_ms {
                return;
            }
            // told again, it may have another signature
            (want.version, want.tracker, want.due, want.failures) = (version, tracker.clone(), now, 0);
            return;
        }
        if self.wants.len() < WANTS_MAX {
            let tracker = tracker.clone();
            let want = Want { version, tracker, due: now, failures: 0, error: None, is_running: false };
            self.wants.insert(name.clone(), want);
        }
    }

    /// The next version to fetch. `downloads` of this machine's downloads are in progress for subscriptions.
    pub fn order(&mut self, now: Instant, downloads: usize) -> Option<Order> {
        if self.running >= ORDERS_MAX || downloads + self.running >= DOWNLOADS_MAX {
            return None;
        }
        let due = self.wants.iter_mut().filter(|(_, want)| !want.is_running && want.due <= now);
        let (name, want) = due.min_by_key(|(_, want)| want.due)?;
        let pattern = self.rules.wants(name, &want.tracker)?.to_string();
        want.is_running = true;
        self.running += 1;
        let (version, tracker) = (want.version, want.tracker.clone());
        Some(Order { name: name.clone(), version, tracker, pattern })
    }

    /// Whether a version that was found for an order is to be fetched.
    pub fn is_news(&self, name: &ResourceName, version: Version) -> bool {
        self.known.is_news(name, version, self.latest_ms)
    }

    /// An order ended. Returns whether what is known of versions has changed.
    pub fn ended(&mut self, now: Instant, order: &Order, ended: Ended) -> bool {
        self.running = self.running.saturating_sub(1);
        let fetched = match &ended {
            Ended::Fetched(version) => Some(*version),
            _ => None,
        };
        if let Some(version) = fetched {
            self.known.take(&order.name, version);
        }
        let Some(want) = self.wants.get_mut(&order.name) else { return fetched.is_some() };
        want.is_running = false;
        // A tracker may have told of another version meanwhile.
        let is_other = want.version.key != order.version.key;
        let is_wanted = self.rules.wants(&order.name, &want.tracker).is_some();
        match ended {
            _ if !is_wanted => _ = self.wants.remove(&order.name),
            Ended::Failed(why) => {
                want.error = Some(why);
                if !is_other {
                    want.due = now + again(want.failures);
                    want.failures = want.failures.saturating_add(1);
                }
            }
            _ if is_other && self.known.is_news(&order.name, want.version, self.latest_ms) => {}
            _ => _ = self.wants.remove(&order.name),
        }
        fetched.is_some()
    }

    /// When [`Subscriptions::order`] may have something to do.
    pub fn next(&self, now: Instant, downloads: usize) -> Option<Instant> {
        if self.running >= ORDERS_MAX {
            return None;
        }
        let due = self.wants.values().filter(|want| !want.is_running).map(|want| want.due).min()?;
        let is_full = downloads + self.running >= DOWNLOADS_MAX;
        Some(if is_full { due.max(now + LOOK_AGAIN) } else { due })
    }

    /// Why a version of a name could not be fetched, the last time.
    pub fn error_of(&self, name: &ResourceName) -> Option<&str> {
        self.wants.get(name)?.error.as_deref()
    }

    /// The versions that are to be fetched: their names, and why they could not be fetched the last time.
    pub fn waiting(&self) -> impl Iterator<Item = (&ResourceName, Version, Option<&str>)> {
        self.wants.iter().map(|(name, want)| (name, want.version, want.error.as_deref()))
    }

    /// The versions that were fetched.
    pub fn fetched(&self) -> impl Iterator<Item = &Taken> {
        self.known.iter()
    }
}

/// How long to wait after this many failures before the next attempt.
fn again(failures: u32) -> Duration {
    AGAIN_MIN.saturating_mul(1 << failures.min(16)).min(AGAIN_MAX)
}

#[cfg(test)]
mod tests;
