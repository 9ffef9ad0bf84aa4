//! Asks the trackers who has a name before something is shared under it, and records what they report later.

use super::Driver;
use super::reasons::{described, is_older, told};
use crate::library::{Newer, Standing};
use crate::tracker::TrackerCommand;
use futures::future::join_all;
use shared::date::AHEAD_MS_MAX;
use shared::host::clock::now_ms;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::rpc::tracker::Namesake;
use shared::url::TrackerUrl;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long the trackers have to answer who has a name. One that has not answered by then is ignored, so that a dead
/// tracker delays a share only briefly.
const ASK_WITHIN: Duration = Duration::from_secs(5);

impl Driver {
    /// Asks the trackers which other machine shares something under a name, and takes the first answer that names one.
    pub(super) fn ask_whose(
        &mut self,
        name: &ResourceName,
        trackers: &[TrackerUrl],
    ) -> impl Future<Output = Option<(TrackerUrl, Namesake)>> + use<> {
        let mut asked = Vec::new();
        for url in trackers {
            let (asking, answer) = oneshot::channel();
            self.trackers.command(&self.context, url, TrackerCommand::Ask(name.clone(), asking));
            asked.push((url.clone(), answer));
        }
        async move {
            let until = tokio::time::Instant::now() + ASK_WITHIN;
            let answers = asked.into_iter().map(|(url, answer)| async move {
                let other = tokio::time::timeout_at(until, answer).await.ok()?.ok()??;
                Some((url, other))
            });
            join_all(answers).await.into_iter().flatten().next()
        }
    }

    /// A tracker reported the standing of something that we publish.
    pub(super) fn stands(&mut self, key: SwarmKey, tracker: TrackerUrl, standing: Standing) {
        if let Standing::Overtaken(other) = standing {
            return self.hear_of_one_newer(key, tracker, other);
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        let is_answer = !matches!(standing, Standing::Refused(_));
        let claimed = is_answer && resource.record.claims.remove(&tracker);
        let was_refused = claimed
            && matches!(standing, Standing::Taken(_))
            && resource.record.undated.insert(tracker.clone());
        if claimed || was_refused {
            self.saver.save(&resource.slot, &resource.record);
        }
        match standing {
            Standing::Good => {
                resource.standings.remove(&tracker);
                if resource.record.origin {
                    resource.newer.remove(&tracker); // only a sharer is told of newer ones when it publishes
                }
            }
            standing => {
                let why = told(&tracker, &standing, Duration::ZERO);
                tracing::warn!(name = %resource.manifest.name(), id = %key, error = %why, "others do not find it by its name");
                resource.standings.insert(tracker, (standing, Instant::now()));
            }
        }
        if was_refused {
            self.announce(key);
        }
        self.changed();
    }

    /// A tracker published something of ours, and said that one of its names means another resource.
    fn hear_of_one_newer(&mut self, key: SwarmKey, tracker: TrackerUrl, other: Namesake) {
        let Some(resource) = self.library.get_mut(key) else { return };
        resource.standings.remove(&tracker);
        let known = resource.newer.get(&tracker).map(|newer| newer.versions.clone()).unwrap_or_default();
        let others = known.into_iter().filter(|known| known.name != other.name);
        let versions = others.chain([other.clone()]).collect();
        self.hear_of_newer(key, tracker, versions);
    }

    /// A tracker said which names of a resource mean another one by now. Its word about names that the resource does
    /// not have here counts for nothing.
    pub(super) fn hear_of_newer(&mut self, key: SwarmKey, tracker: TrackerUrl, mut versions: Vec<Namesake>) {
        let Some(resource) = self.library.get(key) else { return };
        let has_name =
            |other: &Namesake| resource.record.names.iter().any(|record| record.name == other.name);
        versions.retain(|other| other.resource != key.resource && has_name(other));
        versions.sort_by(|one, other| one.name.cmp(&other.name));
        versions.dedup_by(|one, other| one.name == other.name);
        let is_known =
            resource.newer.get(&tracker).map_or(versions.is_empty(), |newer| newer.is_same(&versions));
        if is_known {
            return;
        }
        let Some(resource) = self.library.get_mut(key) else { return };
        for other in &versions {
            tracing::info!(name = %other.name, id = %key, %tracker, newer = %other.resource,
                "a newer version of this file is published");
        }
        let is_ours = resource.record.origin && !versions.is_empty();
        let claimed = is_ours && resource.record.claims.remove(&tracker);
        let is_before_ours = |other: &Namesake| is_older(other, resource.record.shared_at_ms);
        let was_refused =
            is_ours && versions.iter().any(is_before_ours) && resource.record.undated.insert(tracker.clone());
        if claimed || was_refused {
            self.saver.save(&resource.slot, &resource.record);
        }
        match versions.is_empty() {
            true => _ = resource.newer.remove(&tracker),
            false => _ = resource.newer.insert(tracker, Newer { versions, heard: Instant::now() }),
        }
        if was_refused {
            self.announce(key);
        }
        self.changed();
    }

    /// Notices when the clock was set back since something was shared.
    pub(super) fn look_at_clock(&mut self) {
        if is_to_come(self.newest_ms) {
            self.newest_ms = 0;
            self.forget_dates_to_come();
        }
    }

    /// Forgets our dates of sharing that lie in the future: the clock was set back since, so nobody knows the true dates.
    /// Otherwise these publications would count as the newest of their names.
    pub(super) fn forget_dates_to_come(&mut self) {
        let dated = self.library.iter().map(|(key, resource)| (key, resource.record.shared_at_ms));
        let wrong: Vec<SwarmKey> = dated.filter(|(_, at)| is_to_come(*at)).map(|(key, _)| key).collect();
        for key in &wrong {
            if let Some(resource) = self.library.get_mut(*key) {
                resource.record.shared_at_ms = 0;
                self.saver.save(&resource.slot, &resource.record);
            }
        }
        if let [first, ..] = wrong[..] {
            tracing::warn!(name = self.library.called(first), id = %first, files = wrong.len(),
                "its date of sharing lies in the future, because the clock was set back; the date is ignored");
        }
        wrong.into_iter().for_each(|key| self.announce(key));
    }
}

/// Whether a date of ours lies in the future and is therefore wrong.
pub(super) fn is_to_come(date_ms: u64) -> bool {
    date_ms > now_ms().saturating_add(AHEAD_MS_MAX)
}

/// The error when another machine shares other content under a name.
pub(super) fn refuse_taken(tracker: &TrackerUrl, other: &Namesake) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!(
            "{} is published on {tracker} with different content ({})",
            other.name,
            described(other, Duration::ZERO)
        ),
        hint: Some("use --replace to replace it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;

    #[test]
    fn who_has_a_name_is_told_with_what_and_since_when() {
        let other = Namesake {
            name: "small.txt".parse().unwrap(),
            resource: ResourceId([0x4c; 32]),
            by: "127.0.0.1:18000".parse().unwrap(),
            shared_ago_ms: Some(720_000),
        };
        let tracker: TrackerUrl = "tt://10.0.0.1:7000".parse().unwrap();
        assert_eq!(
            refuse_taken(&tracker, &other).message,
            "small.txt is published on tt://10.0.0.1:7000 with different content \
             (4c4c4c4c…, by 127.0.0.1:18000, 12 min ago)"
        );
        let unknown = Namesake { shared_ago_ms: None, ..other.clone() };
        assert!(told(&tracker, &Standing::Taken(unknown), Duration::ZERO).contains("at an unknown time"));
        let later = told(&tracker, &Standing::Overtaken(other), Duration::from_secs(60));
        assert!(later.contains("13 min ago"), "{later}");
    }
}
