//! Finds the events of this machine by comparing the states of names with their states before.

use crate::library::Fetched;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ErrorKind, FileEvent, Happening, ResourceStatus, State, TrackerEvent};
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A download that has waited for this long becomes an event. Shorter waits are usual, for example until peers are
/// found, and are not reported.
const WAITING_AFTER: Duration = Duration::from_secs(5);

/// The longest reason in an event, in bytes; a longer one is cut off. Usual reasons have less than 200, and ttd keeps
/// 1,024 events.
const REASON_BYTES_MAX: usize = 512;

/// The state of a name, with the other facts that an event needs.
#[derive(Debug, Clone)]
pub struct Doing<'a> {
    /// Its status.
    pub status: &'a ResourceStatus,
    /// Whether its content was shared from this machine.
    pub is_origin: bool,
    /// Whether a verified file has the name.
    pub is_published: bool,
    /// How its file came to be here, if it is the file of a download that was completed in this run.
    pub fetched: Option<&'a Fetched>,
}

/// The events so far of names that are not at rest, and of trackers.
#[derive(Debug, Default)]
pub struct Events {
    /// Downloads, and names with an event that has not ended. At most one for each name.
    names: BTreeMap<ResourceName, Course>,
    /// Names of the last run that were not looked at yet. At most one for each name.
    restored: BTreeSet<ResourceName>,
    /// Trackers in trouble.
    lost: BTreeSet<TrackerUrl>,
}

/// The course of a name's events.
#[derive(Debug)]
struct Course {
    resource: ResourceId,
    /// Whether it is a download that is not complete.
    is_download: bool,
    /// When its wait began, and the present reason.
    waits: Option<(Instant, String)>,
    /// The last event, if it has not ended.
    standstill: Option<Standstill>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standstill {
    Waiting,
    Stalled,
    Paused,
    Failed,
    Outdated,
}

impl Events {
    /// The last run had this name, so it is no event that it is here.
    pub fn restored(&mut self, name: ResourceName) {
        self.restored.insert(name);
    }

    /// A name was removed. If it is added again before the next look, that is an event.
    pub fn removed(&mut self, name: &ResourceName) {
        self.restored.remove(name);
    }

    /// Compares the state of a name with the last one; `None` if there is no such name any more.
    pub fn look(
        &mut self,
        name: &ResourceName,
        before: Option<&ResourceStatus>,
        after: Option<Doing>,
        now: Instant,
    ) -> Vec<Happening> {
        let mut happened = Vec::new();
        let mut tell = |resource, what| {
            happened.push(Happening::File { name: name.clone(), resource, what });
        };
        let resource = after.as_ref().map(|after| after.status.resource);
        let course = self.names.remove(name);
        let is_restored = self.restored.remove(name);
        if let Some(before) = before.filter(|before| Some(before.resource) != resource) {
            tell(before.resource, FileEvent::Removed);
        }
        let Some(after) = after else { return happened };
        let resource = after.status.resource;
        let blank = Course { resource, is_download: false, waits: None, standstill: None };
        let mut course = course.filter(|course| course.resource == resource).unwrap_or(blank);
        let before = before.filter(|before| before.resource == resource);
        if before.is_none() && !is_restored {
            let is_shared = after.is_origin && after.is_published;
            course.is_download = !is_shared;
            tell(resource, if is_shared { FileEvent::Shared } else { FileEvent::Accepted });
        }
        // a download of the last run may be complete before it is looked at
        course.is_download |= !after.is_published || is_restored && after.fetched.is_some();
        if course.is_download && after.is_published {
            (course.is_download, course.waits, course.standstill) = (false, None, None);
            tell(resource, complete(&after));
        }
        if let Some(what) = course.compare(after.status, is_restored, now) {
            tell(resource, what);
        }
        if course.is_download || course.standstill.is_some() {
            self.names.insert(name.clone(), course);
        }
        happened
    }

    /// Events for the downloads that have waited for [`WAITING_AFTER`].
    pub fn waiting(&mut self, now: Instant) -> Vec<Happening> {
        let mut happened = Vec::new();
        for (name, course) in &mut self.names {
            let Some((since, reason)) = &course.waits else { continue };
            if course.standstill.is_some() || now.saturating_duration_since(*since) < WAITING_AFTER {
                continue;
            }
            course.standstill = Some(Standstill::Waiting);
            let what = FileEvent::Waiting { reason: reason.clone() };
            happened.push(Happening::File { name: name.clone(), resource: course.resource, what });
        }
        happened
    }

    /// The event of a download without progress. `None` for a name that is no download.
    pub fn stalled(&mut self, name: &ResourceName, still: Duration, reason: &str) -> Option<Happening> {
        let course = self.names.get_mut(name)?;
        course.standstill = Some(Standstill::Stalled);
        let what = FileEvent::Stalled { reason: cut(reason), still_s: still.as_secs() };
        Some(Happening::File { name: name.clone(), resource: course.resource, what })
    }

    /// The event of a stalled download that makes progress again.
    pub fn goes_on(&mut self, name: &ResourceName) -> Option<Happening> {
        let course = self.names.get_mut(name)?;
        course.standstill.take_if(|standstill| *standstill == Standstill::Stalled)?;
        Some(Happening::File { name: name.clone(), resource: course.resource, what: FileEvent::Resumed })
    }

    /// Compares the troubles of all trackers with the last ones.
    pub fn trackers(
        &mut self,
        trackers: impl Iterator<Item = (TrackerUrl, Option<String>)>,
    ) -> Vec<Happening> {
        let mut happened = Vec::new();
        let mut lost = BTreeSet::new();
        for (tracker, trouble) in trackers {
            let was_lost = self.lost.contains(&tracker);
            let what = match (&trouble, was_lost) {
                (Some(why), false) => Some(TrackerEvent::Lost { reason: cut(why) }),
                (None, true) => Some(TrackerEvent::Back),
                _ => None,
            };
            happened.extend(what.map(|what| Happening::Tracker { tracker: tracker.clone(), what }));
            if trouble.is_some() {
                lost.insert(tracker);
            }
        }
        self.lost = lost;
        happened
    }
}

impl Course {
    /// The event of a new state, which may follow several others.
    fn compare(&mut self, status: &ResourceStatus, is_restored: bool, now: Instant) -> Option<FileEvent> {
        let reason = || status.reason.as_deref().map(cut).unwrap_or_default();
        if status.state != State::Waiting {
            self.waits = None;
        }
        match status.state {
            State::Paused if self.standstill != Some(Standstill::Paused) => {
                self.standstill = Some(Standstill::Paused);
                return (!is_restored).then_some(FileEvent::Paused);
            }
            State::Error if self.standstill != Some(Standstill::Failed) => {
                self.standstill = Some(Standstill::Failed);
                return Some(match status.kind {
                    Some(ErrorKind::BadData) => FileEvent::Damaged { reason: reason() },
                    _ => FileEvent::Failed { reason: reason() },
                });
            }
            State::Outdated if self.standstill != Some(Standstill::Outdated) => {
                self.standstill = Some(Standstill::Outdated);
                return Some(FileEvent::Outdated { reason: reason() });
            }
            State::Paused | State::Error | State::Outdated => return None,
            State::Waiting if self.is_download => {
                let since = self.waits.take().map_or(now, |(since, _)| since);
                self.waits = Some((since, reason()));
            }
            _ => {}
        }
        let has_ended = match self.standstill? {
            Standstill::Paused => true,
            Standstill::Waiting | Standstill::Failed => {
                matches!(status.state, State::Downloading | State::Seeding)
            }
            Standstill::Outdated => {
                self.standstill.take_if(|_| status.state == State::Seeding); // that is no event
                false
            }
            Standstill::Stalled => false, // bytes end it
        };
        has_ended.then(|| {
            self.standstill = None;
            FileEvent::Resumed
        })
    }
}

fn complete(doing: &Doing) -> FileEvent {
    let bytes = doing.status.bytes_total.unwrap_or(doing.status.bytes_have);
    match doing.fetched {
        Some(fetched) => FileEvent::Complete {
            bytes: fetched.bytes,
            received: fetched.bytes_fetched,
            took_ms: u64::try_from(fetched.took.as_millis()).unwrap_or(u64::MAX),
            sources: fetched.peers,
            reused: fetched.reused.bytes,
            chunks_reused: fetched.reused.chunks,
        },
        None => {
            FileEvent::Complete { bytes, received: 0, took_ms: 0, sources: 0, reused: 0, chunks_reused: 0 }
        }
    }
}

fn cut(reason: &str) -> String {
    match reason.len() > REASON_BYTES_MAX {
        true => format!("{}…", &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]),
        false => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
