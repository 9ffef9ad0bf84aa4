//! One tracker: announces when it is time, publishes when it is wanted, and comes back after an outage.

use super::publish::publish;
use super::schedule::{Backoff, Schedule};
use super::{CALL_TIMEOUT, Found, Health, Session, Trouble, dialable, tell};
use crate::context::Context;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, NEIGHBOURS, PEERS_MAX, Stage, TrackerError,
};
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How often a manifest is published because the tracker wishes it: one that always wishes it gets no more.
const PUBLISH_AGAIN: Duration = Duration::from_secs(30);
/// What a tracker does not take is announced again after this time.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
/// So many refusals are endured in one round, while those that are refused are told from those that are not.
const REFUSALS_MAX: u32 = 32;
/// How long a connection that failed may take to say why.
const END_PATIENCE: Duration = Duration::from_millis(50);
/// With nothing to announce, the connection is looked at so often.
const IDLE: Duration = Duration::from_secs(600);

/// Who waits for a publication.
type Waiting = oneshot::Sender<Result<(), String>>;

/// What a tracker is to be told.
#[derive(Debug)]
pub enum TrackerCommand {
    /// Announce a resource from now on, or with other numbers.
    Put(SwarmKey, Entry),
    /// The number of chunks that we have has grown.
    Have(SwarmKey, u32),
    /// Announce a resource now: more peers are wanted.
    Urgent(SwarmKey),
    /// Answer when the resource is announced and published.
    Await(SwarmKey, Waiting),
    /// Withdraw a resource.
    Remove(SwarmKey),
    /// Withdraw everything, and end.
    End,
}

/// A resource as a tracker hears of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// How far we are.
    pub stage: Stage,
    /// How many chunks we have.
    pub have: u32,
    /// What it is, under each of its names.
    pub manifests: Vec<Manifest>,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Whether it was shared here: then we publish it without being asked.
    pub origin: bool,
}

/// A resource as the announcer keeps it.
struct Announced {
    entry: Entry,
    /// It is to be published with the next announce.
    publish: bool,
    /// Nobody whom we know has anything that we need.
    lonely: bool,
    published: Option<Instant>,
    waiting: Vec<Waiting>,
}

struct Announcer {
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    entries: BTreeMap<SwarmKey, Announced>,
    schedule: Schedule,
    withdrawn: Vec<SwarmKey>,
    /// The tracker's epoch when we last talked: another one has forgotten everything.
    epoch: Option<u64>,
    /// Somebody waits for an answer: there is no time for a pause.
    hurry: bool,
    ending: bool,
}

/// Talks to one tracker until it is told to end. Waits for `pause` first, unless somebody waits for an answer.
pub(super) async fn run(
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    pause: Option<Duration>,
    mut commands: mpsc::UnboundedReceiver<TrackerCommand>,
) {
    let mut announcer = Announcer {
        context,
        url,
        health,
        entries: BTreeMap::new(),
        schedule: Schedule::default(),
        withdrawn: Vec::new(),
        epoch: None,
        hurry: false,
        ending: false,
    };
    if let Some(pause) = pause {
        announcer.wait(pause, &mut commands).await;
    }
    let mut backoff = Backoff::new();
    while !announcer.ending {
        match Session::open(&announcer.context, &announcer.url).await {
            Ok(session) => {
                let began = Instant::now();
                let trouble = announcer.talk(session, &mut commands).await;
                if announcer.ending {
                    return;
                }
                announcer.lost(trouble);
                backoff.lasted(began.elapsed());
            }
            Err(trouble) => announcer.lost(trouble),
        }
        announcer.wait(backoff.pause(rand::random()), &mut commands).await;
    }
}

impl Announcer {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tracker took what it was told.
    fn is_good(&self) {
        if self.health().is_good(Instant::now()) {
            tracing::info!(tracker = %self.url, "the tracker is back");
        }
    }

    /// The tracker is of no use for now. That is worth one line, however often it is found out.
    fn is_bad(&self, trouble: &Trouble) {
        if self.health().is_bad(Instant::now(), trouble.clone()) {
            tracing::warn!(tracker = %self.url, error = %trouble, "the tracker is of no use; trying again");
        }
    }

    fn lost(&mut self, trouble: Trouble) {
        self.is_bad(&trouble);
        for announced in self.entries.values_mut() {
            for waiting in announced.waiting.drain(..) {
                let _ = waiting.send(Err(trouble.to_string()));
            }
        }
    }

    /// Takes commands while there is no connection.
    async fn wait(&mut self, pause: Duration, commands: &mut mpsc::UnboundedReceiver<TrackerCommand>) {
        let until = tokio::time::Instant::now() + pause;
        self.hurry = false;
        while !self.ending && !self.hurry {
            match tokio::time::timeout_at(until, commands.recv()).await {
                Ok(Some(command)) => self.take(command),
                Ok(None) => self.ending = true,
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, command: TrackerCommand) {
        let now = Instant::now();
        match command {
            TrackerCommand::Put(key, entry) => {
                self.withdrawn.retain(|other| *other != key);
                self.schedule.now(key, now);
                let publish = entry.origin;
                match self.entries.get_mut(&key) {
                    Some(announced) => {
                        announced.publish |= publish && !same_publication(&announced.entry, &entry);
                        announced.entry = entry;
                    }
                    None => {
                        let announced =
                            Announced { entry, publish, lonely: false, published: None, waiting: Vec::new() };
                        self.entries.insert(key, announced);
                    }
                }
            }
            TrackerCommand::Have(key, have) => {
                if let Some(announced) = self.entries.get_mut(&key) {
                    announced.entry.have = have;
                }
            }
            TrackerCommand::Urgent(key) => {
                self.schedule.urgent(key, now);
                if let Some(announced) = self.entries.get_mut(&key) {
                    announced.lonely = true;
                }
            }
            TrackerCommand::Await(key, waiting) => match self.entries.get_mut(&key) {
                Some(announced) => {
                    self.schedule.now(key, now);
                    announced.waiting.push(waiting);
                    self.hurry = true;
                }
                None => drop(waiting.send(Err("it is not announced".to_owned()))),
            },
            TrackerCommand::Remove(key) => {
                self.schedule.remove(key);
                self.health().took(now, key, None);
                if self.entries.remove(&key).is_some() {
                    self.withdrawn.push(key);
                }
            }
            TrackerCommand::End => {
                self.withdrawn.extend(std::mem::take(&mut self.entries).into_keys());
                self.schedule = Schedule::default();
                self.ending = true;
            }
        }
    }

    /// Talks until the connection ends, or we do; returns why it ended.
    async fn talk(
        &mut self,
        mut session: Session,
        commands: &mut mpsc::UnboundedReceiver<TrackerCommand>,
    ) -> Trouble {
        let is_new = self.epoch.replace(session.welcome.epoch) != Some(session.welcome.epoch);
        self.schedule.all(Instant::now());
        for announced in self.entries.values_mut() {
            announced.publish |= is_new && announced.entry.origin;
            announced.published = announced.published.filter(|_| !is_new);
        }
        loop {
            while let Ok(command) = commands.try_recv() {
                self.take(command);
            }
            if let Err(trouble) = self.speak(&session).await {
                // How the connection ended says more than that it has.
                return tokio::time::timeout(END_PATIENCE, session.ended()).await.unwrap_or(trouble);
            }
            if self.ending {
                return Trouble::Unreachable("we end".to_owned());
            }
            let sleep =
                self.schedule.next().map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => self.ending = true,
                },
                () = tokio::time::sleep(sleep) => {}
                trouble = session.ended() => return trouble,
            }
        }
    }

    /// Says all that is due. An error means that the connection is of no use any more.
    async fn speak(&mut self, session: &Session) -> Result<(), Trouble> {
        while !self.withdrawn.is_empty() {
            let first = self.withdrawn.len().saturating_sub(ANNOUNCE_MAX);
            session.caller.withdraw(self.withdrawn[first..].to_vec(), CALL_TIMEOUT).await??;
            self.withdrawn.truncate(first); // what was not heard is said again to the next session
        }
        let mut refusals = 0;
        loop {
            let batch = self.schedule.batch(Instant::now());
            if batch.is_empty() {
                if refusals == 0 {
                    self.is_good();
                }
                return Ok(());
            }
            self.announce(session, batch, &mut refusals).await?;
        }
    }

    /// Announces these. When the tracker takes not all of them, those that it takes are told from those that it
    /// does not: one that is refused must not keep the others from being known.
    async fn announce(
        &mut self,
        session: &Session,
        batch: Vec<SwarmKey>,
        refusals: &mut u32,
    ) -> Result<(), Trouble> {
        let mut batches = vec![batch];
        while let Some(mut keys) = batches.pop() {
            keys.retain(|key| self.entries.contains_key(key));
            let told: Vec<Announce> = keys.iter().map(|key| self.entries[key].announce(*key)).collect();
            match session.caller.announce(told, CALL_TIMEOUT).await? {
                Ok(reply) if reply.answers.len() == keys.len() => {
                    self.is_good();
                    for (key, answer) in keys.into_iter().zip(reply.answers) {
                        self.answered(session, key, answer).await?;
                    }
                }
                Ok(_) => return Err(Trouble::Nonsense("its answer does not fit our announce".to_owned())),
                Err(error) => {
                    *refusals += 1;
                    if keys.len() > 1 && *refusals < REFUSALS_MAX {
                        let second = keys.split_off(keys.len() / 2);
                        batches.extend([second, keys]);
                        continue;
                    }
                    self.refused(&keys, &error);
                }
            }
        }
        Ok(())
    }

    /// The tracker does not take these: they are told again after a while.
    fn refused(&mut self, keys: &[SwarmKey], error: &TrackerError) {
        let (now, trouble) = (Instant::now(), Trouble::from(error.clone()));
        for key in keys {
            self.schedule.told(*key, now, REFUSED_AGAIN);
            self.health().took(now, *key, Some(trouble.clone()));
            let waiting = self.entries.get_mut(key).map(|announced| std::mem::take(&mut announced.waiting));
            for waiting in waiting.unwrap_or_default() {
                let _ = waiting.send(Err(trouble.to_string()));
            }
        }
        tracing::debug!(tracker = %self.url, resources = keys.len(), %error, "the tracker refused an announce");
    }

    async fn answered(
        &mut self,
        session: &Session,
        key: SwarmKey,
        answer: AnnounceAnswer,
    ) -> Result<(), Trouble> {
        let now = Instant::now();
        self.schedule.told(key, now, Duration::from_millis(answer.interval_ms.into()));
        self.health().took(now, key, None);
        let Some(announced) = self.entries.get_mut(&key) else { return Ok(()) };
        let mut outcome = Ok(());
        let may_publish = announced.published.is_none_or(|at| now.duration_since(at) >= PUBLISH_AGAIN);
        if announced.publish || answer.want_manifest && may_publish {
            announced.published = Some(now);
            outcome = publish(session, &announced.entry).await?;
            announced.publish = false;
        }
        if let Err(error) = &outcome {
            tracing::warn!(tracker = %self.url, resource = %key, %error, "the tracker did not take the publication");
        }
        for waiting in announced.waiting.drain(..) {
            let _ = waiting.send(outcome.clone().map_err(|error| error.to_string()));
        }
        // No more than were asked for, however many it names.
        let wanted = usize::from(announced.peers_wanted());
        announced.lonely = false;
        let same_list = answer.peers.iter().filter(|peer| peer.key == key).map(|peer| peer.addr);
        let found = Found {
            key,
            peers: dialable(same_list, session.is_local).into_iter().take(wanted).collect(),
            conflict: answer.conflict,
            shared_at_ms: answer.shared_at_ms,
            tracker: self.url.clone(),
        };
        tell(&self.context, found).await;
        Ok(())
    }
}

fn same_publication(old: &Entry, new: &Entry) -> bool {
    old.shared_at_ms == new.shared_at_ms
        && old.manifests.iter().map(Manifest::name).eq(new.manifests.iter().map(Manifest::name))
}

impl Announced {
    fn announce(&self, key: SwarmKey) -> Announce {
        let entry = &self.entry;
        let count = entry.manifests[0].count();
        Announce { key, stage: entry.stage, have: entry.have, count, peers_wanted: self.peers_wanted() }
    }

    /// A seeder asks for none: it is dialled. More than the usual number tells the tracker that the usual ones were of no use.
    fn peers_wanted(&self) -> u8 {
        match self.entry.stage {
            Stage::Seeding => 0,
            Stage::Leeching if self.lonely => PEERS_MAX as u8,
            Stage::Leeching => NEIGHBOURS as u8,
        }
    }
}
