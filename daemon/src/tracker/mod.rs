//! The daemon's side of the trackers: [`announcer`] keeps one connection to each and announces, withdraws and
//! publishes when [`schedule`] and [`publications`] say so, what it is told waits in an [`inbox`]; [`catalogue`] looks things up for a `get`; [`health`] is what people are told.
//! Trackers are believed as little as anybody: what they say is bounded here, and whom they name in the core.

mod announcer;
pub mod catalogue;
mod dates;
mod health;
mod inbox;
mod publications;
mod publish;
mod schedule;
mod session;
#[cfg(test)]
mod storm;

pub use announcer::{Entry, TrackerCommand, Unpublished, Waiting};
pub use dates::now_ms;
pub use health::{Health, Trouble, seconds};

use crate::context::{Context, plain};
use crate::driver::Input;
use inbox::Inbox;
use session::Session;
use shared::id::SwarmKey;
use shared::rpc::tracker::Namesake;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How many trackers a daemon talks to: manifests name them, so strangers choose.
const TRACKERS_MAX: usize = 64;

/// How long a call to a tracker may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a tracker answered for one of our resources.
#[derive(Debug)]
pub struct Found {
    /// Which swarm.
    pub key: SwarmKey,
    /// Its peers, where they listen; to a seeder, leechers that found nobody.
    pub peers: Vec<PeerAddr>,
    /// Whether it was asked as a seeder.
    pub seeds: bool,
    /// The tracker knows the same resource with another list of chunks.
    pub conflict: bool,
    /// We shared it, and a name of it means this other content there.
    pub overtaken: Option<Namesake>,
    /// When the resource was shared, by our clock, if the tracker knows and we do not.
    pub shared_at_ms: Option<u64>,
    /// Which tracker.
    pub tracker: TrackerUrl,
}

/// How a resource that we publish stands in a tracker's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its names mean it.
    Good,
    /// It is published, and a name of it means this other content.
    Overtaken(Namesake),
    /// It is not published: another machine shares this under its name.
    Taken(Namesake),
    /// It is not published; the text says why.
    Refused(String),
}

/// All trackers that we talk to.
#[derive(Debug, Default)]
pub struct Trackers {
    trackers: BTreeMap<TrackerUrl, Announcer>,
    /// The daemon is up: what is announced from now on is announced at once.
    up: bool,
}

#[derive(Debug)]
struct Announcer {
    /// What it is still to be told.
    inbox: Arc<Inbox>,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
    /// The resources that it announces.
    keys: BTreeSet<SwarmKey>,
}

impl Announcer {
    fn send(&mut self, command: TrackerCommand) {
        match &command {
            TrackerCommand::Put(key, _) => _ = self.keys.insert(*key),
            TrackerCommand::Remove(key) => _ = self.keys.remove(key),
            _ => {}
        }
        self.inbox.add(command);
    }
}

impl Trackers {
    /// Tells a tracker something; begins to talk to it if need be. `false` if there are too many trackers.
    pub fn command(&mut self, context: &Arc<Context>, url: &TrackerUrl, command: TrackerCommand) -> bool {
        if !self.trackers.contains_key(url) {
            self.make_room();
            if self.trackers.len() >= TRACKERS_MAX {
                tracing::warn!(tracker = %url, "too many trackers, this one is left out");
                return false;
            }
            let inbox = Arc::new(Inbox::default());
            let health = Arc::new(Mutex::new(Health::new(Instant::now())));
            let pause = (!self.up).then(|| schedule::return_pause(rand::random()));
            let announcer =
                announcer::run(context.clone(), url.clone(), health.clone(), pause, inbox.clone());
            let task = tokio::spawn(announcer);
            self.trackers.insert(url.clone(), Announcer { inbox, health, task, keys: BTreeSet::new() });
        }
        self.trackers.get_mut(url).map(|tracker| tracker.send(command)).is_some()
    }

    /// Tells every tracker that we talk to.
    pub fn command_all(&mut self, command: impl Fn() -> TrackerCommand) {
        for tracker in self.trackers.values_mut() {
            tracker.send(command());
        }
    }

    /// Ends the talk with a tracker that nothing is announced to any more, when there are too many.
    fn make_room(&mut self) {
        let unused = self.trackers.iter().find(|(_, tracker)| tracker.keys.is_empty());
        let unused = unused.map(|(url, _)| url.clone()).filter(|_| self.trackers.len() >= TRACKERS_MAX);
        if let Some(mut tracker) = unused.and_then(|url| self.trackers.remove(&url)) {
            tracker.send(TrackerCommand::End);
        }
    }

    /// What a former run knew is announced by now, after a short while that differs from daemon to daemon.
    /// Whether they were not before.
    pub fn are_up(&mut self) -> bool {
        !std::mem::replace(&mut self.up, true)
    }

    /// What is wrong with a tracker for a resource, and for how long.
    pub fn trouble(&self, url: &TrackerUrl, key: SwarmKey) -> Option<(Duration, Trouble)> {
        let now = Instant::now();
        match self.trackers.get(url) {
            Some(tracker) => tracker.health.lock().unwrap_or_else(PoisonError::into_inner).trouble(now, key),
            None => Health::left_out().trouble(now, key),
        }
    }

    /// Withdraws everything everywhere, and ends. Gives up after `patience`.
    pub async fn end(self, patience: Duration) {
        let until = tokio::time::Instant::now() + patience;
        let mut tasks = Vec::new();
        for mut tracker in self.trackers.into_values() {
            tracker.send(TrackerCommand::End);
            tasks.push(tracker.task);
        }
        for mut task in tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// The addresses among those a tracker named that we may dial. A tracker elsewhere has no say about what listens
/// on this machine.
fn dialable(peers: impl Iterator<Item = SocketAddr>, tracker_is_local: bool) -> Vec<PeerAddr> {
    let fits = |addr: &SocketAddr| {
        let ip = addr.ip();
        let broadcast = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
        addr.port() != 0
            && !ip.is_unspecified()
            && !ip.is_multicast()
            && !broadcast
            && (tracker_is_local || !ip.is_loopback())
    };
    peers.map(|addr| SocketAddr::new(plain(addr.ip()), addr.port())).filter(fits).collect()
}

/// Tells the driver what a tracker answered.
async fn tell(context: &Context, found: Found) {
    context.tell(Input::Found(found)).await;
}

/// Tells the driver what became of a publication.
async fn tell_standing(context: &Context, key: SwarmKey, tracker: TrackerUrl, standing: Standing) {
    context.tell(Input::Standing { key, tracker, standing }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_listen_on_is_not_dialled() {
        let named = [
            "10.0.0.1:7987",
            "10.0.0.1:0",
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "127.0.0.1:22",
            "[::1]:22",
            "[::ffff:127.0.0.1]:22",
            "[ff02::1]:1",
            "[fd00::1]:1",
        ];
        let named = || named.iter().map(|text| text.parse().unwrap());
        let texts = |peers: Vec<SocketAddr>| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(dialable(named(), false)), ["10.0.0.1:7987", "[fd00::1]:1"]);
        assert_eq!(
            texts(dialable(named(), true)),
            ["10.0.0.1:7987", "127.0.0.1:22", "[::1]:22", "127.0.0.1:22", "[fd00::1]:1"]
        );
    }
}
