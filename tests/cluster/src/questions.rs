//! Asks a scenario's tracker over the real protocol, as a client that only asks.

use crate::Tracker;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{
    CataloguePlace, LIST_MAX, ListEntry, Lookup, PeerEntry, TrackerCaller, TrackerHello,
};
use shared::rpc::wire::{ClientOptions, client};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a tracker may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

impl Tracker {
    /// All publications, in order of names.
    #[track_caller]
    pub fn list(&self) -> Vec<ListEntry> {
        self.ask(async |caller| {
            let mut entries: Vec<ListEntry> = Vec::new();
            loop {
                let after = entries.last().map(|entry| entry.publication.name.clone());
                let page = caller.list(after, ANSWER_MAX).await.expect("a page").expect("a page");
                let is_full = page.len() >= LIST_MAX;
                entries.extend(page);
                if !is_full {
                    return entries;
                }
            }
        })
    }

    /// The resource that a name means; `None` if nothing is published under it.
    #[track_caller]
    pub fn meaning(&self, name: &str) -> Option<ResourceId> {
        let name: ResourceName = name.parse().expect("a name");
        let found = self.ask(async |caller| caller.find(Lookup::Name(name), ANSWER_MAX).await);
        let found = found.expect("an answer").expect("what a name means");
        found.first().map(|entry| entry.publication.key.resource)
    }

    /// The peers of a resource; `what` is its id or a name.
    #[track_caller]
    pub fn entries(&self, what: &str) -> Vec<PeerEntry> {
        let Some(resource) = what.parse().ok().or_else(|| self.meaning(what)) else { return Vec::new() };
        let peers = self.ask(async |caller| caller.peers_of(resource, ANSWER_MAX).await);
        peers.expect("an answer").expect("a list of peers")
    }

    /// The addresses of a resource's peers, in order.
    #[track_caller]
    pub fn peers(&self, what: &str) -> Vec<SocketAddr> {
        let mut addrs: Vec<SocketAddr> = self.entries(what).into_iter().map(|peer| peer.addr).collect();
        addrs.sort();
        addrs
    }

    /// Has this many machines follow its catalogue, each over a connection of its own, and counts for `span` how often they
    /// ask. Returns that with the processor time of the tracker meanwhile.
    #[track_caller]
    pub fn measure_followers(&self, machines: usize, span: Duration) -> (u64, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let asked = Arc::new(AtomicU64::new(0));
        runtime.block_on(async {
            let mut callers = Vec::new();
            for _ in 0..machines {
                callers.push(connect(self.addr()).await);
            }
            for (number, caller) in callers.into_iter().enumerate() {
                tokio::spawn(follow(caller, number as f64 / machines as f64, asked.clone()));
            }
            let settled = Duration::from_secs(20); // each has asked, and knows how often
            tokio::time::sleep(settled).await;
            let (count, time) = (asked.load(Ordering::Relaxed), processor_time(self.id()));
            tokio::time::sleep(span).await;
            (asked.load(Ordering::Relaxed) - count, processor_time(self.id()) - time)
        })
    }

    /// Connects, says hello, and asks.
    #[track_caller]
    fn ask<T>(&self, question: impl AsyncFnOnce(TrackerCaller) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let caller = connect(self.addr()).await;
            question(caller).await
        })
    }
}

/// Connects and says hello.
async fn connect(addr: SocketAddr) -> TrackerCaller {
    let stream = TcpStream::connect(addr).await.expect("the tracker listens");
    let (caller, link) = client(stream, ClientOptions::default());
    let caller: TrackerCaller = caller;
    tokio::spawn(link);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
    caller.hello(hello, ANSWER_MAX).await.expect("an answer to hello").expect("a welcome");
    caller
}

/// Asks again and again what changed, as often as the tracker says; the first time after this share of 15 s.
async fn follow(caller: TrackerCaller, begin: f64, asked: Arc<AtomicU64>) {
    tokio::time::sleep(Duration::from_secs(15).mul_f64(begin)).await;
    let mut place = CataloguePlace::default();
    loop {
        let changes = caller.changes(place, u32::MAX, ANSWER_MAX).await.expect("an answer");
        let changes = changes.expect("the changes");
        asked.fetch_add(1, Ordering::Relaxed);
        place = changes.place;
        tokio::time::sleep(Duration::from_millis(changes.poll_ms.into())).await;
    }
}

/// The processor time that a process has used, to within 20 ms.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
