//! The questions that ttctl asks trackers through this daemon: `ttctl tracker`, `fleet`, `wait` and `doctor`. Each goes
//! to the tracker that the caller names, or to the first of the daemon's own trackers that answers, over a connection
//! of its own. Neither the driver nor the announcing waits for it.

use super::quota::{Permit, Quota};
use crate::inbox::{Configured, Context};
use crate::tracker::Trouble;
use crate::tracker::asker::{Asker, NoAnswer};
use crate::tracker::pages::{self, OutOfOrder};
use crate::tracker::session::{CALL_TIMEOUT, Session};
use shared::host::clock::now_ms;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::{
    ControlError, ErrorKind, Page, SOFTWARE_CHARS_MAX, TrackerAnswer, TrackerExamined,
};
use shared::rpc::tracker::{
    CANDIDATES_MAX, Fleet, FleetPlace, ListEntry, Lookup, PEERS_MAX, PeerEntry, ResourceEntry, TrackerError,
};
use shared::rpc::wire::CallError;
use shared::url::TrackerUrl;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::timeout_at;

/// How many questions of one user run at once; further ones wait. Each needs a connection.
const QUESTIONS_EACH_MAX: usize = 4;

/// How many questions of all users together run at once; further ones wait in the order in which they came.
const QUESTIONS_MAX: usize = 32;

/// How many of the daemon's own trackers are tried in turn. Further ones are not asked: with more of them none would
/// have enough of [`ANSWER_WITHIN`].
const TRACKERS_MAX: usize = 16;

/// How long a question may take in all: waiting for its turn and trying all trackers. Then it fails with
/// [`ErrorKind::TimedOut`] or [`ErrorKind::Unreachable`]. ttctl waits longer than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// The result of a call to a tracker.
type Called<T> = Result<Result<T, TrackerError>, CallError>;

/// Asks trackers on behalf of callers.
#[derive(Debug)]
pub struct Questions {
    asker: Arc<Asker>,
    /// The current configuration.
    configured: watch::Receiver<Configured>,
    each: Arc<Quota>,
    room: Semaphore,
}

impl Questions {
    /// No question is open yet.
    pub fn new(context: Arc<Context>, configured: watch::Receiver<Configured>) -> Arc<Questions> {
        Arc::new(Questions {
            asker: Asker::new(context),
            configured,
            each: Quota::new(QUESTIONS_EACH_MAX),
            room: Semaphore::new(QUESTIONS_MAX),
        })
    }

    /// A page of a tracker's catalogue.
    ///
    /// # Errors
    /// See [`Questions::ask`]; also when the tracker answers out of order.
    pub async fn list(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        after: Option<ResourceName>,
    ) -> Result<TrackerAnswer<Page<ListEntry, ResourceName>>, ControlError> {
        let question = |session: Arc<Session>| {
            let after = after.clone();
            async move { session.caller.list(after, CALL_TIMEOUT).await }
        };
        let TrackerAnswer { tracker, answer: entries } = self.ask(uid, tracker, question).await?;
        match pages::next_of_list(after.as_ref(), &entries) {
            Ok(next) => Ok(TrackerAnswer { tracker, answer: Page { entries, next } }),
            Err(OutOfOrder) => Err(nonsense(&tracker)),
        }
    }

    /// The catalogue's entries for a name or a resource.
    ///
    /// # Errors
    /// See [`Questions::ask`]; also when the tracker answers with entries for something else.
    pub async fn find(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        what: Lookup,
    ) -> Result<TrackerAnswer<Vec<ListEntry>>, ControlError> {
        let question = |session: Arc<Session>| {
            let what = what.clone();
            async move { session.caller.find(what, CALL_TIMEOUT).await }
        };
        let found = self.ask(uid, tracker, question).await?;
        let fits = |entry: &ListEntry| match &what {
            Lookup::Name(name) => entry.publication.name == *name,
            Lookup::Resource(id) => entry.publication.key.resource == *id,
        };
        match found.answer.len() <= CANDIDATES_MAX && found.answer.iter().all(fits) {
            true => Ok(found),
            false => Err(nonsense(&found.tracker)),
        }
    }

    /// Peers of a resource.
    ///
    /// # Errors
    /// See [`Questions::ask`]; also when the tracker names more than it may.
    pub async fn peers(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        resource: ResourceId,
    ) -> Result<TrackerAnswer<Vec<PeerEntry>>, ControlError> {
        let question =
            |session: Arc<Session>| async move { session.caller.peers_of(resource, CALL_TIMEOUT).await };
        let found = self.ask(uid, tracker, question).await?;
        match found.answer.len() <= PEERS_MAX {
            true => Ok(found),
            false => Err(nonsense(&found.tracker)),
        }
    }

    /// A page of the resources of a peer.
    ///
    /// # Errors
    /// See [`Questions::ask`]; also when the tracker answers out of order.
    pub async fn resources(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<TrackerAnswer<Page<ResourceEntry, SwarmKey>>, ControlError> {
        let question = |session: Arc<Session>| async move {
            session.caller.resources_of(peer, after, CALL_TIMEOUT).await
        };
        let TrackerAnswer { tracker, answer: entries } = self.ask(uid, tracker, question).await?;
        match pages::next_of_resources(after.as_ref(), &entries) {
            Ok(next) => Ok(TrackerAnswer { tracker, answer: Page { entries, next } }),
            Err(OutOfOrder) => Err(nonsense(&tracker)),
        }
    }

    /// A page of the machines that were seen with a resource, or with what a name means.
    ///
    /// # Errors
    /// See [`Questions::ask`]; also when the tracker answers out of order.
    pub async fn fleet(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        what: Lookup,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<TrackerAnswer<Fleet>, ControlError> {
        let question = |session: Arc<Session>| {
            let what = what.clone();
            async move { session.caller.fleet(what, after, machines_max, CALL_TIMEOUT).await }
        };
        let found = self.ask(uid, tracker, question).await?;
        match pages::check_fleet(after.as_ref(), machines_max, &found.answer) {
            Ok(()) => Ok(found),
            Err(OutOfOrder) => Err(nonsense(&found.tracker)),
        }
    }

    /// Whether and how fast a tracker answers, and the time of its clock.
    ///
    /// # Errors
    /// See [`Questions::ask`].
    pub async fn examine(&self, uid: u32, tracker: TrackerUrl) -> Result<TrackerExamined, ControlError> {
        self.asker.forget(&tracker); // what it says at hello must be of this moment
        let examined = self.ask(uid, Some(tracker), examine).await?;
        Ok(examined.answer)
    }

    /// Waits for a turn and asks.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when no tracker answers, [`ErrorKind::Refused`] when one refuses to,
    /// [`ErrorKind::Usage`] when there is none, [`ErrorKind::TimedOut`] when there was no turn in time.
    async fn ask<T, F: Future<Output = Called<T>>>(
        &self,
        uid: u32,
        tracker: Option<TrackerUrl>,
        question: impl Fn(Arc<Session>) -> F,
    ) -> Result<TrackerAnswer<T>, ControlError> {
        let until = tokio::time::Instant::now() + ANSWER_WITHIN;
        let turn = timeout_at(until, self.turn(uid)).await;
        let _turn = turn.map_err(|_| ControlError {
            kind: ErrorKind::TimedOut,
            message: format!("ttd was busy with other tracker queries for {} s", ANSWER_WITHIN.as_secs()),
            hint: Some("try again when fewer commands wait for trackers".to_owned()),
        })?;
        let trackers = match tracker {
            Some(url) => vec![url],
            None => self.configured.borrow().trackers.clone(),
        };
        self.ask_first(&trackers, until, question).await
    }

    async fn turn(&self, uid: u32) -> (Permit, Option<SemaphorePermit<'_>>) {
        (self.each.turn(uid).await, self.room.acquire().await.ok()) // the semaphore is never closed
    }

    /// Asks one tracker after another until one can be reached and answers in time. The remaining time is divided among
    /// the remaining trackers, so that trackers that hang do not use up the time of one that would answer.
    async fn ask_first<T, F: Future<Output = Called<T>>>(
        &self,
        trackers: &[TrackerUrl],
        until: tokio::time::Instant,
        question: impl Fn(Arc<Session>) -> F,
    ) -> Result<TrackerAnswer<T>, ControlError> {
        let begin = tokio::time::Instant::now();
        let tried = &trackers[..trackers.len().min(TRACKERS_MAX)];
        let (mut first, mut is_late) = (None, false);
        for (url, left) in tried.iter().zip((1..=tried.len() as u32).rev()) {
            let now = tokio::time::Instant::now();
            let share = until.saturating_duration_since(now) / left;
            match timeout_at(now + share, self.asker.ask(url, &question)).await {
                Ok(Ok(answer)) => return Ok(TrackerAnswer { tracker: url.clone(), answer }),
                Ok(Err(NoAnswer::NotOpened(trouble))) => first = first.or(Some(not_opened(url, trouble))),
                Ok(Err(NoAnswer::Failed(late @ CallError::TimedOut))) => {
                    first = first.or(Some(failed(url, &late)))
                }
                Ok(Err(NoAnswer::Failed(error))) => return Err(failed(url, &error)),
                Ok(Err(NoAnswer::Refused(refused))) => {
                    let message = format!("{url}: {refused}");
                    return Err(ControlError { kind: ErrorKind::Refused, message, hint: None });
                }
                Err(_) => is_late = true,
            }
        }
        if is_late {
            return Err(no_answer(tried, begin.elapsed()));
        }
        Err(first.unwrap_or_else(|| ControlError {
            kind: ErrorKind::Usage,
            message: "no tracker is configured".to_owned(),
            hint: Some("name one with --tracker tt://HOST, or set `trackers` in ttd.toml".to_owned()),
        }))
    }
}

async fn examine(session: Arc<Session>) -> Called<TrackerExamined> {
    let (asked_ms, begin) = (now_ms(), Instant::now());
    let clock = session.caller.clock(CALL_TIMEOUT).await?;
    let round_trip_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    let answered_ms = now_ms();
    Ok(clock.map(|clock_ms| TrackerExamined {
        version: session.welcome.version,
        software: session.welcome.software.chars().take(SOFTWARE_CHARS_MAX).collect(),
        is_local: session.is_local,
        round_trip_us,
        clock_ms,
        asked_ms,
        answered_ms,
        of_our_node: session.welcome.of_your_node,
    }))
}

/// The error when no tracker answered and at least one used up its time.
fn no_answer(tried: &[TrackerUrl], waited: Duration) -> ControlError {
    let tried: Vec<&str> = tried.iter().map(TrackerUrl::as_str).collect();
    let message = format!("no answer from {} within {} s", tried.join(", "), waited.as_secs());
    unreachable(message, "check that tt-tracker runs there and that its port is open")
}

fn not_opened(url: &TrackerUrl, trouble: Trouble) -> ControlError {
    match trouble {
        Trouble::Unreachable(why) => unreachable(
            format!("tracker {url} unreachable ({why})"),
            "check that tt-tracker runs there and that its port is open",
        ),
        Trouble::Barred(why, hint) => unreachable(format!("tracker {url} unreachable ({why})"), hint),
        Trouble::Nonsense(why) => unreachable(
            format!("tracker {url} sends invalid answers ({why})"),
            "it may be a different program, or a tt-tracker of a different version",
        ),
        Trouble::Refuses(why) => {
            ControlError { kind: ErrorKind::Refused, message: format!("{url}: {why}"), hint: None }
        }
    }
}

/// The error when a connected tracker gave no answer.
fn failed(url: &TrackerUrl, error: &CallError) -> ControlError {
    let again = "try again in a moment";
    match error {
        CallError::TimedOut => unreachable(format!("{url} does not respond"), again),
        CallError::Closed => unreachable(
            format!("{url} closed the connection"),
            "it may have been restarted; try again in a moment",
        ),
        CallError::Refused => unreachable(format!("{url} is too busy"), again),
        CallError::WrongReply | CallError::Failed(_) => ControlError {
            kind: ErrorKind::Internal,
            message: format!("{url} failed to answer: {error}"),
            hint: Some("it may be a different program, or a tt-tracker of a different version".to_owned()),
        },
    }
}

fn nonsense(url: &TrackerUrl) -> ControlError {
    ControlError {
        kind: ErrorKind::Internal,
        message: format!("{url} sends its answers out of order"),
        hint: Some("it may be a different program".to_owned()),
    }
}

fn unreachable(message: String, hint: &str) -> ControlError {
    ControlError { kind: ErrorKind::Unreachable, message, hint: Some(hint.to_owned()) }
}

#[cfg(test)]
mod tests;
