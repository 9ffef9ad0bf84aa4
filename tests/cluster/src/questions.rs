//! Asks a scenario's tracker over the real protocol, as a client that only asks.

use crate::Tracker;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{LIST_MAX, ListEntry, Lookup, PeerEntry, TrackerCaller, TrackerHello};
use shared::rpc::wire::{ClientOptions, client};
use std::net::SocketAddr;
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

    /// Connects, says hello, and asks.
    #[track_caller]
    fn ask<T>(&self, question: impl AsyncFnOnce(TrackerCaller) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let stream = TcpStream::connect(self.addr()).await.expect("the tracker listens");
            let (caller, link) = client(stream, ClientOptions::default());
            let caller: TrackerCaller = caller;
            tokio::spawn(link);
            let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
            caller.hello(hello, ANSWER_MAX).await.expect("an answer to hello").expect("a welcome");
            question(caller).await
        })
    }
}
