//! The `Tracker` service: who has (part of) what, and the catalogue of published manifests.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

use super::wire::calls;
use super::{Message, Payload, WrongVersion};
use crate::chunk::ChunkCount;
use crate::id::{PeerId, ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The most resources in one announce or withdraw.
pub const ANNOUNCE_MAX: usize = 1024;
/// The most peers that are returned for one resource.
pub const PEERS_MAX: usize = 50;
/// How many peers are returned for one resource of an announce.
pub const NEIGHBOURS: usize = 20;
/// How many chunk hashes one page of a manifest has (the last page may have fewer): 256 KiB.
pub const PAGE_HASHES: u32 = 8192;
/// The most publications in one page of a listing.
pub const LIST_MAX: usize = 256;
pub use crate::manifest::TRACKERS_MAX;

#[tarpc::service]
pub trait Tracker {
    /// Must be the first call on a connection; nothing else is answered before.
    async fn hello(hello: TrackerHello) -> Result<TrackerWelcome, TrackerError>;

    // -- who has what
    /// Adds or renews the caller's entries, at most [`ANNOUNCE_MAX`]. The answers are in the same order.
    async fn announce(entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError>;
    /// Takes the caller's entries out, at most [`ANNOUNCE_MAX`].
    async fn withdraw(keys: Vec<SwarmKey>) -> Result<(), TrackerError>;
    /// The peers that have some or all of a resource, at most [`PEERS_MAX`], drawn at random.
    async fn peers_of(resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError>;
    /// The resources that a peer has some or all of, in order of their ids, after `after`: at most
    /// [`ANNOUNCE_MAX`].
    async fn resources_of(
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<Vec<ResourceEntry>, TrackerError>;

    // -- the catalogue
    /// Publishes a manifest under a name. When the answer asks for pages, the caller sends them in order.
    async fn publish(publication: Publication) -> Result<PublishReply, TrackerError>;
    /// The next page of a manifest that is being published: raw hashes, 32 bytes each, [`PAGE_HASHES`] of them
    /// but on the last page.
    async fn publish_page(key: SwarmKey, page: u32, hashes: Payload) -> Result<PublishReply, TrackerError>;
    /// The newest publication of a name, or of a resource's id.
    async fn find(what: Lookup) -> Result<Option<Publication>, TrackerError>;
    /// A page of a manifest's chunk hashes, counted from 0.
    async fn manifest(key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError>;
    /// What is published, in order of names, after `after`: at most [`LIST_MAX`].
    async fn list(after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError>;
}

calls! {
    TrackerCaller = TrackerRequest => TrackerResponse;
    /// See [`Tracker::hello`].
    hello / Hello(hello: TrackerHello) -> Result<TrackerWelcome, TrackerError>;
    /// See [`Tracker::announce`].
    announce / Announce(entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError>;
    /// See [`Tracker::withdraw`].
    withdraw / Withdraw(keys: Vec<SwarmKey>) -> Result<(), TrackerError>;
    /// See [`Tracker::peers_of`].
    peers_of / PeersOf(resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError>;
    /// See [`Tracker::resources_of`].
    resources_of / ResourcesOf(peer: SocketAddr, after: Option<SwarmKey>)
        -> Result<Vec<ResourceEntry>, TrackerError>;
    /// See [`Tracker::publish`].
    publish / Publish(publication: Publication) -> Result<PublishReply, TrackerError>;
    /// See [`Tracker::publish_page`].
    publish_page / PublishPage(key: SwarmKey, page: u32, hashes: Payload) -> Result<PublishReply, TrackerError>;
    /// See [`Tracker::find`].
    find / Find(what: Lookup) -> Result<Option<Publication>, TrackerError>;
    /// See [`Tracker::manifest`].
    manifest / Manifest(key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError>;
    /// See [`Tracker::list`].
    list / List(after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError>;
}

/// What a caller says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerHello {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Bits for optional features; none is defined yet. Unknown bits are ignored.
    pub capabilities: u64,
    /// Its id; `None` for a caller that only asks (ttctl): it cannot announce.
    pub peer: Option<TrackedPeer>,
}

/// A caller that is a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedPeer {
    /// Its id, drawn at this start of its process.
    pub peer_id: PeerId,
    /// The port that it listens on for peers. Its address is the connection's.
    pub listen_port: u16,
    /// Its zone, empty if none is configured.
    pub zone: String,
}

/// The answer to hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerWelcome {
    /// The protocol version that the tracker speaks.
    pub version: u16,
    /// As in [`TrackerHello`].
    pub capabilities: u64,
    /// Drawn at random at the tracker's start: another epoch means that it has forgotten everything.
    pub epoch: u64,
    /// The tracker's software version, for people.
    pub software: String,
    /// The caller's address as the tracker sees it.
    pub your_address: SocketAddr,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackerError {
    /// Another protocol version.
    Version(WrongVersion),
    /// The call is malformed: too many entries, port 0, pages out of order, a caller that is no peer.
    Malformed(String),
    /// A limit of the tracker is reached; the text says which.
    Full(String),
    /// No such publication, or it has no such page.
    Unknown,
    /// The resource is published with another list of chunk hashes already: one of the two is false.
    Conflict,
}

impl std::fmt::Display for TrackerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TrackerError::Version(wrong) => wrong.fmt(f),
            TrackerError::Malformed(what) => write!(f, "the tracker found the call malformed: {what}"),
            TrackerError::Full(what) => write!(f, "the tracker is full: {what}"),
            TrackerError::Unknown => f.write_str("the tracker knows no such publication"),
            TrackerError::Conflict => f.write_str(
                "the tracker has another list of chunk hashes for the same resource: one of the two is false",
            ),
        }
    }
}

impl std::error::Error for TrackerError {}

/// One resource that the caller takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Which swarm.
    pub key: SwarmKey,
    /// How far the caller is.
    pub stage: Stage,
    /// How many chunks it has.
    pub have: u32,
    /// How many there are.
    pub count: ChunkCount,
    /// How many peers it would like to be told, at most [`PEERS_MAX`]; 0 for a seeder, which is dialled.
    pub peers_wanted: u8,
}

/// How far a peer is with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// It fetches what it does not have.
    Leeching,
    /// It has everything.
    Seeding,
}

/// The answer to an announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceReply {
    /// One answer per entry, in the same order.
    pub answers: Vec<AnnounceAnswer>,
}

/// The answer for one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceAnswer {
    /// Peers of the swarm, drawn at random, the caller not among them.
    pub peers: Vec<PeerEntry>,
    /// When to announce this resource again, in milliseconds: seconds in a young swarm, a minute in a settled
    /// one.
    pub interval_ms: u32,
    /// The tracker does not have the manifest: please publish it.
    pub want_manifest: bool,
    /// The same resource is announced with another list digest: one of the two manifests is false.
    pub conflict: bool,
    /// When the name under which the resource was published last was shared, if the tracker knows.
    pub shared_at_ms: Option<u64>,
    /// How many seeders the tracker counts, and how many leechers.
    pub seeders: u32,
    pub leechers: u32,
}

/// A peer of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its id.
    pub peer_id: PeerId,
    /// Which list of chunk hashes it goes by.
    pub key: SwarmKey,
    /// How far it is.
    pub stage: Stage,
    /// How many chunks it has.
    pub have: u32,
    /// How many there are.
    pub count: ChunkCount,
    /// Its zone, empty if none is configured.
    pub zone: String,
}

/// A resource of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceEntry {
    /// Which swarm.
    pub key: SwarmKey,
    /// Its newest published name, if there is one.
    pub name: Option<ResourceName>,
    /// How far the peer is.
    pub stage: Stage,
    /// How many chunks it has.
    pub have: u32,
    /// How many there are.
    pub count: ChunkCount,
}

/// A manifest without its chunk hashes, published under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The resource's name.
    pub name: ResourceName,
    /// What it is.
    pub key: SwarmKey,
    /// How many chunks it has.
    pub count: ChunkCount,
    /// The manifest's trackers, at most [`TRACKERS_MAX`].
    pub trackers: Vec<TrackerUrl>,
    /// When the sharer shared it, in milliseconds since 1970; 0 if the publisher does not know. The newest
    /// publication of a name is the one that the name means.
    pub shared_at_ms: u64,
}

/// The answer to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublishReply {
    /// It is published.
    Published,
    /// The tracker needs this page of the chunk hashes.
    NeedPage(u32),
}

/// What to look for in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// The newest publication of this name.
    Name(ResourceName),
    /// The newest publication of this resource.
    Resource(ResourceId),
}

/// A page of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPage {
    /// Raw hashes, 32 bytes each.
    pub hashes: Payload,
}

/// A publication in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// What is published.
    pub publication: Publication,
    /// How many peers have all of it, and how many a part.
    pub seeders: u32,
    pub leechers: u32,
}

impl Message for TrackerRequest {
    const BODY_BYTES_MAX: usize = PAGE_HASHES as usize * 32;
    const HEAD_BYTES_MAX: usize = 256 << 10; // an announce of 1,024 resources

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            TrackerRequest::PublishPage { hashes, .. } => Some(hashes),
            _ => None,
        }
    }

    fn is_hello(&self) -> bool {
        matches!(self, TrackerRequest::Hello { .. })
    }
}

impl Message for TrackerResponse {
    const BODY_BYTES_MAX: usize = PAGE_HASHES as usize * 32;
    const HEAD_BYTES_MAX: usize = 8 << 20; // 1,024 answers with their peers

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            TrackerResponse::Manifest(Ok(page)) => Some(&mut page.hashes),
            _ => None,
        }
    }
}
