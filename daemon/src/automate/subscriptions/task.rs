//! Asks trackers what changed, and has the driver fetch what subscriptions want. What happens is decided in `machine` and
//! `follow`.

use super::known::{Known, Version};
use super::machine::{Ended, Order, Subscriptions};
use super::report::{Followed, report};
use super::rules::{Rule, Rules};
use crate::entropy;
use crate::inbox::{Configured, Context, Requests, Wanted};
use crate::jobs;
use crate::store::Home;
use crate::tracker::lookup::{self, Miss};
use crate::tracker::session::{CALL_TIMEOUT, Session};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use shared::host::clock::now_ms;
use shared::rpc::control::{ControlError, State, SubscriptionStatus};
use shared::rpc::tracker::{CHANGES_MAX, CataloguePlace, Changes, Lookup, TrackerCaller};
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// While nothing is due, the task wakes up after this; any long time would do.
const IDLE: Duration = Duration::from_secs(600);
/// How long the number of downloads in progress is used before they are counted again.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// The subscriptions of this machine. Clones share them.
#[derive(Debug, Clone)]
pub struct SubscriptionsHandle {
    context: Arc<Context>,
    home: Arc<Home>,
    state: Arc<Mutex<Followed>>,
}

/// Work that came to its end.
enum Done {
    Asked {
        tracker: TrackerUrl,
        since: CataloguePlace,
        answer: Result<Changes, String>,
        /// The connection, if it is our own.
        session: Option<Arc<Session>>,
    },
    Fetched(Order, Ended),
}

impl SubscriptionsHandle {
    /// The subscriptions of the daemon with this shared directory. They begin with [`run`](SubscriptionsHandle::run).
    pub fn new(context: Arc<Context>, home: Arc<Home>) -> SubscriptionsHandle {
        SubscriptionsHandle { context, home, state: Arc::default() }
    }

    /// What is subscribed to, and how far it is.
    ///
    /// # Errors
    /// When ttd is stopping.
    pub async fn report(&self) -> Result<Vec<SubscriptionStatus>, ControlError> {
        let resources = Requests::new(&self.context).status(None).await?;
        Ok(report(&self.state(), &resources))
    }

    /// Follows the trackers of all rules, as long as ttd runs.
    pub async fn run(self, mut configured: watch::Receiver<Configured>) {
        let home = self.home.clone();
        let read = jobs::run(move || home.fetched_versions()).await;
        let known = match read {
            Ok(Ok(taken)) => taken.into_iter().collect(),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot read which versions subscriptions fetched: removed ones may come back");
                Known::default()
            }
            Err(_) => return, // ttd is stopping
        };
        self.state().subscriptions = Subscriptions::new(known);
        let mut running = Running {
            handle: self,
            work: FuturesUnordered::new(),
            sessions: BTreeMap::new(),
            downloads: None,
            is_unsaved: false,
        };
        let context = running.handle.context.clone();
        running.configure(&configured.borrow_and_update());
        loop {
            running.begin().await;
            let pause = running.pause();
            tokio::select! {
                Some(done) = running.work.next() => running.done(done),
                heard = context.catalogues.heard(), if running.follows() => running.heard(&heard),
                changed = configured.changed() => match changed {
                    Ok(()) => running.configure(&configured.borrow_and_update()),
                    Err(_) => return, // ttd is stopping
                },
                () = tokio::time::sleep(pause) => {}
            }
            while let Some(Some(done)) = running.work.next().now_or_never() {
                running.done(done);
            }
            running.save().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Followed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running task.
struct Running {
    handle: SubscriptionsHandle,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Our own connections to trackers to which nothing is announced.
    sessions: BTreeMap<TrackerUrl, Arc<Session>>,
    /// How many downloads of subscriptions are in progress, and when they were counted.
    downloads: Option<(Instant, usize)>,
    /// Whether more versions were fetched than are noted on the disk.
    is_unsaved: bool,
}

impl Running {
    fn configure(&mut self, configured: &Configured) {
        let rules = configured.subscribe.iter().map(|(rule, place)| Rule {
            names: rule.names.clone(),
            trackers: rule.trackers.clone(),
            place: place.clone(),
        });
        let rules = Rules::new(rules.collect(), configured.trackers.clone());
        let mut state = self.handle.state();
        if *state.subscriptions.rules() == rules {
            return;
        }
        let trackers: BTreeSet<TrackerUrl> = rules.trackers().into_iter().cloned().collect();
        self.sessions.retain(|url, _| trackers.contains(url));
        state.follow.begin(Instant::now(), &trackers.iter().collect());
        state.subscriptions.configure(rules);
    }

    fn follows(&self) -> bool {
        self.handle.state().follow.due().is_some()
    }

    /// Begins the work that is due.
    async fn begin(&mut self) {
        let now = Instant::now();
        loop {
            let asked = self.handle.state().follow.ask(now);
            let Some((tracker, since)) = asked else { break };
            let (context, session) = (self.handle.context.clone(), self.sessions.remove(&tracker));
            self.work.push(Box::pin(ask(context, tracker, since, session)));
        }
        let is_due = self.handle.state().subscriptions.next(now, 0).is_some_and(|due| due <= now);
        if !is_due {
            return;
        }
        let downloads = self.downloads(now).await;
        loop {
            let order = self.handle.state().subscriptions.order(now, downloads);
            let Some(order) = order else { break };
            let handle = self.handle.clone();
            self.work.push(Box::pin(async move {
                let ended = handle.fetch(&order).await;
                Done::Fetched(order, ended)
            }));
        }
    }

    /// How many downloads of subscriptions are in progress.
    async fn downloads(&mut self, now: Instant) -> usize {
        if let Some((at, downloads)) = self.downloads
            && now.saturating_duration_since(at) < COUNTED_FOR
        {
            return downloads;
        }
        let resources = Requests::new(&self.handle.context).status(None).await.unwrap_or_default();
        let is_ours = |by: &WantedBy| matches!(by, WantedBy::Subscription(_));
        let in_progress = resources.iter().filter(|resource| {
            matches!(resource.state, State::Downloading | State::Checking)
                && resource.wanted_by.iter().any(is_ours)
        });
        let downloads = in_progress.count();
        self.downloads = Some((now, downloads));
        downloads
    }

    /// How long until something becomes due.
    fn pause(&self) -> Duration {
        let (now, state) = (Instant::now(), self.handle.state());
        let downloads = self.downloads.map_or(0, |(_, downloads)| downloads);
        let due = state.follow.due().into_iter().chain(state.subscriptions.next(now, downloads)).min();
        due.map_or(IDLE, |due| due.saturating_duration_since(now))
    }

    fn heard(&mut self, places: &[(TrackerUrl, CataloguePlace)]) {
        let (now, mut state) = (Instant::now(), self.handle.state());
        for (url, place) in places {
            state.follow.heard(now, url, *place, entropy::random());
        }
    }

    fn done(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Asked { tracker, since, answer, session } => {
                self.asked(now, &tracker, since, answer);
                if let Some(session) = session {
                    self.sessions.insert(tracker, session);
                }
            }
            Done::Fetched(order, ended) => {
                if let (Ended::Fetched(_), Some((_, downloads))) = (&ended, &mut self.downloads) {
                    *downloads += 1;
                }
                log(&order, &ended, self.handle.state().subscriptions.error_of(&order.name));
                self.is_unsaved |= self.handle.state().subscriptions.ended(now, &order, ended);
            }
        }
    }

    fn asked(
        &mut self,
        now: Instant,
        tracker: &TrackerUrl,
        since: CataloguePlace,
        answer: Result<Changes, String>,
    ) {
        let mut state = self.handle.state();
        match answer {
            Ok(mut changes) => {
                if state.follow.error(tracker).is_some() {
                    tracing::info!(%tracker, "subscriptions: the tracker answers again");
                }
                changes.changes.truncate(CHANGES_MAX);
                if state.follow.answered(now, tracker, since, &changes, entropy::random()) {
                    let latest_ms = changes.now_ms.max(now_ms());
                    self.is_unsaved |= state.subscriptions.told(now, tracker, latest_ms, &changes.changes);
                }
            }
            Err(why) => {
                if state.follow.error(tracker).is_none() {
                    tracing::warn!(%tracker, error = %why, "subscriptions: the tracker does not say what changed; asking again");
                }
                state.follow.failed(now, tracker, why, entropy::random());
            }
        }
    }

    /// Notes which versions were fetched.
    async fn save(&mut self) {
        if !std::mem::take(&mut self.is_unsaved) {
            return;
        }
        let (home, fetched) =
            (self.handle.home.clone(), self.handle.state().subscriptions.known().in_order());
        let kept = jobs::run(move || home.keep_fetched_versions(fetched)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(%error, "cannot note which versions subscriptions fetched: after a restart, removed ones may come back");
        }
    }
}

/// Asks a tracker what changed.
async fn ask(
    context: Arc<Context>,
    tracker: TrackerUrl,
    since: CataloguePlace,
    session: Option<Arc<Session>>,
) -> Done {
    let question =
        async |caller: TrackerCaller| match caller.changes(since, CHANGES_MAX as u32, CALL_TIMEOUT).await {
            Ok(Ok(changes)) => Ok(changes),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
    // Over the connection that announces, if there is one.
    if let Some(caller) = context.catalogues.caller(&tracker) {
        let answer = question(caller).await;
        return Done::Asked { tracker, since, answer, session: None };
    }
    let session = match session.filter(|session| !session.is_ended()) {
        Some(session) => Ok(session),
        None => Session::open_to_ask(&context, &tracker).await.map(Arc::new),
    };
    match session {
        Ok(session) => {
            let answer = question(session.caller.clone()).await;
            let session = answer.is_ok().then_some(session);
            Done::Asked { tracker, since, answer, session }
        }
        Err(trouble) => Done::Asked { tracker, since, answer: Err(trouble.to_string()), session: None },
    }
}

impl SubscriptionsHandle {
    /// Has a version fetched: that which the tracker publishes now under its name, with a signature that the rules accept.
    async fn fetch(&self, order: &Order) -> Ended {
        let what = Lookup::Name(order.name.clone());
        let trackers = [order.tracker.clone()];
        let hit = match lookup::find(&self.context, &trackers, &what, &BTreeSet::new(), false).await {
            Ok(hit) => hit,
            Err(Miss::Unknown) => return Ended::Nothing,
            Err(miss) => return Ended::Failed(why(miss)),
        };
        let key = hit.manifest.key();
        let version = match key == order.version.key {
            true => order.version,
            false => Version { key, shared_at_ms: hit.shared_at_ms },
        };
        if !self.state().subscriptions.is_news(&order.name, version) {
            return Ended::Nothing;
        }
        let by = WantedBy::Subscription(order.pattern.clone());
        match Requests::new(&self.context).get(Wanted::found(hit, true, Some(by))).await {
            Ok(_) => Ended::Fetched(version),
            Err(error) => Ended::Failed(error.message),
        }
    }
}

/// Why a name could not be looked up.
fn why(miss: Miss) -> String {
    match miss {
        Miss::Unknown => "the tracker does not know it".to_owned(),
        Miss::Unreachable(silent) => match silent.first() {
            Some((url, trouble)) => format!("tracker {url} unreachable ({trouble})"),
            None => "the tracker did not answer".to_owned(),
        },
        Miss::Bad(url, why) => format!("{url} sent an invalid manifest: {why}"),
        Miss::NotTrusted(why) => why.error().message,
        Miss::NotAllowed(url, why) => format!("{url}: {why}"),
    }
}

/// Says in the log how an order ended. A failure is said once, until its reason changes.
fn log(order: &Order, ended: &Ended, known: Option<&str>) {
    let Order { name, tracker, pattern, .. } = order;
    match ended {
        Ended::Fetched(version) => {
            tracing::info!(%name, id = %version.key, %tracker, "subscription {pattern}: a new version");
        }
        Ended::Failed(why) if known != Some(why) => {
            tracing::warn!(%name, %tracker, error = %why, "subscription {pattern}: a new version cannot be fetched yet");
        }
        _ => {}
    }
}
