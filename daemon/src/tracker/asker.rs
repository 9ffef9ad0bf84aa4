//! Asks trackers on behalf of callers such as ttctl. These connections are apart from those that announce, and their
//! hello says that the daemon only asks. A connection serves one question at a time and is kept for a moment
//! afterwards.

use super::health::Trouble;
use super::idle::Idle;
use super::session::Session;
use crate::inbox::Context;
use crate::jobs;
use shared::rpc::tracker::TrackerError;
use shared::rpc::wire::CallError;
use shared::url::TrackerUrl;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// Why a tracker gave no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The connection could not be opened.
    NotOpened(Trouble),
    /// The connection failed before the answer.
    Failed(CallError),
    /// The tracker refused the question.
    Refused(TrackerError),
}

/// Opens and keeps these connections.
#[derive(Debug)]
pub struct Asker {
    context: Arc<Context>,
    idle: Mutex<Idle<Arc<Session>>>,
}

impl Asker {
    /// For questions from this daemon's address.
    pub fn new(context: Arc<Context>) -> Arc<Asker> {
        Arc::new(Asker { context, idle: Mutex::new(Idle::new()) })
    }

    /// Asks a tracker. The question may be sent twice, because a kept connection may turn out to be dead.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask<T, F>(
        self: &Arc<Asker>,
        url: &TrackerUrl,
        question: impl Fn(Arc<Session>) -> F,
    ) -> Result<T, NoAnswer>
    where
        F: Future<Output = Result<Result<T, TrackerError>, CallError>>,
    {
        let kept = self.idle().take(Instant::now(), url);
        if let Some(session) = kept.filter(|session| !session.is_ended()) {
            match question(session.clone()).await {
                Err(CallError::Closed | CallError::TimedOut) => {}
                answer => return self.answered(url, session, answer),
            }
        }
        let session = Session::open_to_ask(&self.context, url).await.map_err(NoAnswer::NotOpened)?;
        let session = Arc::new(session);
        let answer = question(session.clone()).await;
        self.answered(url, session, answer)
    }

    /// Keeps the connection if it still works.
    fn answered<T>(
        self: &Arc<Asker>,
        url: &TrackerUrl,
        session: Arc<Session>,
        answer: Result<Result<T, TrackerError>, CallError>,
    ) -> Result<T, NoAnswer> {
        let answer = answer.map_err(NoAnswer::Failed)?;
        if self.idle().keep(Instant::now(), url, session) {
            jobs::spawn(close_in_time(Arc::downgrade(self)));
        }
        answer.map_err(NoAnswer::Refused)
    }

    /// Closes the kept connection to a tracker, so that the next question is asked on a new one.
    pub fn forget(&self, url: &TrackerUrl) {
        let _ = self.idle().take(Instant::now(), url);
    }

    fn idle(&self) -> MutexGuard<'_, Idle<Arc<Session>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes kept connections when their time is over, until none is left.
async fn close_in_time(asker: Weak<Asker>) {
    while let Some(until) = asker.upgrade().and_then(|asker| asker.idle().expire(Instant::now())) {
        tokio::time::sleep_until(until.into()).await;
    }
}
