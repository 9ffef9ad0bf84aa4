//! The state of a tracker, for people and scripts.

use shared::id::SwarmKey;
use shared::rpc::tls::{JOIN, Refusal};
use shared::rpc::tracker::TrackerError;
use shared::rpc::wire::CallError;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// How long after the start a tracker that was not reached yet counts as being tried, instead of as unreachable:
/// connections take a moment.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// Why a tracker cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The tracker cannot be reached or does not answer, for this reason.
    Unreachable(String),
    /// There is no connection because of a certificate, for this reason; the second says what helps.
    Barred(String, &'static str),
    /// The tracker refuses what it is told, for this reason.
    Refuses(String),
    /// The tracker violates the protocol, in this way.
    Nonsense(String),
}

impl Trouble {
    fn why(&self) -> &str {
        match self {
            Trouble::Unreachable(why)
            | Trouble::Barred(why, _)
            | Trouble::Refuses(why)
            | Trouble::Nonsense(why) => why,
        }
    }

    /// What helps, if that is more than to see whether the tracker runs.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Trouble::Barred(_, hint) => Some(hint),
            Trouble::Unreachable(_) | Trouble::Refuses(_) | Trouble::Nonsense(_) => None,
        }
    }

    /// The trouble and how long it has lasted: "unreachable for 40 s (connection refused)".
    pub fn lasting(&self, span: Duration) -> String {
        let what = match self {
            Trouble::Unreachable(_) | Trouble::Barred(..) => "unreachable",
            Trouble::Refuses(_) => "refusing requests",
            Trouble::Nonsense(_) => "sending invalid answers",
        };
        format!("{what} for {} ({})", seconds(span), self.why())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Trouble {
        match error {
            CallError::Closed | CallError::TimedOut => Trouble::Unreachable(error.to_string()),
            CallError::WrongReply => Trouble::Nonsense(error.to_string()),
            CallError::Refused | CallError::Failed(_) => Trouble::Refuses(error.to_string()),
        }
    }
}

impl From<TrackerError> for Trouble {
    fn from(error: TrackerError) -> Trouble {
        match error {
            TrackerError::NoCertificate => Trouble::Barred(error.to_string(), JOIN),
            error => Trouble::Refuses(error.to_string()),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Trouble {
        let is_unset = |fault: &str| fault.ends_with("is not set in the configuration");
        let hint = match &refusal {
            Refusal::NoIdentity(Some(fault)) if is_unset(fault) => Some(JOIN),
            refusal => refusal.hint(),
        };
        match hint {
            Some(hint) => Trouble::Barred(refusal.to_string(), hint),
            None => Trouble::Unreachable(refusal.to_string()),
        }
    }
}

/// The state of a tracker.
#[derive(Debug, Clone)]
pub struct Health {
    /// When the present state began.
    since: Instant,
    state: State,
    /// The resources that it refuses while it accepts others.
    refused: BTreeMap<SwarmKey, (Instant, Trouble)>,
}

#[derive(Debug, Clone)]
enum State {
    /// The tracker was not reached yet.
    Trying,
    Good,
    Bad(Trouble),
}

impl Health {
    pub(super) fn new(now: Instant) -> Health {
        Health { since: now, state: State::Trying, refused: BTreeMap::new() }
    }

    /// A tracker that is not asked because there are too many.
    pub(super) fn left_out() -> Health {
        let trouble = Trouble::Refuses("not used: too many trackers".to_owned());
        Health { state: State::Bad(trouble), ..Health::new(Instant::now()) }
    }

    /// The tracker has accepted what it was told. Returns whether this ends a trouble.
    pub(super) fn recovered(&mut self, now: Instant) -> bool {
        let was_bad = matches!(self.state, State::Bad(_));
        if !matches!(self.state, State::Good) {
            (self.since, self.state) = (now, State::Good);
        }
        was_bad
    }

    /// The tracker cannot be used. Returns whether this is news.
    pub(super) fn failed(&mut self, now: Instant, trouble: Trouble) -> bool {
        let was_bad = matches!(self.state, State::Bad(_));
        if !was_bad {
            self.since = now;
        }
        self.state = State::Bad(trouble); // the newest reason counts
        !was_bad
    }

    /// The tracker has accepted or refused a resource.
    pub(super) fn took(&mut self, now: Instant, key: SwarmKey, refusal: Option<Trouble>) {
        match refusal {
            Some(trouble) => {
                let since = self.refused.get(&key).map_or(now, |(since, _)| *since);
                self.refused.insert(key, (since, trouble));
            }
            None => _ = self.refused.remove(&key),
        }
    }

    /// The trouble that the tracker causes for this resource, and how long it has lasted.
    pub fn trouble(&self, now: Instant, key: SwarmKey) -> Option<(Duration, Trouble)> {
        let of_resource = || {
            let (since, trouble) = self.refused.get(&key)?;
            Some((now.saturating_duration_since(*since), trouble.clone()))
        };
        self.trouble_for_all(now).or_else(of_resource)
    }

    /// What is wrong with it for all resources, and for how long.
    pub fn trouble_for_all(&self, now: Instant) -> Option<(Duration, Trouble)> {
        let lasting = now.saturating_duration_since(self.since);
        match &self.state {
            State::Bad(trouble) => Some((lasting, trouble.clone())),
            State::Trying if lasting >= FIRST_PATIENCE => {
                Some((lasting, Trouble::Unreachable("no answer yet".to_owned())))
            }
            State::Trying | State::Good => None,
        }
    }
}

/// "40 s", "5 min", "3 h", "2 d".
pub fn seconds(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};
    use std::io;
    use std::sync::Arc;

    const KEY: SwarmKey = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };

    fn told(health: &Health, now: Instant) -> Option<String> {
        health.trouble(now, KEY).map(|(span, trouble)| trouble.lasting(span))
    }

    #[test]
    fn a_trouble_lasts_from_its_beginning_and_has_its_newest_reason() {
        let start = Instant::now();
        let after = |s| start + Duration::from_secs(s);
        let mut health = Health::new(start);
        assert_eq!(told(&health, after(1)), None, "it may still answer");
        assert_eq!(told(&health, after(4)).as_deref(), Some("unreachable for 4 s (no answer yet)"));
        let refused = Trouble::from(Refusal::Failed(Arc::new(io::Error::from_raw_os_error(111))));
        assert!(health.failed(after(5), refused.clone()), "that is news");
        assert!(!health.failed(after(20), Trouble::Unreachable("no answer in time".into())));
        assert_eq!(told(&health, after(45)).as_deref(), Some("unreachable for 40 s (no answer in time)"));
        assert!(!health.failed(after(50), refused));
        assert_eq!(told(&health, after(45)).as_deref(), Some("unreachable for 40 s (connection refused)"));
        assert!(health.recovered(after(60)) && !health.recovered(after(61)));
        assert_eq!(told(&health, after(90)), None);
    }

    #[test]
    fn one_resource_may_be_refused_while_others_are_taken() {
        let start = Instant::now();
        let mut health = Health::new(start);
        health.recovered(start);
        let other = SwarmKey { digest: ListDigest([2; 32]), ..KEY };
        let full = TrackerError::Full("at most 5 entries".into());
        health.took(start, KEY, Some(full.into()));
        let expected = "refusing requests for 3 min (it is full: at most 5 entries)";
        assert_eq!(told(&health, start + Duration::from_secs(180)).as_deref(), Some(expected));
        assert!(health.trouble(start, other).is_none());
        health.took(start, KEY, None);
        assert_eq!(told(&health, start), None);
    }

    #[test]
    fn spans_are_short() {
        let texts = [7, 119, 120, 7199, 7200, 200_000].map(|s| seconds(Duration::from_secs(s)));
        assert_eq!(texts, ["7 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }
}
