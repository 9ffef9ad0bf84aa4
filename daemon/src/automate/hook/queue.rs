//! Which version a rule's hook runs for next, and which it has run for. Pure.
//!
//! A hook runs for each version once, one run at a time, in the order of arrival. While it runs, a name may get another version:
//! its file is then replaced, and a hook for the former one would find the wrong content. So of each name only the newest
//! version waits.
//!
//! The record of all this outlives ttd. Whoever drives the queue writes [`Queue::record`] after each change and before acting on it:
//! before a hook is started (`begin`), and after it has ended (`end`). A run that began and did not end in the record is one that
//! ttd did not survive. It is run again: only then does a hook run twice for one version, and so hooks have to bear that.

use serde::{Deserialize, Serialize};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use std::collections::{BTreeMap, VecDeque};

/// Limits the versions that wait. Beyond it the next one is refused, and its subscription offers it again later.
pub const WAITING_MAX: usize = 1_024;

/// Limits the names whose runs are remembered. Beyond it the one whose hook ran longest ago is forgotten.
pub const NAMES_MAX: usize = 1_024;

/// Limits the versions of a name whose runs are remembered. Beyond it the oldest is forgotten.
pub const VERSIONS_MAX: usize = 8;

/// Limits the text of an outcome in the record, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// One version of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The name.
    pub name: ResourceName,
    /// The content.
    #[serde(with = "key_text")]
    pub key: SwarmKey,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The hook ended with 0.
    Done,
    /// It ended with this exit code.
    Failed(i32),
    /// This signal ended it.
    Signal(i32),
    /// It took longer than `hook_timeout` and was ended.
    TimedOut,
    /// ttd ended, and ended it. The run counts as one that did not end.
    Interrupted,
    /// It was not started, and why.
    NotStarted(String),
}

impl Outcome {
    /// In words, after "the hook": "ended with exit code 3".
    pub fn words(&self) -> String {
        match self {
            Outcome::Done => "ended with exit code 0".to_owned(),
            Outcome::Failed(code) => format!("failed with exit code {code}"),
            Outcome::Signal(signal) => format!("was ended by signal {signal}"),
            Outcome::TimedOut => "was ended because it took longer than hook_timeout".to_owned(),
            Outcome::Interrupted => "was ended because ttd ended; it runs again".to_owned(),
            Outcome::NotStarted(why) => format!("was not started: {why}"),
        }
    }
}

/// Why a hook is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The version has arrived. It runs unless it ran for this version before.
    Arrived,
    /// A person went back to this version. It runs in any case.
    RolledBack,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Its hook will run.
    Waits,
    /// Its hook runs, waits or has run.
    Known,
    /// Too many wait; it must be offered again.
    Full,
}

/// All that outlives ttd, for one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The run that began and did not end.
    running: Option<Version>,
    /// The versions that wait, in order.
    waiting: VecDeque<Version>,
    /// The names whose hook has run, each with its versions, the newest last.
    ended: BTreeMap<ResourceName, Ended>,
    /// The number of the next run that ends.
    next: u64,
}

/// The runs of a name that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    versions: VecDeque<Run>,
    /// Which name's hook ended before which.
    number: u64,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    #[serde(with = "key_text")]
    key: SwarmKey,
    outcome: Outcome,
}

/// A key as `RESOURCE:DIGEST`, in hexadecimal digits.
mod key_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use shared::id::SwarmKey;

    pub(super) fn serialize<S: Serializer>(key: &SwarmKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}", key.resource, key.digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SwarmKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = text.split_once(':').and_then(|(resource, digest)| {
            Some(SwarmKey { resource: resource.parse().ok()?, digest: digest.parse().ok()? })
        });
        key.ok_or_else(|| D::Error::custom("no key of a version"))
    }
}

/// The runs of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue(Record);

impl Queue {
    /// Goes on with what an earlier ttd left. A run that it did not see the end of comes first, unless another version of the
    /// name waits.
    pub fn restored(record: Record) -> Queue {
        let mut queue = Queue(record);
        if let Some(version) = queue.0.running.take() {
            queue.again(version);
        }
        queue
    }

    /// What must be on disk before anything is done.
    pub fn record(&self) -> &Record {
        &self.0
    }

    /// Takes a version whose hook is to run.
    pub fn offer(&mut self, version: Version, asked: Asked) -> Accepted {
        let Record { running, waiting, .. } = &self.0;
        let is_under_way =
            running.as_ref() == Some(&version) && !waiting.iter().any(|other| other.name == version.name);
        if is_under_way || waiting.contains(&version) {
            return Accepted::Known;
        }
        if asked == Asked::Arrived && (running.as_ref() == Some(&version) || self.outcome(&version).is_some())
        {
            return Accepted::Known;
        }
        if let Some(former) = self.0.waiting.iter_mut().find(|other| other.name == version.name) {
            *former = version;
            return Accepted::Waits;
        }
        if self.0.waiting.len() >= WAITING_MAX {
            return Accepted::Full;
        }
        self.0.waiting.push_back(version);
        Accepted::Waits
    }

    /// The name is not here any more: its hook does not run. A run that has begun goes on.
    pub fn withdraw(&mut self, name: &ResourceName) {
        self.0.waiting.retain(|version| version.name != *name);
    }

    /// Begins the next run, if none is under way and a version waits.
    pub fn begin(&mut self) -> Option<&Version> {
        if self.0.running.is_some() {
            return None;
        }
        self.0.running = self.0.waiting.pop_front();
        self.0.running.as_ref()
    }

    /// The version whose hook runs.
    pub fn running(&self) -> Option<&Version> {
        self.0.running.as_ref()
    }

    /// How many versions wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.len()
    }

    /// The run that is under way has ended.
    pub fn end(&mut self, mut outcome: Outcome) {
        let Some(version) = self.0.running.take() else { return };
        if outcome == Outcome::Interrupted {
            return self.again(version);
        }
        if let Outcome::NotStarted(why) = &mut outcome {
            *why = why.chars().take(TEXT_CHARS_MAX).collect();
        }
        let Record { ended, next, .. } = &mut self.0;
        if ended.len() >= NAMES_MAX
            && !ended.contains_key(&version.name)
            && let Some(oldest) = ended.iter().min_by_key(|(_, of)| of.number).map(|(name, _)| name.clone())
        {
            ended.remove(&oldest);
        }
        let of = ended.entry(version.name).or_insert_with(|| Ended { versions: VecDeque::new(), number: 0 });
        of.number = *next;
        *next += 1;
        of.versions.retain(|run| run.key != version.key);
        of.versions.push_back(Run { key: version.key, outcome });
        if of.versions.len() > VERSIONS_MAX {
            of.versions.pop_front();
        }
    }

    /// How the last run for a version ended, if one did and is remembered.
    pub fn outcome(&self, version: &Version) -> Option<&Outcome> {
        let of = self.0.ended.get(&version.name)?;
        of.versions.iter().find(|run| run.key == version.key).map(|run| &run.outcome)
    }

    /// Has a run that did not end begin again, before all others.
    fn again(&mut self, version: Version) {
        if !self.0.waiting.iter().any(|other| other.name == version.name) {
            self.0.waiting.push_front(version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::id::{ListDigest, ResourceId};

    fn version(name: u8, version: u8) -> Version {
        let key = SwarmKey { resource: ResourceId([version; 32]), digest: ListDigest([version; 32]) };
        Version { name: format!("n{name}").parse().unwrap(), key }
    }

    #[test]
    fn one_runs_at_a_time_in_order_and_of_each_name_the_newest() {
        let mut queue = Queue::default();
        for (name, number) in [(1, 1), (2, 1), (1, 2), (3, 1), (2, 1)] {
            queue.offer(version(name, number), Asked::Arrived);
        }
        assert_eq!(queue.begin(), Some(&version(1, 2)));
        assert_eq!(queue.begin(), None, "one is running");
        assert_eq!(queue.offer(version(1, 2), Asked::Arrived), Accepted::Known);
        assert_eq!(queue.offer(version(1, 3), Asked::Arrived), Accepted::Waits);
        queue.end(Outcome::Failed(3));
        queue.withdraw(&version(2, 0).name);
        assert_eq!(queue.begin(), Some(&version(3, 1)));
        queue.end(Outcome::Done);
        assert_eq!(queue.begin(), Some(&version(1, 3)));
        queue.end(Outcome::Done);
        assert_eq!(queue.begin(), None);
        assert_eq!(queue.outcome(&version(1, 2)), Some(&Outcome::Failed(3)));
        assert_eq!(queue.offer(version(1, 2), Asked::Arrived), Accepted::Known, "a failure is an end, too");
        assert_eq!(queue.offer(version(1, 2), Asked::RolledBack), Accepted::Waits);
    }

    #[test]
    fn what_did_not_end_runs_again_first_unless_a_newer_version_waits() {
        let mut queue = Queue::default();
        for name in 1..=2 {
            queue.offer(version(name, 1), Asked::Arrived);
        }
        queue.begin();
        let mut killed = Queue::restored(queue.record().clone());
        assert_eq!(killed.begin(), Some(&version(1, 1)));
        queue.end(Outcome::Interrupted);
        assert_eq!(queue.begin(), Some(&version(1, 1)));
        queue.offer(version(1, 2), Asked::Arrived);
        let mut killed = Queue::restored(queue.record().clone());
        assert_eq!(killed.begin(), Some(&version(2, 1)));
        killed.end(Outcome::Done);
        assert_eq!(killed.begin(), Some(&version(1, 2)));
        killed.end(Outcome::Done);
        assert_eq!(killed.begin(), None);
    }

    #[test]
    fn all_that_grows_is_bounded() {
        let mut queue = Queue::default();
        let many = |number: usize| Version { name: format!("n{number}").parse().unwrap(), ..version(0, 0) };
        for number in 0..WAITING_MAX {
            assert_eq!(queue.offer(many(number), Asked::Arrived), Accepted::Waits);
        }
        assert_eq!(queue.offer(many(WAITING_MAX), Asked::Arrived), Accepted::Full);
        assert_eq!(
            queue.offer(Version { name: many(7).name, ..version(0, 1) }, Asked::Arrived),
            Accepted::Waits
        );
        let mut queue = Queue::default();
        for number in 0..=NAMES_MAX {
            queue.offer(many(number), Asked::Arrived);
            queue.begin();
            queue.end(Outcome::Done);
        }
        assert_eq!(queue.0.ended.len(), NAMES_MAX);
        assert_eq!((queue.outcome(&many(0)), queue.outcome(&many(1))), (None, Some(&Outcome::Done)));
        for number in 0..=VERSIONS_MAX as u8 {
            queue.offer(version(1, number + 1), Asked::Arrived);
            queue.begin();
            queue.end(Outcome::NotStarted("x".repeat(10_000)));
        }
        assert_eq!(queue.outcome(&version(1, 1)), None, "the oldest version is forgotten");
        assert!(
            matches!(queue.outcome(&version(1, 2)), Some(Outcome::NotStarted(why)) if why.len() == TEXT_CHARS_MAX)
        );
    }

    /// What can happen.
    #[derive(Debug, Clone)]
    enum Step {
        Offer(u8, u8),
        Withdraw(u8),
        Begin,
        End,
        Interrupt,
        /// kill -9: all that is left is the record that was written last.
        Kill,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..3, 0u8..4).prop_map(|(name, version)| Step::Offer(name, version)),
            1 => (0u8..3).prop_map(Step::Withdraw),
            3 => Just(Step::Begin),
            3 => Just(Step::End),
            1 => Just(Step::Interrupt),
            1 => Just(Step::Kill),
        ]
    }

    proptest! {
        /// Over kills at any moment: no hook runs twice for a version unless the run before did not end, none is lost that has no newer
        /// version and was not withdrawn, and never do two run at once.
        #[test]
        fn each_version_runs_once_unless_ttd_was_killed_while_it_ran(
            steps in proptest::collection::vec(any_step(), 0..200),
        ) {
            let mut queue = Queue::default();
            let mut ended: Vec<Version> = Vec::new();
            // the newest version of each name that must still run
            let mut owed: BTreeMap<ResourceName, Version> = BTreeMap::new();
            let mut is_running = false;
            for step in steps {
                match step {
                    Step::Offer(name, number) => {
                        let version = version(name, number);
                        let accepted = queue.offer(version.clone(), Asked::Arrived);
                        if accepted == Accepted::Waits {
                            prop_assert!(!ended.contains(&version));
                            owed.insert(version.name.clone(), version);
                        }
                    }
                    Step::Withdraw(name) => {
                        let name = version(name, 0).name;
                        queue.withdraw(&name);
                        if queue.running().is_none_or(|running| running.name != name) {
                            owed.remove(&name);
                        } else if let Some(running) = queue.running() {
                            owed.insert(name, running.clone());
                        }
                    }
                    Step::Begin => {
                        if let Some(version) = queue.begin() {
                            prop_assert!(!is_running, "two at once");
                            prop_assert!(!ended.contains(version), "twice");
                            prop_assert_eq!(owed.get(&version.name), Some(version));
                            is_running = true;
                        }
                    }
                    Step::End => if let Some(version) = queue.running().cloned() {
                        queue.end(Outcome::Done);
                        is_running = false;
                        if owed.get(&version.name) == Some(&version) { owed.remove(&version.name); }
                        ended.push(version);
                    },
                    Step::Interrupt => {
                        queue.end(Outcome::Interrupted);
                        is_running = false;
                    }
                    Step::Kill => {
                        let text = toml::to_string(queue.record()).unwrap();
                        queue = Queue::restored(toml::from_str(&text).unwrap());
                        is_running = false;
                    }
                }
                prop_assert_eq!(queue.running().is_some(), is_running);
            }
            // Whatever is owed runs in the end.
            if is_running { queue.end(Outcome::Interrupted); }
            while let Some(version) = queue.begin().cloned() {
                owed.remove(&version.name);
                queue.end(Outcome::Done);
            }
            prop_assert!(owed.is_empty(), "lost: {owed:?}");
        }
    }
}
