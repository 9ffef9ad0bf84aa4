//! Watches the shared directory: what is put into it is shared. [`Arrivals`] decides; this task listens to the kernel,
//! looks at the directory and asks the driver. A scan is the truth, and events only make it quicker.

use super::arrivals::{Arrivals, Counts};
use super::entry::{Job, Outcome};
use super::look::{BAD_MAX, Listing, Named, list, look, named};
use super::notice::{Events, Noticed};
use super::seen::{Print, Sight};
use crate::inbox::{Configured, Context, Requests, ToShare, WatchSettings};
use crate::jobs;
use crate::store::{Home, WatchedTree};
use futures::future::{BoxFuture, FutureExt, OptionFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use shared::host::config::{Glob, WatchMode};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, NotShared, TaskId, TaskState, WatchState};
use shared::tree::{Symlinks, TreeName, TreeOptions};
use shared::wanted::WantedBy;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Limits the names that are looked at at once, on one blocking thread.
const LOOKS_MAX: usize = 1024;

/// How often the state of the watch is published while it changes.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// Limits the names that cannot be shared of which the state tells. The others are counted.
const REFUSED_MAX: usize = 20;

/// Limits the shares that wait for their trackers, so that there are always tasks left for people. The next file waits.
const ANNOUNCING_MAX: usize = 256;

/// How long one question for the end of a task waits.
const TASK_WAIT: Duration = Duration::from_secs(60);

/// What becomes part of a directory, as with `ttctl share` without options.
const TREES: TreeOptions = TreeOptions { symlinks: Symlinks::Inside, skip_special: false, has_times: true };

/// Watches the shared directory as the configuration says, until it is dropped.
pub async fn watch(context: Arc<Context>, home: Arc<Home>, mut configured: watch::Receiver<Configured>) {
    loop {
        let settings = configured.borrow_and_update().watch.clone();
        if settings.mode != WatchMode::Off {
            Watch::new(&context, &home, settings).run(&mut configured).await;
            context.watching.send_replace(None);
        }
        if configured.changed().await.is_err() {
            return; // ttd stops
        }
    }
}

struct Watch {
    context: Arc<Context>,
    requests: Requests,
    home: Arc<Home>,
    settings: WatchSettings,
    arrivals: Arrivals,
    /// `None` while there are none; then `scans_only` says why.
    events: Option<Events>,
    scans_only: Option<String>,
    scan_at: Instant,
    /// The job that runs, with its name.
    job: Option<BoxFuture<'static, (ResourceName, Outcome, Option<TaskId>)>>,
    /// Shares whose trackers have not all answered.
    announcing: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Why nothing is shared now.
    waits: Option<String>,
    /// The directories that are written down as shared.
    kept: Vec<WatchedTree>,
    /// Names that no resource can have, as the last scan found them.
    bad: Vec<(String, String)>,
    bad_count: usize,
    /// Whether the published state is out of date, and when it was published.
    is_news: bool,
    reported_at: Option<Instant>,
    has_told_of_too_many: bool,
}

impl Watch {
    fn new(context: &Arc<Context>, home: &Arc<Home>, settings: WatchSettings) -> Watch {
        let now = Instant::now();
        Watch {
            context: context.clone(),
            requests: Requests::new(context),
            home: home.clone(),
            arrivals: Arrivals::new(settings.settle),
            settings,
            events: None,
            scans_only: None,
            scan_at: now,
            job: None,
            announcing: FuturesUnordered::new(),
            waits: None,
            kept: Vec::new(),
            bad: Vec::new(),
            bad_count: 0,
            is_news: true,
            reported_at: None,
            has_told_of_too_many: false,
        }
    }

    /// Watches until the configuration says that nothing is to be watched.
    async fn run(mut self, configured: &mut watch::Receiver<Configured>) {
        tracing::info!(directory = %self.home.folder().display(), "what is put into the directory is shared");
        self.recall_trees().await;
        loop {
            if self.scan_at <= Instant::now() {
                self.scan().await;
            }
            self.look().await;
            let has_no_tracker = configured.borrow().trackers.is_empty();
            self.begin(has_no_tracker).await;
            let wake = self.report_and_wake();
            tokio::select! {
                noticed = next(&mut self.events) => self.noticed(noticed),
                Some(()) = self.announcing.next() => {}
                Some((name, outcome, announcing)) = OptionFuture::from(self.job.as_mut()) => {
                    self.job = None;
                    self.is_news = true;
                    self.announcing.extend(announcing.map(|task| announced(self.requests.clone(), task).boxed()));
                    self.arrivals.ended(Instant::now(), &name, outcome);
                    if self.arrivals.is_tree(&name) {
                        self.keep_trees().await;
                    }
                }
                () = tokio::time::sleep_until(wake.into()) => {}
                changed = configured.changed() => {
                    let settings = configured.borrow_and_update().watch.clone();
                    if changed.is_err() || settings.mode == WatchMode::Off {
                        tracing::info!("the directory is not watched any more");
                        return;
                    }
                    self.configure(settings);
                }
            }
        }
    }

    fn configure(&mut self, settings: WatchSettings) {
        if self.settings == settings {
            return;
        }
        if settings.mode != self.settings.mode {
            self.events = None;
        }
        self.arrivals.set_settle(settings.settle);
        self.settings = settings;
        (self.scan_at, self.is_news) = (Instant::now(), true);
    }

    // -- what lies there

    /// Lists the directory, and asks for events if there are none.
    async fn scan(&mut self) {
        let begin = Instant::now();
        self.open_events();
        let (home, ignore, has_trees) = self.to_look();
        let listed = jobs::run(move || {
            let listing = list(home.folder(), &ignore, has_trees)?;
            // Looked at last: if the directory is there now, what was missing is really missing.
            home.must_be_here().map_err(io::Error::other)?;
            Ok(listing)
        });
        let listed: io::Result<Listing> = listed.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match listed {
            Ok(listing) => {
                self.arrivals.scanned(&listing.sights, listing.more);
                (self.bad, self.bad_count) = (listing.bad, listing.bad_count);
            }
            Err(error) => {
                tracing::debug!(%error, "the shared directory cannot be listed");
                self.events = None; // they may be of a directory that is not there any more
            }
        }
        self.is_news = true;
        // A directory that takes long to list is listed less often.
        self.scan_at = Instant::now() + self.settings.interval.max(begin.elapsed() * 20);
    }

    /// What whoever looks needs.
    fn to_look(&self) -> (Arc<Home>, Vec<Glob>, bool) {
        (self.home.clone(), self.settings.ignore.clone(), self.settings.has_trees)
    }

    fn open_events(&mut self) {
        if self.settings.mode == WatchMode::Scan {
            self.scans_only = Some("watch = \"scan\"".to_owned());
        } else if self.events.is_none() {
            match Events::of(self.home.folder()) {
                Ok(events) => (self.events, self.scans_only) = (Some(events), None),
                Err(why) => {
                    if self.scans_only.as_ref() != Some(&why) {
                        tracing::warn!(error = %why, "changes of the directory are found by scans only");
                    }
                    self.scans_only = Some(why);
                    self.arrivals.lost_events();
                }
            }
        }
    }

    fn noticed(&mut self, noticed: io::Result<Noticed>) {
        let noticed = noticed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the events of the directory cannot be read");
            Noticed { is_over: true, ..Noticed::default() }
        });
        if noticed.is_incomplete || noticed.is_over {
            tracing::info!("events of the directory were lost; it is scanned");
            self.arrivals.lost_events();
            self.scan_at = Instant::now();
        }
        if noticed.is_over {
            self.events = None;
        }
        for (file, heard) in noticed.heard {
            if let Named::Name(name) = named(&file, &self.settings.ignore) {
                self.arrivals.heard(&name, heard);
            }
        }
        self.is_news = true;
    }

    /// Looks at the names that are due.
    async fn look(&mut self) {
        loop {
            let names = self.arrivals.looks(Instant::now(), LOOKS_MAX);
            if names.is_empty() {
                return;
            }
            self.is_news = true;
            self.see(names).await;
        }
    }

    /// Looks at these names. Returns whether the directory is there.
    async fn see(&mut self, names: Vec<ResourceName>) -> bool {
        let (home, ignore, has_trees) = self.to_look();
        let looked = jobs::run(move || {
            let is_ignored = |name: &ResourceName| ignore.iter().any(|glob| glob.matches(name.as_str()));
            let see = |name: ResourceName| {
                let sight =
                    if is_ignored(&name) { Sight::Gone } else { look(home.folder(), &name, has_trees) };
                (name, sight)
            };
            let sights: Vec<(ResourceName, Sight)> = names.into_iter().map(see).collect();
            home.must_be_here().map(|()| sights)
        });
        let now = Instant::now();
        match looked.await {
            Ok(Ok(sights)) => {
                sights.iter().for_each(|(name, sight)| self.arrivals.saw(now, name, *sight));
                true
            }
            // Nothing is gone because the directory is. The next scan has all of these names looked at again.
            Ok(Err(error)) => {
                tracing::debug!(%error, "the shared directory is not there");
                false
            }
            Err(error) => {
                tracing::error!(%error, "cannot look at files of the directory");
                false
            }
        }
    }

    // -- what is done about it

    /// Begins to share or check the next name.
    async fn begin(&mut self, has_no_tracker: bool) {
        let waits = has_no_tracker.then(|| "no tracker is configured; set `trackers` in ttd.toml".to_owned());
        self.is_news |= waits != self.waits;
        self.waits = waits;
        while self.waits.is_none()
            && self.announcing.len() < ANNOUNCING_MAX
            && let Some(name) = self.arrivals.candidate()
        {
            self.is_news = true;
            if !self.see(vec![name.clone()]).await {
                return;
            }
            if self.arrivals.candidate().as_ref() != Some(&name) {
                continue;
            }
            let tree = self.tree_of(&name);
            let resource = tree.as_ref().map_or_else(|| name.clone(), TreeName::resource_name);
            let Ok(holding) = self.requests.holding(resource.clone()).await else { return };
            let job = self.arrivals.decide(Instant::now(), &name, holding);
            if let Some(job) = job {
                let options = tree.is_some().then_some(TREES);
                let performed = perform(self.requests.clone(), resource, options, job);
                self.job = Some(Box::pin(async move {
                    let (outcome, announcing) = performed.await;
                    (name, outcome, announcing)
                }));
            } else if tree.is_some() {
                self.keep_trees().await;
            }
        }
    }

    /// The directory that lies under a name.
    fn tree_of(&self, name: &ResourceName) -> Option<TreeName> {
        self.arrivals.is_tree(name).then(|| name.as_str().parse().ok()).flatten()
    }

    /// Writes down what the shared directories are like, if that has changed, so that the next run need not read them.
    async fn keep_trees(&mut self) {
        let trees: Vec<WatchedTree> =
            self.arrivals.trees().map(|(name, Print(one, two))| (name.clone(), one, two)).collect();
        if trees == self.kept {
            return;
        }
        self.kept.clone_from(&trees);
        let home = self.home.clone();
        let kept = jobs::run(move || home.keep_watched_trees(trees)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "changes of directories while ttd is off may not be noticed");
            self.kept.clear(); // it is tried again with the next directory
        }
    }

    /// Reads what the former run has shared.
    async fn recall_trees(&mut self) {
        let home = self.home.clone();
        match jobs::run(move || home.watched_trees()).await {
            Ok(Ok(trees)) => self.kept = trees,
            Ok(Err(error)) => {
                tracing::warn!(%error, "changes of directories while ttd was off are not noticed")
            }
            Err(error) => tracing::error!(%error, "cannot read which directories were shared"),
        }
        for (name, one, two) in &self.kept {
            self.arrivals.recall(name.clone(), Print(*one, *two));
        }
    }

    // -- what others want to know

    /// Publishes the state if it has changed, but not too often. Returns when there is something to do next.
    fn report_and_wake(&mut self) -> Instant {
        let now = Instant::now();
        let wake = self.arrivals.next_look(now).map_or(self.scan_at, |at| at.min(self.scan_at));
        if !self.is_news {
            return wake;
        }
        if let Some(due) = self.reported_at.map(|at| at + REPORT_EVERY).filter(|due| now < *due) {
            return wake.min(due);
        }
        (self.is_news, self.reported_at) = (false, Some(now));
        let state = self.state();
        if state.beyond > 0 && !std::mem::replace(&mut self.has_told_of_too_many, true) {
            tracing::warn!(
                files = state.beyond,
                "too many files are in the directory; the others are not shared"
            );
        }
        self.context.watching.send_replace(Some(Arc::new(state)));
        wake
    }

    fn state(&self) -> WatchState {
        let Counts { settling, waiting, shared, refused, beyond } = self.arrivals.counts();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let refused_names = self.arrivals.refused().map(|(name, why)| (name.to_string(), why.to_owned()));
        let all = refused_names.chain(self.bad.iter().take(BAD_MAX).cloned());
        WatchState {
            scans_only: self.scans_only.clone(),
            waits: self.waits.clone(),
            settling: number(settling),
            waiting: number(waiting),
            now: self.arrivals.busy().cloned(),
            shared: number(shared),
            refused: number(refused + self.bad_count),
            first_refused: all.take(REFUSED_MAX).map(|(name, why)| NotShared { name, why }).collect(),
            beyond: number(beyond),
        }
    }
}

/// The next events; never if there are none.
async fn next(events: &mut Option<Events>) -> io::Result<Noticed> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Shares or checks a name, and waits until it is hashed. A share goes on until its trackers have answered.
async fn perform(
    requests: Requests,
    name: ResourceName,
    tree: Option<TreeOptions>,
    job: Job,
) -> (Outcome, Option<TaskId>) {
    let ended = match job {
        Job::Share => share(&requests, name, tree).await.map(|task| (Outcome::Good, Some(task))),
        Job::Check => check(&requests, &name).await.map(|outcome| (outcome, None)),
    };
    ended.unwrap_or_else(|error| (Outcome::Failed(error.to_string()), None))
}

async fn share(
    requests: &Requests,
    name: ResourceName,
    tree: Option<TreeOptions>,
) -> Result<TaskId, ControlError> {
    let task = requests.share(ToShare::in_place(name, tree, WantedBy::Watch)).await?;
    loop {
        match requests.hashed(task, TASK_WAIT).await? {
            None => {}
            Some(TaskState::Failed(error)) => return Err(error),
            Some(_) => return Ok(task),
        }
    }
}

/// Waits until the trackers have answered, or the time for that is over.
async fn announced(requests: Requests, task: TaskId) {
    while let Ok(TaskState::Running { .. }) = requests.task(task, TASK_WAIT).await {}
}

async fn check(requests: &Requests, name: &ResourceName) -> Result<Outcome, ControlError> {
    let task = requests.verify(name.to_string(), WantedBy::Watch).await?;
    loop {
        match requests.task(task, TASK_WAIT).await? {
            TaskState::Running { .. } => {}
            TaskState::Verified { chunks_good, chunks_total, .. } if chunks_good == chunks_total => {
                return Ok(Outcome::Good);
            }
            TaskState::Failed(error) => return Err(error),
            _ => return Ok(Outcome::Differs),
        }
    }
}
