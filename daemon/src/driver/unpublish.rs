//! Unpublishes names that this machine has published: trackers drop the name, while the file stays and is served to
//! peers that have begun to fetch it.

use super::Driver;
use super::share::TRACKERS_WITHIN;
use crate::inbox::Reply;
use crate::jobs;
use crate::tracker::{NotPublished, TrackerCommand};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{self, ControlError, ErrorKind};
use shared::rpc::tracker::{Unpublish, UnpublishReply};
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;
use tokio::sync::oneshot;

/// A tracker's answer that the request waits for.
struct Awaited {
    name: ResourceName,
    tracker: TrackerUrl,
    answer: oneshot::Receiver<Result<UnpublishReply, NotPublished>>,
}

impl Driver {
    /// Unpublishes all names that `what` means, until they are shared again.
    pub(super) fn unpublish(&mut self, what: &str, by: &WantedBy, reply: Reply<control::Unpublished>) {
        let found = match self.published_here(what) {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let mut awaited = Vec::new();
        for (name, key) in &found {
            let Some(resource) = self.library.get_mut(*key) else { continue };
            let records = resource.record.names.iter_mut().filter(|record| record.name == *name);
            records.for_each(|record| record.taken_back = true);
            self.saver.save(&resource.slot, &resource.record);
            resource.standings.clear(); // they describe publications that end now
            let trackers = resource.trackers();
            for tracker in trackers {
                let (waiting, answer) = oneshot::channel();
                let command =
                    TrackerCommand::Unpublish(*key, name.clone(), Unpublish::TakeBack, Some(waiting));
                self.trackers.command(&self.context, &tracker, command);
                awaited.push(Awaited { name: name.clone(), tracker, answer });
            }
            self.announce(*key);
            tracing::info!(%name, id = %key.resource, user = %by, "unpublished");
        }
        self.changed();
        let (names, saved) = (found.into_iter().map(|(name, _)| name).collect(), self.saver.idle());
        jobs::spawn(async move {
            saved.await;
            let _ = reply.send(Ok(heard(names, awaited).await));
        });
    }

    /// Tells the trackers that a name was removed here. They drop it unless other machines have the resource.
    pub(super) fn leave_catalogues(&mut self, key: SwarmKey, name: &ResourceName, trackers: &[TrackerUrl]) {
        for tracker in trackers {
            let command = TrackerCommand::Unpublish(key, name.clone(), Unpublish::IfUnused, None);
            self.trackers.command(&self.context, tracker, command);
        }
    }

    /// All names that `what` means. An error if one of them was not shared from this machine.
    fn published_here(&self, what: &str) -> Result<Vec<(ResourceName, SwarmKey)>, ControlError> {
        let found = self.some(what)?;
        let is_origin =
            |(_, key): &&(ResourceName, SwarmKey)| self.library.get(*key).is_some_and(|it| it.record.origin);
        match found.iter().find(|name| !is_origin(name)) {
            None => Ok(found),
            Some((name, _)) => Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("{name} was not shared from this machine"),
                hint: Some("unpublish it on the machine that shared it".to_owned()),
            }),
        }
    }
}

/// Collects the trackers' answers that come in time.
async fn heard(names: Vec<ResourceName>, awaited: Vec<Awaited>) -> control::Unpublished {
    let until = tokio::time::Instant::now() + TRACKERS_WITHIN;
    let (mut warnings, mut kept) = (Vec::new(), Vec::new());
    for Awaited { name, tracker, answer } in awaited {
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(Ok(UnpublishReply::Unpublished | UnpublishReply::InUse))) => {}
            Ok(Ok(Ok(UnpublishReply::SharedBy(other)))) => {
                let why = format!("{name} is still published at {tracker}: {other} shares the same file");
                kept.push((name, why));
            }
            Ok(Ok(Err(NotPublished::Refused(why)))) => {
                let why = format!("{name} is still published at {tracker}: {why}");
                kept.push((name, why));
            }
            Ok(Ok(Err(NotPublished::Later(why)))) => {
                warnings
                    .push(format!("{tracker}: {why}; {name} will be unpublished there when it is reachable"));
            }
            Ok(Ok(Err(NotPublished::Standing(_))) | Err(_)) | Err(_) => {
                let why = "no answer in time";
                warnings
                    .push(format!("{tracker}: {why}; {name} will be unpublished there when it is reachable"));
            }
        }
    }
    control::Unpublished { names, warnings, kept }
}
