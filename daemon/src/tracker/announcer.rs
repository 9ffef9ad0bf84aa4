//! Talks to one tracker: announces when it is time, publishes beside that, and reconnects after an outage. Announces
//! that renew go first, because a publication is useless once the tracker has forgotten its seeder.

mod answers;
mod taking_back;

use super::advertise;
use super::dates::Dates;
use super::enrol::revocations;
use super::entry::{AnnouncedEntry, Announcing, Asking, NamedManifest, NotPublished};
use super::fitting::fitting;
use super::health::{Health, Trouble};
use super::inbox::Inbox;
use super::publications::Publications;
use super::publish::{self, Outcome};
use super::schedule::{Backoff, Schedule};
use super::session::{CALL_TIMEOUT, Session};
use super::to_unpublish::ToUnpublish;
use crate::entropy;
use crate::inbox::Context;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use shared::host::config::HostPort;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, ANNOUNCE_NAMES_MAX, Announce, AnnounceReply, LONELY, NEIGHBOURS, PEERS_MAX, Stage,
    TrackerError, UnpublishReply,
};
use shared::rpc::wire::CallError;
use shared::signature::SignatureText;
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The shortest interval between two publications of a manifest that the tracker asks for. A tracker that always asks
/// gets no more.
const PUBLISH_AGAIN: Duration = Duration::from_secs(30);
/// A resource that the tracker refuses is announced and published again after this, since whatever was in the way may
/// be gone.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
/// How many refused batches are split in one round in order to find the refused resources. After that all resources of
/// a refused batch count as refused, so that a tracker that refuses everything costs few calls.
const REFUSALS_MAX: u32 = 32;
/// How many publishing calls may wait for their answers. The tracker handles one call at a time, so a renewal waits for
/// at most these.
const PUBLISHING_MAX: usize = 2;
/// Limits the questions about who has a name that run at once; further ones wait. They share the connection with the
/// announces, which must not wait for them.
const ASKING_MAX: usize = 8;
/// How long to wait after a failed call until the connection's end says why it failed. Beyond it the failure itself is
/// the reason that is reported.
const END_PATIENCE: Duration = Duration::from_millis(50);
/// While nothing is due, the loop wakes up after this; any long time would do.
const IDLE: Duration = Duration::from_secs(600);

/// What the announcer knows of a resource.
struct Announced {
    entry: AnnouncedEntry,
    /// Whether the tracker has accepted it in this session.
    is_known: bool,
    /// Whether no peer that we know has a chunk that we need.
    lonely: bool,
    published: Option<Instant>,
    waiting: Vec<Announcing>,
    /// The news that the driver received last.
    told: Option<News>,
}

/// What a tracker says of a resource in addition to its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct News {
    conflict: bool,
    newer: Vec<(ResourceName, ResourceId)>,
}

/// The answer to a call.
enum Answered {
    Announce(Vec<SwarmKey>, Result<Result<AnnounceReply, TrackerError>, CallError>),
    Withdraw(Vec<SwarmKey>, Result<Result<(), TrackerError>, CallError>),
    Publish(Result<Vec<(SwarmKey, Outcome)>, Trouble>),
    Unpublish(SwarmKey, ResourceName, Result<Result<UnpublishReply, TrackerError>, CallError>),
    Asked,
}

/// The calls that wait for an answer.
#[derive(Default)]
struct Calls {
    all: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// Whether an announce or a withdraw waits for its answer. Only one at a time, so that they arrive in order.
    announcing: bool,
    publishing: usize,
    /// Whether a name is being taken back. Only one at a time.
    taking_back: bool,
    asking: usize,
    dates: Dates,
    /// The halves of batches that were refused as a whole; they are announced separately.
    halves: Vec<Vec<SwarmKey>>,
    refusals: u32,
}

struct Announcer {
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    inbox: Arc<Inbox>,
    entries: BTreeMap<SwarmKey, Announced>,
    schedule: Schedule,
    publications: Publications,
    withdrawn: Vec<SwarmKey>,
    /// Names to take back at the tracker.
    unpublish: ToUnpublish,
    /// Questions about who has a name.
    asked: Vec<(ResourceName, Asking)>,
    /// The tracker's epoch in the last session. A new epoch means that the tracker has forgotten everything.
    epoch: Option<u64>,
    /// Whether somebody waits for an answer, so that the next connection is made without a pause.
    hurry: bool,
    ending: bool,
    /// The address at which others reach us, as configured.
    advertised: watch::Receiver<Option<HostPort>>,
}

/// Talks to one tracker until it receives `TrackerCommand::End`. Waits for `pause` first, unless somebody waits for
/// an answer.
pub(super) async fn run(
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    pause: Option<Duration>,
    inbox: Arc<Inbox>,
) {
    let advertised = context.advertised.subscribe();
    let mut announcer = Announcer {
        context,
        url,
        health,
        inbox,
        entries: BTreeMap::new(),
        schedule: Schedule::default(),
        publications: Publications::default(),
        withdrawn: Vec::new(),
        unpublish: ToUnpublish::default(),
        asked: Vec::new(),
        epoch: None,
        hurry: false,
        ending: false,
        advertised,
    };
    if let Some(pause) = pause {
        announcer.wait(pause).await;
    }
    let mut backoff = Backoff::new();
    while !announcer.ending {
        announcer.advertised.mark_unchanged();
        match Session::open(&announcer.context, &announcer.url).await {
            Ok(session) => {
                let began = Instant::now();
                let trouble = announcer.talk(session).await;
                if announcer.ending {
                    return;
                }
                if announcer.advertised.has_changed().unwrap_or_default() {
                    continue; // the tracker learns the other address in a new connection
                }
                announcer.lost(trouble);
                backoff.lasted(began.elapsed());
            }
            Err(trouble) => announcer.lost(trouble),
        }
        announcer.wait(backoff.pause(entropy::random())).await;
    }
}

impl Announcer {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tracker has accepted what it was told.
    fn recovered(&self) {
        if self.health().recovered(Instant::now()) {
            tracing::info!("tracker {} is reachable again", self.url);
        }
    }

    /// The tracker cannot be used now. Each outage gets one line in the log.
    fn failed(&self, trouble: &Trouble) {
        if self.health().failed(Instant::now(), trouble.clone()) {
            tracing::warn!(error = %trouble, "tracker {} cannot be used, trying again", self.url);
        }
    }

    fn lost(&mut self, trouble: Trouble) {
        self.failed(&trouble);
        self.asked.clear(); // the dropped senders say that there is no answer
        self.unpublish.later(&trouble.to_string());
        for announced in self.entries.values_mut() {
            announced.is_known = false;
            answer(&mut announced.waiting, &Err(NotPublished::Later(trouble.to_string())));
        }
    }

    /// Collects the driver's orders while there is no connection.
    async fn wait(&mut self, pause: Duration) {
        let until = tokio::time::Instant::now() + pause;
        let inbox = self.inbox.clone();
        self.hurry = false;
        while !self.ending && !self.hurry {
            match tokio::time::timeout_at(until, inbox.wait()).await {
                Ok(()) => self.take_orders(),
                Err(_) => return,
            }
        }
    }

    fn take_orders(&mut self) {
        let (orders, now) = (self.inbox.take(), Instant::now());
        for (key, change) in orders.changes {
            match change {
                Some(entry) => self.put(key, entry, now),
                None => self.remove(key, now),
            }
        }
        for (key, have) in orders.have {
            if let Some(announced) = self.entries.get_mut(&key) {
                announced.entry.have = have;
            }
        }
        for key in orders.urgent {
            self.schedule.urgent(key, now);
            if let Some(announced) = self.entries.get_mut(&key) {
                announced.lonely = true;
            }
        }
        self.hurry |= !orders.waiting.is_empty() || !orders.asked.is_empty();
        self.hurry |= self.unpublish.append(orders.unpublish);
        for (key, waiting) in orders.waiting {
            self.await_publication(key, waiting, now);
        }
        self.asked.extend(orders.asked);
        if orders.end {
            self.withdrawn.extend(std::mem::take(&mut self.entries).into_keys());
            (self.schedule, self.publications) = (Schedule::default(), Publications::default());
            self.ending = true;
        }
    }

    fn put(&mut self, key: SwarmKey, mut entry: AnnouncedEntry, now: Instant) {
        self.withdrawn.retain(|other| *other != key);
        self.schedule.now(key, now);
        let origin = entry.origin;
        self.tell_taken_back(key, &entry);
        for manifest in entry.to_publish() {
            self.unpublish.shared_again(key, manifest.name());
        }
        let is_news = match self.entries.get_mut(&key) {
            Some(announced) => {
                let is_news = !same_publication(&announced.entry, &entry);
                entry.claims &= is_news || announced.entry.claims; // an accepted claim is not made again
                (announced.entry, announced.told) = (entry, None);
                is_news
            }
            None => {
                let (published, waiting) = (None, Vec::new());
                let announced =
                    Announced { entry, is_known: false, lonely: false, published, waiting, told: None };
                self.entries.insert(key, announced);
                true
            }
        };
        match self.is_to_be_published(key) {
            true if origin && is_news => self.publications.want(key, false),
            true => {}
            false => self.publications.remove(key),
        }
    }

    /// Whether there is a name under which a resource may be published.
    fn is_to_be_published(&self, key: SwarmKey) -> bool {
        self.entries.get(&key).is_some_and(|announced| announced.entry.to_publish().next().is_some())
    }

    fn remove(&mut self, key: SwarmKey, now: Instant) {
        self.schedule.remove(key);
        self.publications.remove(key);
        self.health().took(now, key, None);
        if self.entries.remove(&key).is_some() {
            self.withdrawn.push(key);
        }
    }

    fn await_publication(&mut self, key: SwarmKey, waiting: Announcing, now: Instant) {
        match self.entries.get_mut(&key) {
            Some(announced) => {
                self.schedule.now(key, now);
                self.publications.hurry(key);
                announced.waiting.push(waiting);
            }
            None => drop(waiting.send(Err(NotPublished::Later("it is not announced".to_owned())))),
        }
    }

    /// Serves a session until it ends, and returns why it ended.
    async fn talk(&mut self, mut session: Session) -> Trouble {
        let is_new = self.epoch.replace(session.welcome.epoch) != Some(session.welcome.epoch);
        let told = session.welcome.your_address;
        advertise::warn_of_other(&self.context, &self.url, session.advertised, told);
        self.schedule.all(Instant::now());
        self.publications.interrupted();
        for (key, announced) in &mut self.entries {
            announced.is_known = false;
            announced.published = announced.published.filter(|_| !is_new);
            let entry = &announced.entry;
            if is_new && entry.origin && entry.to_publish().next().is_some() {
                self.publications.want(*key, !announced.waiting.is_empty());
            }
            for name in &entry.taken_back {
                self.unpublish.tell_again(*key, name);
            }
        }
        if self.entries.is_empty() {
            self.recovered(); // nothing is announced, so nothing can be refused
        }
        let (inbox, mut calls) = (self.inbox.clone(), Calls::default());
        let context = self.context.clone();
        let _connected = context.catalogues.connected(&self.url, session.caller.clone());
        let mut following =
            Box::pin(revocations::follow(&context, session.caller.clone(), session.is_encrypted).fuse());
        loop {
            self.take_orders();
            if self.advertised.has_changed().unwrap_or_default() {
                return Trouble::Unreachable("the advertised address was changed".to_owned());
            }
            self.begin_calls(&session, &mut calls);
            if self.ending && calls.all.is_empty() {
                return Trouble::Unreachable("we end".to_owned());
            }
            let next_due = self.next_due(&calls);
            tokio::select! {
                Some(answered) = calls.all.next() => {
                    if let Err(trouble) = self.answered(&session, &mut calls, answered).await {
                        // The end of the connection gives a better reason than the failed call.
                        return tokio::time::timeout(END_PATIENCE, session.ended()).await.unwrap_or(trouble);
                    }
                }
                () = inbox.wait() => {}
                () = &mut following => {}
                () = tokio::time::sleep(next_due) => {}
                trouble = session.ended() => return trouble,
            }
        }
    }

    /// How long until something becomes due.
    fn next_due(&self, calls: &Calls) -> Duration {
        let announce = self.schedule.next().filter(|_| !calls.announcing);
        let publish = self.publications.next().filter(|_| calls.publishing < PUBLISHING_MAX);
        let due = announce.into_iter().chain(publish).min();
        due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Begins the calls that are due: questions, then announces, then publications.
    fn begin_calls(&mut self, session: &Session, calls: &mut Calls) {
        while calls.asking < ASKING_MAX
            && let Some((name, asking)) = self.asked.pop()
        {
            calls.asking += 1;
            calls.all.push(Box::pin(ask(session.caller.clone(), name, asking)));
        }
        self.begin_taking_back(session, calls);
        if !calls.announcing {
            self.begin_announce(session, calls);
        }
        while calls.publishing < PUBLISHING_MAX {
            let now = Instant::now();
            let known = |key: SwarmKey| {
                self.entries
                    .get(&key)
                    .filter(|announced| announced.is_known)
                    .map(|it| publish::cost(&it.entry))
            };
            let batch = self.publications.take(now, known);
            if batch.is_empty() {
                return;
            }
            calls.publishing += 1;
            let entries = batch.into_iter().map(|key| (key, self.entries[&key].entry.clone())).collect();
            let publishing = publish::publish(session.caller.clone(), calls.dates.clone(), entries);
            calls.all.push(Box::pin(async move { Answered::Publish(publishing.await) }));
        }
    }

    /// Begins a withdraw or an announce that is due.
    fn begin_announce(&mut self, session: &Session, calls: &mut Calls) {
        let caller = session.caller.clone();
        if !self.withdrawn.is_empty() {
            // If the session ends before the answer, the next session withdraws these again.
            let first = self.withdrawn.len().saturating_sub(ANNOUNCE_MAX);
            let keys = self.withdrawn[first..].to_vec();
            calls.announcing = true;
            calls.all.push(Box::pin(async move {
                let answer = caller.withdraw(keys.clone(), CALL_TIMEOUT).await;
                Answered::Withdraw(keys, answer)
            }));
            return;
        }
        let mut keys = calls.halves.pop().unwrap_or_else(|| {
            calls.refusals = 0;
            self.schedule.batch(Instant::now())
        });
        keys.retain(|key| self.entries.contains_key(key));
        if keys.is_empty() {
            return;
        }
        let told: Vec<Announce> = keys.iter().map(|key| self.entries[key].announce(*key)).collect();
        let told = fitting(told);
        let rest = keys.split_off(told.len());
        if !rest.is_empty() {
            calls.halves.push(rest);
        }
        calls.announcing = true;
        calls.all.push(Box::pin(async move {
            let answer = caller.announce(told, CALL_TIMEOUT).await;
            Answered::Announce(keys, answer)
        }));
    }
}

async fn ask(caller: shared::rpc::tracker::TrackerCaller, name: ResourceName, asking: Asking) -> Answered {
    // Our own content is left out: a name that we share ourselves does not stand in our way.
    let nothing = SwarmKey { resource: ResourceId([0; 32]), digest: shared::id::ListDigest([0; 32]) };
    if let Ok(Ok(other)) = caller.in_the_way(name, nothing, CALL_TIMEOUT).await {
        let _ = asking.send(other);
    }
    Answered::Asked
}

fn answer(waiting: &mut Vec<Announcing>, outcome: &Result<(), NotPublished>) {
    for waiting in waiting.drain(..) {
        let _ = waiting.send(outcome.clone());
    }
}

/// What is published of a name, apart from what its swarm has, too.
fn published(named: &NamedManifest) -> (&ResourceName, &[TrackerUrl], Option<&SignatureText>) {
    (named.name(), named.manifest.trackers(), named.signature.as_ref())
}

fn same_publication(old: &AnnouncedEntry, new: &AnnouncedEntry) -> bool {
    (old.shared_at_ms, old.origin) == (new.shared_at_ms, new.origin)
        && old.to_publish().map(published).eq(new.to_publish().map(published))
}

impl Announced {
    fn announce(&self, key: SwarmKey) -> Announce {
        let entry = &self.entry;
        let count = entry.manifests[0].manifest.count();
        let names = entry.manifests.iter().take(ANNOUNCE_NAMES_MAX).map(|named| named.name().clone());
        let AnnouncedEntry { stage, have, bytes, .. } = *entry;
        let peers_wanted = self.peers_wanted();
        Announce { key, stage, have, count, peers_wanted, names: names.collect(), bytes }
    }

    /// How many peers to ask for. A seeder asks only for leechers that found nobody, because all others dial it. Asking
    /// for more than the usual number tells the tracker that the usual peers have nothing for us.
    fn peers_wanted(&self) -> u8 {
        match self.entry.stage {
            Stage::Seeding => LONELY as u8,
            Stage::Leeching if !self.entry.wants_peers => 0,
            Stage::Leeching if self.lonely => PEERS_MAX as u8,
            Stage::Leeching => NEIGHBOURS as u8,
        }
    }
}
