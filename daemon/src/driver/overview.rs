//! Reports the state of the daemon as a whole.

use super::Driver;
use crate::inbox::Whole;
use crate::tracker::Trouble;
use shared::rpc::control::{State, TrackerStatus};
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The states, in the order in which they are reported.
const STATES: [State; 7] = [
    State::Seeding,
    State::Outdated,
    State::Downloading,
    State::Waiting,
    State::Checking,
    State::Paused,
    State::Error,
];

impl Driver {
    pub(super) fn overview(&mut self) -> Whole {
        let statuses = self.snapshot_for(None).map(|snapshot| {
            let count = |state| snapshot.resources().filter(|status| status.state == state).count();
            STATES.map(|state| (state, u32::try_from(count(state)).unwrap_or(u32::MAX)))
        });
        let states = statuses.unwrap_or(STATES.map(|state| (state, 0)));
        let linked = self.links.keys().copied();
        let now = self.now();
        let takers = self.library.stirring().flat_map(|(key, _)| self.machine.takers(now, key));
        let peers: BTreeSet<_> = linked.chain(takers.map(|taker| taker.peer)).collect();
        Whole {
            trackers: self.trackers_status(),
            states: states.into_iter().filter(|(_, count)| *count > 0).collect(),
            peers: u32::try_from(peers.len()).unwrap_or(u32::MAX),
            traffic: self.library.traffic(),
        }
    }

    /// The trackers of the configuration, then all others that it talks to.
    fn trackers_status(&self) -> Vec<TrackerStatus> {
        let mut known: BTreeMap<&TrackerUrl, Option<(Duration, Trouble)>> = self.trackers.all().collect();
        let configured = self.settings.trackers.iter();
        let mut all: Vec<TrackerStatus> =
            configured.map(|url| status(url, known.remove(url).flatten())).collect();
        all.extend(known.into_iter().map(|(url, trouble)| status(url, trouble)));
        all
    }
}

fn status(url: &TrackerUrl, trouble: Option<(Duration, Trouble)>) -> TrackerStatus {
    TrackerStatus {
        url: url.clone(),
        trouble: trouble.as_ref().map(|(_, trouble)| trouble.to_string()),
        trouble_s: trouble.as_ref().map(|(lasting, _)| lasting.as_secs()),
        lasting: trouble.map(|(lasting, trouble)| trouble.lasting(lasting)),
    }
}
