//! What callers tell a tracker, and what it tells them.

use crate::chunk::ChunkCount;
use crate::id::{PeerId, ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::rpc::message::Payload;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

pub use crate::manifest::TRACKERS_MAX;

/// The most resources in one announce or withdraw.
pub const ANNOUNCE_MAX: usize = 1024;
/// The most peers that are returned for one resource.
pub const PEERS_MAX: usize = 50;
/// How many peers are returned for one resource of an announce. Who asks for more says that nobody it knows has anything
/// that it needs: it is told of some from each network, and of those that have been there for longest.
pub const NEIGHBOURS: usize = 20;
/// How many leechers that found nobody a seeder is told of.
pub const LONELY: usize = 4;
/// How many chunk hashes one page of a manifest has (the last page may have fewer): 256 KiB.
pub const PAGE_HASHES: u32 = 8192;
/// The most publications in one page of a listing.
pub const LIST_MAX: usize = 256;
/// The most peers in the answers to one announce, of all its resources together; each gets an equal share.
pub const REPLY_PEERS_MAX: usize = 4096;

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
    /// How many peers it would like to be told, at most [`PEERS_MAX`]. A seeder is told only of leechers that found nobody:
    /// it is dialled, but they may not hear of it.
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
    /// How many seeders the tracker counts.
    pub seeders: u32,
    /// How many leechers the tracker counts.
    pub leechers: u32,
    /// The caller shared this resource, and a name of it means other content by now.
    pub overtaken: Option<Namesake>,
}

/// The answer to an announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceReply {
    /// One answer per entry, in the same order.
    pub answers: Vec<AnnounceAnswer>,
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
    /// When the sharer shared it, in milliseconds since 1970 by the tracker's clock; 0 if the publisher does not know.
    /// The newest publication of a name is the one that the name means. A date that is still to come counts as 0.
    pub shared_at_ms: u64,
}

/// A publication, and what its publisher has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What is published.
    pub publication: Publication,
    /// Whether the caller shared it.
    pub role: Role,
}

/// What a publisher has to do with what it publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It shares this just now, and must not take the name from another machine that shares other content under it.
    Claims,
    /// It shared this before, or may take the name from others.
    Shares,
    /// It fetched this, and was asked for the manifest.
    Holds,
}

/// What becomes of a name that the caller shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unpublish {
    /// Nobody finds the resource under this name any more, and those who fetched it do not publish it under this name again.
    TakeBack,
    /// The caller does not have it any more: the name goes if no other machine takes part in the swarm.
    IfUnused,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnpublishReply {
    /// The resource is not published under this name.
    Unpublished,
    /// It stays published: this machine shares it under the same name, too.
    SharedBy(SocketAddr),
    /// It stays published: other machines take part in the swarm.
    InUse,
}

/// Other content under the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namesake {
    /// The name.
    pub name: ResourceName,
    /// What the name means.
    pub resource: ResourceId,
    /// The machine that shares it, or, when none of those takes part any more, the one that published it.
    pub by: SocketAddr,
    /// How long ago it was shared, in milliseconds, if that is known.
    pub shared_ago_ms: Option<u64>,
}

/// The answer to a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublishReply {
    /// It is published. If the name means other content, this says which.
    Published(Option<Namesake>),
    /// The tracker needs this page of the chunk hashes.
    NeedPage(u32),
}

/// The most publications in one call that brings their chunk hashes along; all of them together have at most
/// [`PAGE_HASHES`].
pub const OFFERS_MAX: usize = 128;

/// The most publications that are offered for one name or id.
pub const CANDIDATES_MAX: usize = 8;

/// What to look for in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// The publications of this name.
    Name(ResourceName),
    /// The publications of this resource.
    Resource(ResourceId),
}

/// A publication in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// What is published.
    pub publication: Publication,
    /// How many peers have all of it.
    pub seeders: u32,
    /// How many peers have a part of it.
    pub leechers: u32,
}

/// The most machines in one page of a fleet.
pub const FLEET_MAX: usize = 1024;

/// Where a page of a fleet ended, for the next one. Only the tracker that said it can make something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FleetPlace {
    /// In which swarm.
    pub key: SwarmKey,
    /// After which machine …
    pub addr: SocketAddr,
    /// … and which process there.
    pub peer_id: PeerId,
}

/// All machines that a tracker has seen with a resource, or a page of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// How many machines have all of it, and take part in its swarm.
    pub seeders: u32,
    /// How many have a part of it, and take part in its swarm.
    pub leechers: u32,
    /// How many were gone before they had all of it, and did not come back.
    pub gone_unfinished: u32,
    /// The machines, by swarm, address and id, at most [`FLEET_MAX`].
    pub machines: Vec<FleetMachine>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<FleetPlace>,
}

/// How far a machine is with a resource, as it told the tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMachine {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its id: several machines may be behind one address.
    pub peer_id: PeerId,
    /// Which list of chunk hashes it goes by.
    pub key: SwarmKey,
    /// Its zone, empty if none is configured.
    pub zone: String,
    /// Whether it takes part now.
    pub presence: Presence,
    /// How many chunks it has.
    pub have: u32,
    /// How many there are.
    pub count: ChunkCount,
    /// How fast its chunks came lately; `None` if it was not watched for long enough, or has all.
    pub bytes_per_s: Option<u64>,
    /// How long ago it announced last, in milliseconds.
    pub seen_ms: u64,
    /// How long ago it was first seen to have so many chunks, in milliseconds.
    pub still_ms: u64,
}

/// Whether a machine takes part in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// It announces itself.
    Here,
    /// It said goodbye: it was paused or stopped, the resource was removed, or cannot go on.
    Left,
    /// It was not heard of for three of its intervals.
    Lost,
}

/// A page of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPage {
    /// Raw hashes, 32 bytes each.
    pub hashes: Payload,
}
