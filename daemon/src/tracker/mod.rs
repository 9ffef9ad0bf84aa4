//! The daemon's side of the trackers: [`announcer`] keeps one connection to each and announces, withdraws and
//! publishes; [`catalogue`] looks things up for a `get`.

mod announcer;
pub mod catalogue;

pub use announcer::{Entry, TrackerCommand};

use crate::context::{Context, plain};
use crate::driver::Input;
use shared::id::SwarmKey;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{TrackerCaller, TrackerHello, TrackerWelcome};
use shared::rpc::wire::{self, ClientOptions, LinkEnd};
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
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
    /// Its peers, where they listen.
    pub peers: Vec<PeerAddr>,
    /// The tracker knows the same resource with another list of chunks.
    pub conflict: bool,
    /// When the resource was shared, if the tracker knows.
    pub shared_at_ms: Option<u64>,
    /// Which tracker.
    pub tracker: TrackerUrl,
}

/// How a tracker is doing.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Since when it cannot be reached, and why.
    pub trouble: Option<(Instant, String)>,
}

/// All trackers that we talk to.
#[derive(Debug, Default)]
pub struct Trackers {
    trackers: BTreeMap<TrackerUrl, Announcer>,
}

#[derive(Debug)]
struct Announcer {
    /// Bounded by what the driver has to tell: a few commands per resource.
    commands: mpsc::UnboundedSender<TrackerCommand>,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
    /// The resources that it announces.
    keys: BTreeSet<SwarmKey>,
}

impl Announcer {
    fn send(&mut self, command: TrackerCommand) -> bool {
        match &command {
            TrackerCommand::Put(key, _) => _ = self.keys.insert(*key),
            TrackerCommand::Remove(key) => _ = self.keys.remove(key),
            _ => {}
        }
        self.commands.send(command).is_ok()
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
            let (commands, received) = mpsc::unbounded_channel();
            let health = Arc::new(Mutex::new(Health::default()));
            let task = tokio::spawn(announcer::run(context.clone(), url.clone(), health.clone(), received));
            self.trackers.insert(url.clone(), Announcer { commands, health, task, keys: BTreeSet::new() });
        }
        self.trackers.get_mut(url).is_some_and(|tracker| tracker.send(command))
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

    /// How a tracker is doing.
    pub fn health(&self, url: &TrackerUrl) -> Health {
        let health = self.trackers.get(url).map(|tracker| &tracker.health);
        health.map(|health| health.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
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

/// A connection to a tracker, after hello. Dropping it closes it.
pub(crate) struct Session {
    pub(crate) caller: TrackerCaller,
    pub(crate) welcome: TrackerWelcome,
    /// The tracker is on this machine.
    pub(crate) is_local: bool,
    carrier: JoinHandle<LinkEnd>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Session {
    /// Connects and says hello.
    pub(crate) async fn open(context: &Context, url: &TrackerUrl) -> Result<Session, String> {
        let addresses = resolve(url).await?;
        let mut last = "its name has no address".to_owned();
        for address in addresses {
            match Session::open_at(context, address).await {
                Ok(session) => return Ok(session),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open_at(context: &Context, address: SocketAddr) -> Result<Session, String> {
        let stream = context.connect(address, false).await.map_err(|error| error.to_string())?;
        let (caller, carrier): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
        let carrier = tokio::spawn(carrier);
        let hello =
            TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: Some(context.tracked()) };
        let welcome = match caller.hello(hello, CALL_TIMEOUT).await {
            Ok(Ok(welcome)) if welcome.version == PROTOCOL_VERSION => welcome,
            Ok(Ok(welcome)) => return Err(format!("it speaks protocol version {}", welcome.version)),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Session { caller, welcome, is_local: plain(address.ip()).is_loopback(), carrier })
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&mut self) -> String {
        match (&mut self.carrier).await {
            Ok(end) => end.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

async fn resolve(url: &TrackerUrl) -> Result<Vec<SocketAddr>, String> {
    let lookup = tokio::net::lookup_host((url.host(), url.port()));
    match tokio::time::timeout(CALL_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => Ok(addresses.take(8).collect()),
        Ok(Err(error)) => Err(format!("its name cannot be resolved: {error}")),
        Err(_) => Err("its name was not resolved in time".to_owned()),
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
