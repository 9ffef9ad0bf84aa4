//! Publishes the events of this machine. [`Events`](crate::watch::Events) finds them. A file's events are found when
//! the next snapshot is made, and nothing is done while nothing changes.

use super::Driver;
use super::wanted::record_of;
use crate::watch::Doing;
use shared::host::clock::now_ms;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{Happening, ResourceStatus};
use std::time::{Duration, Instant};

impl Driver {
    /// Compares the new state of a name with the last one; `None` if there is no such name any more.
    pub(super) fn compare_with_before(&mut self, name: &ResourceName, status: Option<&ResourceStatus>) {
        let key = self.library.key_of(name);
        let doing = key.zip(status).and_then(|(key, status)| {
            let resource = self.library.get(key)?;
            let record = record_of(resource, name)?;
            Some(Doing {
                status,
                is_origin: resource.record.origin,
                // a file that is only supposed to be the right one is not
                is_published: record.published.is_some_and(|identity| !identity.is_unsure()),
                fetched: resource.fetched.as_ref().filter(|fetched| fetched.name == *name),
            })
        });
        let happened = self.events.look(name, self.snapshot.get(name), doing, Instant::now());
        self.tell_all(happened);
    }

    /// Finds downloads that have waited for a while, and changes of trackers.
    pub(super) fn look_for_events(&mut self, now: Instant) {
        let waiting = self.events.waiting(now);
        let trackers = self.trackers.all();
        let trackers = trackers.map(|(url, trouble)| (url.clone(), trouble.map(|(_, why)| why.to_string())));
        let trackers = self.events.trackers(trackers);
        self.tell_all(waiting.into_iter().chain(trackers));
    }

    /// Publishes that a download makes no progress.
    pub(super) fn tell_stalled(&mut self, name: &ResourceName, still: Duration, reason: &str) {
        let stalled = self.events.stalled(name, still, reason);
        self.tell_all(stalled);
    }

    /// Publishes that a stalled download makes progress again.
    pub(super) fn tell_goes_on(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let names = resource.record.names.iter();
        let events: Vec<Happening> = names.filter_map(|record| self.events.goes_on(&record.name)).collect();
        self.tell_all(events);
    }

    fn tell_all(&self, happened: impl IntoIterator<Item = Happening>) {
        for event in happened {
            self.context.events.add(now_ms(), event);
        }
    }
}
