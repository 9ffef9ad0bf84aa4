//! `ttctl tracker`: what a tracker knows. ttctl asks it directly, as one that only asks.

use crate::cli::{
    Global, TrackerListArgs, TrackerPeersArgs, TrackerResourcesArgs, WhichTracker, resource_name,
};
use crate::connect::Daemon;
use crate::documents::{
    Document, Publication, Publications, TrackedPeer, TrackedPeers, TrackedResource, TrackedResources, stage,
};
use crate::error::Error;
use crate::human;
use crate::output::{Colour, Output};
use crate::table::{Cell, Side, Table};
use shared::id::ResourceId;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, FLEET_MAX, Fleet, FleetMachine, LIST_MAX, ListEntry, Lookup, ResourceEntry, Stage,
    TrackerCaller, TrackerError, TrackerHello,
};
use shared::rpc::wire::{self, CallError, ClientOptions};
use shared::url::{PEER_PORT, TrackerUrl};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) async fn list(args: &TrackerListArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let tracker = Tracker::connect(&args.which, global).await?;
    let mut entries: Vec<ListEntry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.publication.name.clone());
        let page = tracker.answer(tracker.caller.list(after.clone(), CALL_TIMEOUT).await)?;
        // A tracker that goes round in circles would keep us for ever.
        if page.first().is_some_and(|first| Some(&first.publication.name) <= after.as_ref()) {
            return Err(tracker.nonsense());
        }
        let full = page.len() >= LIST_MAX;
        entries.extend(page);
        if !full {
            break;
        }
    }
    if output.is_json() {
        return output.json(&Document::new(Publications {
            tracker: tracker.url.to_string(),
            publications: entries.iter().map(Publication::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("SIZE", Side::Right),
        ("SEEDERS", Side::Right),
        ("LEECHERS", Side::Right),
        ("RESOURCE", Side::Left),
    ]);
    for entry in &entries {
        table.row(vec![
            entry.publication.name.as_str().into(),
            format!("~{}", human::bytes(entry.publication.count.bytes_max())).into(),
            entry.seeders.to_string().into(),
            entry.leechers.to_string().into(),
            entry.publication.key.resource.to_string().into(),
        ]);
    }
    table.print(output, &format!("{} has no publications", tracker.url))
}

pub(crate) async fn peers(
    args: &TrackerPeersArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let tracker = Tracker::connect(&args.which, global).await?;
    let resource = tracker.resource(resource_name(&args.what)).await?;
    let peers = tracker.answer(tracker.caller.peers_of(resource, CALL_TIMEOUT).await)?;
    if output.is_json() {
        return output.json(&Document::new(TrackedPeers {
            tracker: tracker.url.to_string(),
            resource: resource.to_string(),
            peers: peers.iter().map(TrackedPeer::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        ("PEER", Side::Left),
        ("STAGE", Side::Left),
        ("HAS", Side::Right),
        ("ZONE", Side::Left),
    ]);
    for peer in &peers {
        table.row(vec![
            peer.addr.to_string().into(),
            stage_cell(peer.stage),
            human::percent(peer.have.into(), peer.count.get().into()).into(),
            peer.zone.as_str().into(),
        ]);
    }
    table.print(output, &format!("{} knows no peer of {resource}", tracker.url))
}

pub(crate) async fn resources(
    args: &TrackerResourcesArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let tracker = Tracker::connect(&args.which, global).await?;
    let peer = peer_address(&args.peer).await?;
    let entries = tracker.resources_of(peer).await?;
    if output.is_json() {
        return output.json(&Document::new(TrackedResources {
            tracker: tracker.url.to_string(),
            peer,
            resources: entries.iter().map(TrackedResource::from).collect(),
        }));
    }
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("STAGE", Side::Left),
        ("HAS", Side::Right),
        ("RESOURCE", Side::Left),
    ]);
    for entry in &entries {
        table.row(vec![
            entry
                .name
                .as_ref()
                .map_or(Cell::coloured("(not published)", Colour::Faint), |name| name.as_str().into()),
            stage_cell(entry.stage),
            human::percent(entry.have.into(), entry.count.get().into()).into(),
            entry.key.resource.to_string().into(),
        ]);
    }
    table.print(output, &format!("{} knows no resource of {peer}", tracker.url))
}

fn stage_cell(of: Stage) -> Cell {
    Cell::coloured(stage(of), if of == Stage::Seeding { Colour::Good } else { Colour::Busy })
}

/// A tracker that answered hello.
pub(crate) struct Tracker {
    url: TrackerUrl,
    software: String,
    caller: TrackerCaller,
}

impl Tracker {
    /// The one that was named, else the first of the daemon's that answers.
    pub(crate) async fn connect(which: &WhichTracker, global: &Global) -> Result<Tracker, Error> {
        if let Some(url) = &which.tracker {
            return dial(url).await;
        }
        let daemon = Daemon::connect(global)
            .await
            .map_err(|error| error.hint("name a tracker with --tracker, or start ttd, which knows some"))?;
        let mut first = None;
        for url in &daemon.info.trackers {
            match dial(url).await {
                Ok(tracker) => return Ok(tracker),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| {
            Error::usage("ttd is configured with no tracker").hint("name one with --tracker tt://HOST")
        }))
    }

    pub(crate) async fn resource(&self, what: &str) -> Result<ResourceId, Error> {
        if let Ok(resource) = what.parse() {
            return Ok(resource);
        }
        let name = what.parse().map_err(|why| Error::usage(format!("\"{what}\": {why}")))?;
        let found = self.answer(self.caller.find(Lookup::Name(name), CALL_TIMEOUT).await)?;
        found.first().map(|entry| entry.publication.key.resource).ok_or_else(|| {
            Error::refused(format!("{} has no publication \"{what}\"", self.url))
                .hint(format!("`ttctl tracker list --tracker {}` shows all there are", self.url))
        })
    }

    /// Its address.
    pub(crate) fn name(&self) -> &str {
        self.url.as_str()
    }

    /// All machines that it has seen with a resource, in the tracker's order.
    pub(crate) async fn fleet(&self, resource: ResourceId) -> Result<Vec<FleetMachine>, Error> {
        let mut machines: Vec<FleetMachine> = Vec::new();
        let mut after = None;
        loop {
            let page = self.caller.fleet(resource, after, FLEET_MAX as u32, CALL_TIMEOUT).await;
            let page = self.answer(page)?;
            machines.extend(page.machines);
            if page.next.is_none() {
                return Ok(machines);
            }
            // A tracker that goes round in circles would keep us for ever.
            if page.next <= after {
                return Err(self.nonsense());
            }
            after = page.next;
        }
    }

    /// How many machines have all or a part of a resource.
    pub(crate) async fn count(&self, resource: ResourceId) -> Result<Fleet, Error> {
        self.answer(self.caller.fleet(resource, None, 0, CALL_TIMEOUT).await)
    }

    /// Its software's version, and its time of day in milliseconds since 1970.
    pub(crate) async fn version_and_clock(&self) -> Result<(&str, u64), Error> {
        Ok((&self.software, self.answer(self.caller.clock(CALL_TIMEOUT).await)?))
    }

    async fn resources_of(&self, peer: SocketAddr) -> Result<Vec<ResourceEntry>, Error> {
        let mut entries: Vec<ResourceEntry> = Vec::new();
        loop {
            let after = entries.last().map(|entry| entry.key);
            let page = self.answer(self.caller.resources_of(peer, after, CALL_TIMEOUT).await)?;
            if page.first().is_some_and(|first| Some(first.key) <= after) {
                return Err(self.nonsense());
            }
            let full = page.len() >= ANNOUNCE_MAX;
            entries.extend(page);
            if !full {
                return Ok(entries);
            }
        }
    }

    fn answer<T>(&self, answer: Result<Result<T, TrackerError>, CallError>) -> Result<T, Error> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refused)) => Err(Error::refused(format!("{}: {refused}", self.url))),
            Err(CallError::TimedOut) => Err(Error::unreachable(format!("{} does not answer", self.url))),
            Err(CallError::Closed) => Err(Error::unreachable(format!("{} closed the connection", self.url))
                .hint("it was stopped, or what listens there is no tt-tracker; try again in a moment")),
            Err(CallError::Refused) => {
                Err(Error::unreachable(format!("{} is too busy", self.url)).hint("try again in a moment"))
            }
            Err(error @ (CallError::WrongReply | CallError::Failed(_))) => {
                Err(Error::internal(format!("the talk with {} failed: {error}", self.url))
                    .hint("what listens there may be no tt-tracker, or one of another version"))
            }
        }
    }

    fn nonsense(&self) -> Error {
        Error::internal(format!("{} answers out of order", self.url))
    }
}

/// Connects to a tracker and says hello, as one that only asks.
pub(crate) async fn dial(url: &TrackerUrl) -> Result<Tracker, Error> {
    let unreachable = |error: io::Error| {
        let reason = Error::io(format!("cannot reach the tracker {url}"), &error).message;
        Error::unreachable(reason).hint("is tt-tracker running there, and its port open?")
    };
    let connecting = TcpStream::connect((url.host(), url.port()));
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")))
        .map_err(unreachable)?;
    let (caller, link) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let mut tracker = Tracker { url: url.clone(), software: String::new(), caller };
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
    let answer = tracker.caller.hello(hello, CALL_TIMEOUT).await;
    let welcome = tracker.answer(answer)?;
    tracker.software = welcome.software;
    Ok(tracker)
}

/// An address, with or without a port, or a host's name.
async fn peer_address(text: &str) -> Result<SocketAddr, Error> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PEER_PORT));
    }
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:{PEER_PORT}") };
    let mut found = tokio::net::lookup_host(&with_port).await.map_err(|error| {
        Error::usage(format!("{text} is no peer's address: {error}")).hint("use HOST:PORT")
    })?;
    found.next().ok_or_else(|| Error::refused(format!("{text} has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peers_address_needs_no_port() {
        let cases = [
            ("10.0.0.1", "10.0.0.1:7987"),
            ("10.0.0.1:99", "10.0.0.1:99"),
            ("::1", "[::1]:7987"),
            ("[::1]", "[::1]:7987"),
            ("[::1]:99", "[::1]:99"),
        ];
        for (text, addr) in cases {
            assert_eq!(peer_address(text).await.unwrap(), addr.parse().unwrap(), "{text}");
        }
        assert_eq!(peer_address("10.0.0.1:x").await.unwrap_err().exit_code(), 2);
    }

    #[tokio::test]
    async fn a_tracker_that_is_not_there_is_named() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("tt://127.0.0.1:{port}");
        let error = dial(&url.parse().unwrap()).await.map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 8);
        assert_eq!(error.message, format!("cannot reach the tracker {url}: Connection refused"));
    }

    #[tokio::test]
    async fn a_tracker_that_hangs_up_can_be_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("tt://{}", listener.local_addr().unwrap());
        let hang_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let error = dial(&url.parse().unwrap()).await.map(|_| ()).unwrap_err();
        hang_up.join().unwrap();
        assert_eq!((error.exit_code(), error.message), (8, format!("{url} closed the connection")));
    }
}
