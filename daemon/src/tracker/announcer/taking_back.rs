//! Unpublishes names at the tracker: one call at a time, and not while a call publishes the same resource.

use super::super::entry::{AnnouncedEntry, NotPublished};
use super::super::health::Trouble;
use super::super::session::{CALL_TIMEOUT, Session};
use super::{Announcer, Answered, Calls};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{TrackerError, UnpublishReply};
use shared::rpc::wire::CallError;

impl Announcer {
    /// The entry of a resource is new or has changed: adds the names that were unpublished since.
    pub(super) fn tell_taken_back(&mut self, key: SwarmKey, entry: &AnnouncedEntry) {
        let known =
            self.entries.get(&key).map(|announced| &announced.entry.taken_back[..]).unwrap_or_default();
        for name in entry.taken_back.iter().filter(|name| !known.contains(name)) {
            self.unpublish.tell_again(key, name);
        }
    }

    pub(super) fn begin_taking_back(&mut self, session: &Session, calls: &mut Calls) {
        // A tracker that has forgotten who shared it believes only machines that it knows to have the resource.
        let is_known = |key| self.entries.get(&key).is_none_or(|announced| announced.is_known);
        let may = |key| is_known(key) && !self.publications.is_under_way(key);
        let Some((key, name, how)) = self.unpublish.next(may).filter(|_| !calls.taking_back) else { return };
        let (caller, name) = (session.caller.clone(), name.clone());
        calls.taking_back = true;
        calls.all.push(Box::pin(async move {
            let answer = caller.unpublish(name.clone(), key, how, CALL_TIMEOUT).await;
            Answered::Unpublish(key, name, answer)
        }));
    }

    /// Handles the tracker's answer. If there is none, the next connection tells the tracker again.
    pub(super) fn taken_back(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        answer: Result<Result<UnpublishReply, TrackerError>, CallError>,
    ) -> Result<(), Trouble> {
        let answer = answer?;
        tracing::debug!(%name, id = %key.resource, tracker = %self.url, ?answer, "asked the tracker to unpublish");
        self.unpublish.answered(key, name, answer.map_err(|error| NotPublished::Refused(error.to_string())));
        Ok(())
    }
}
