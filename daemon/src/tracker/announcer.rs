//! One tracker: announces when it is time, publishes when it is wanted, and comes back after an outage.

use super::{CALL_TIMEOUT, Found, Health, Session, dialable, tell};
use crate::context::Context;
use bytes::BytesMut;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, NEIGHBOURS, PAGE_HASHES, Publication, PublishReply, Stage,
    TrackerError,
};
use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// A lost tracker is dialled again after this time at first, then twice as long each time …
const REDIAL_MIN: Duration = Duration::from_secs(1);
/// … up to this.
const REDIAL_MAX: Duration = Duration::from_secs(15);
/// A tracker's word on when to announce again is taken within these bounds.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// How soon a resource may be announced again when peers are wanted at once.
const URGENT_AFTER: Duration = Duration::from_secs(1);
/// How long an answer to those who wait for a publication may take.
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
    due: Instant,
    last: Option<Instant>,
    /// It is to be published with the next announce.
    publish: bool,
    waiting: Vec<Waiting>,
}

struct Announcer {
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    entries: BTreeMap<SwarmKey, Announced>,
    withdrawn: Vec<SwarmKey>,
    /// The tracker's epoch when we last talked: another one has forgotten everything.
    epoch: Option<u64>,
    ending: bool,
}

/// Talks to one tracker until it is told to end.
pub(super) async fn run(
    context: Arc<Context>,
    url: TrackerUrl,
    health: Arc<Mutex<Health>>,
    mut commands: mpsc::UnboundedReceiver<TrackerCommand>,
) {
    let mut announcer = Announcer {
        context,
        url,
        health,
        entries: BTreeMap::new(),
        withdrawn: Vec::new(),
        epoch: None,
        ending: false,
    };
    let mut pause = REDIAL_MIN;
    while !announcer.ending {
        match Session::open(&announcer.context, &announcer.url).await {
            Ok(session) => {
                announcer.reached();
                let began = Instant::now();
                let why = announcer.talk(session, &mut commands).await;
                if announcer.ending {
                    return;
                }
                announcer.lost(&why);
                if began.elapsed() > REDIAL_MAX {
                    pause = REDIAL_MIN;
                }
            }
            Err(why) => announcer.lost(&why),
        }
        announcer.wait(jittered(pause), &mut commands).await;
        pause = (pause * 2).min(REDIAL_MAX);
    }
}

/// Half to once and a half of a time, so that a fleet does not come back all at once.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.5..1.5)).min(REDIAL_MAX)
}

impl Announcer {
    fn reached(&mut self) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.trouble.take().is_some() {
            tracing::info!(tracker = %self.url, "the tracker is back");
        }
    }

    fn lost(&mut self, why: &str) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.trouble.is_none() {
            tracing::warn!(tracker = %self.url, error = why, "the tracker cannot be reached; trying again");
            health.trouble = Some((Instant::now(), why.to_owned()));
        }
        for announced in self.entries.values_mut() {
            for waiting in announced.waiting.drain(..) {
                let _ = waiting.send(Err(why.to_owned()));
            }
        }
    }

    /// Takes commands while there is no connection.
    async fn wait(&mut self, pause: Duration, commands: &mut mpsc::UnboundedReceiver<TrackerCommand>) {
        let until = tokio::time::Instant::now() + pause;
        while !self.ending {
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
                let publish = entry.origin;
                match self.entries.get_mut(&key) {
                    Some(announced) => {
                        announced.publish |= publish && !same_publication(&announced.entry, &entry);
                        announced.entry = entry;
                        announced.due = now;
                    }
                    None => {
                        let waiting = Vec::new();
                        self.entries.insert(key, Announced { entry, due: now, last: None, publish, waiting });
                    }
                }
            }
            TrackerCommand::Have(key, have) => {
                if let Some(announced) = self.entries.get_mut(&key) {
                    announced.entry.have = have;
                }
            }
            TrackerCommand::Urgent(key) => {
                if let Some(announced) = self.entries.get_mut(&key) {
                    let earliest = announced.last.map_or(now, |last| last + URGENT_AFTER);
                    announced.due = announced.due.min(earliest.max(now));
                }
            }
            TrackerCommand::Await(key, waiting) => match self.entries.get_mut(&key) {
                Some(announced) => {
                    announced.due = now;
                    announced.waiting.push(waiting);
                }
                None => drop(waiting.send(Err("it is not announced".to_owned()))),
            },
            TrackerCommand::Remove(key) => {
                if self.entries.remove(&key).is_some() {
                    self.withdrawn.push(key);
                }
            }
            TrackerCommand::End => {
                self.withdrawn.extend(std::mem::take(&mut self.entries).into_keys());
                self.ending = true;
            }
        }
    }

    /// Talks until the connection ends, or we do; returns why it ended.
    async fn talk(
        &mut self,
        mut session: Session,
        commands: &mut mpsc::UnboundedReceiver<TrackerCommand>,
    ) -> String {
        let is_new = self.epoch.replace(session.welcome.epoch) != Some(session.welcome.epoch);
        let now = Instant::now();
        for announced in self.entries.values_mut() {
            announced.due = now;
            announced.publish |= is_new && announced.entry.origin;
        }
        loop {
            while let Ok(command) = commands.try_recv() {
                self.take(command);
            }
            if let Err(why) = self.speak(&session).await {
                return why;
            }
            if self.ending {
                return "we end".to_owned();
            }
            let next = self.entries.values().map(|announced| announced.due).min();
            let sleep = next.map_or(INTERVAL_MAX, |due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => self.ending = true,
                },
                () = tokio::time::sleep(sleep) => {}
                why = session.ended() => return why,
            }
        }
    }

    /// Says all that is due. An error means that the connection is of no use any more.
    async fn speak(&mut self, session: &Session) -> Result<(), String> {
        while !self.withdrawn.is_empty() {
            let first = self.withdrawn.len().saturating_sub(ANNOUNCE_MAX);
            let answer = session.caller.withdraw(self.withdrawn[first..].to_vec(), CALL_TIMEOUT).await;
            answer.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            self.withdrawn.truncate(first); // what was not heard is said again to the next session
        }
        loop {
            let now = Instant::now();
            let due = self.entries.iter().filter(|(_, announced)| announced.due <= now);
            let batch: Vec<Announce> =
                due.take(ANNOUNCE_MAX).map(|(&key, announced)| announce(key, announced)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let keys: Vec<SwarmKey> = batch.iter().map(|announce| announce.key).collect();
            let answer = session.caller.announce(batch, CALL_TIMEOUT).await;
            let reply = answer.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            if reply.answers.len() != keys.len() {
                return Err("its answer does not fit our announce".to_owned());
            }
            for (key, answer) in keys.into_iter().zip(reply.answers) {
                self.answered(session, key, answer).await?;
            }
        }
    }

    async fn answered(
        &mut self,
        session: &Session,
        key: SwarmKey,
        answer: AnnounceAnswer,
    ) -> Result<(), String> {
        let now = Instant::now();
        let Some(announced) = self.entries.get_mut(&key) else { return Ok(()) };
        let interval = Duration::from_millis(answer.interval_ms.into()).clamp(INTERVAL_MIN, INTERVAL_MAX);
        announced.due = now + interval;
        announced.last = Some(now);
        let mut outcome = Ok(());
        if announced.publish || answer.want_manifest {
            outcome = publish(session, &announced.entry).await?;
            announced.publish = false;
        }
        if let Err(error) = &outcome {
            tracing::warn!(tracker = %self.url, resource = %key, %error, "the tracker did not take the publication");
        }
        for waiting in announced.waiting.drain(..) {
            let _ = waiting.send(outcome.clone().map_err(|error| error.to_string()));
        }
        let same_list = answer.peers.iter().filter(|peer| peer.key == key).map(|peer| peer.addr);
        let found = Found {
            key,
            peers: dialable(same_list, session.is_local),
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

fn announce(key: SwarmKey, announced: &Announced) -> Announce {
    let entry = &announced.entry;
    let count = entry.manifests[0].count();
    let peers_wanted = if entry.stage == Stage::Leeching { NEIGHBOURS as u8 } else { 0 };
    Announce { key, stage: entry.stage, have: entry.have, count, peers_wanted }
}

/// Publishes a manifest under each of its names. The outer error ends the connection, the inner one is the
/// tracker's refusal.
async fn publish(session: &Session, entry: &Entry) -> Result<Result<(), TrackerError>, String> {
    for manifest in &entry.manifests {
        let publication = Publication {
            name: manifest.name().clone(),
            key: manifest.key(),
            count: manifest.count(),
            trackers: manifest.trackers().to_vec(),
            shared_at_ms: entry.shared_at_ms,
        };
        let pages_max = manifest.count().get().div_ceil(PAGE_HASHES);
        let mut reply =
            session.caller.publish(publication, CALL_TIMEOUT).await.map_err(|error| error.to_string())?;
        for _ in 0..=pages_max {
            match reply {
                Ok(PublishReply::Published) => break,
                Ok(PublishReply::NeedPage(page)) if page < pages_max => {
                    let bytes = page_of(manifest, page).freeze();
                    let answer =
                        session.caller.publish_page(manifest.key(), page, bytes.into(), CALL_TIMEOUT).await;
                    reply = answer.map_err(|error| error.to_string())?;
                }
                Ok(PublishReply::NeedPage(page)) => {
                    return Err(format!("it wants page {page}, which does not exist"));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        if reply != Ok(PublishReply::Published) {
            return Err("it wants the same pages again and again".to_owned());
        }
    }
    Ok(Ok(()))
}

fn page_of(manifest: &Manifest, page: u32) -> BytesMut {
    let hashes = manifest.hashes().chunks(PAGE_HASHES as usize).nth(page as usize).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(hashes.len() * 32);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes
}
