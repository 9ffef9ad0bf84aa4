//! The arguments and results of the calls.

use super::not_allowed::NotAllowed;
use crate::chunk::ChunkCount;
use crate::id::{PeerId, ResourceId, SwarmKey};
use crate::identity::NodeName;
use crate::name::ResourceName;
use crate::rpc::message::Payload;
use crate::signature::SignatureText;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

pub use crate::manifest::TRACKERS_MAX;

/// Limits the resources in one announce or withdraw. A longer one is refused; a machine with more resources makes
/// several calls. The call and its answer must fit into one head each.
pub const ANNOUNCE_MAX: usize = 1024;
/// Limits the peers that are returned for one resource; others of the swarm are left out. They are drawn at random, so
/// repeated questions find further ones.
pub const PEERS_MAX: usize = 50;
/// The usual number of peers in the answer for one resource of an announce. A caller that asks for more signals that no
/// peer it knows has a chunk it needs. It is then told of peers from each network and of those that have been there
/// longest.
pub const NEIGHBOURS: usize = 20;
/// Limits the lonely leechers that a seeder is told of per announce: leechers that found no peer with a chunk they
/// need. The seeder connects to each of them, and the next announce brings others.
pub const LONELY: usize = 4;
/// The number of chunk hashes in one page of a manifest: 256 KiB, so that a page fits into a frame. The last page may
/// have fewer.
pub const PAGE_HASHES: u32 = 8192;
/// Limits the publications in one page of a listing, so that a page fits into a head. The next call returns the next
/// page.
pub const LIST_MAX: usize = 256;
/// Limits the peers in the answer to one announce, so that it fits into a head. They are divided equally among its
/// resources.
pub const REPLY_PEERS_MAX: usize = 4096;

/// Limits the names of one resource in an announce. A tracker refuses more, so a machine that has a resource under more
/// names announces the first ones, and does not learn of newer versions of the others. With more, the answer for
/// [`ANNOUNCE_MAX`] resources would not fit into a head.
pub const ANNOUNCE_NAMES_MAX: usize = 4;

/// The caller's state in one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Which swarm.
    pub key: SwarmKey,
    /// Whether the caller is a leecher or a seeder.
    pub stage: Stage,
    /// The number of chunks that it has.
    pub have: u32,
    /// The number of chunks of the resource.
    pub count: ChunkCount,
    /// The number of peers that it asks for, at most [`PEERS_MAX`]. A seeder is told only of lonely leechers. It is
    /// usually the one that is dialed, but those leechers may not know of it.
    pub peers_wanted: u8,
    /// The names under which the caller has it or fetches it, at most [`ANNOUNCE_NAMES_MAX`].
    pub names: Vec<ResourceName>,
    /// The size in bytes, if the caller has all of it; a leecher cannot know it.
    pub bytes: Option<u64>,
}

/// Whether a peer has all of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// It is fetching the resource.
    Leeching,
    /// It has everything.
    Seeding,
}

/// The answer for one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceAnswer {
    /// Peers of the swarm, drawn at random. The caller is not among them.
    pub peers: Vec<PeerEntry>,
    /// When to announce this resource again, in milliseconds: a few seconds in a young swarm, a minute in a settled
    /// one.
    pub interval_ms: u32,
    /// The tracker does not have the manifest and asks the caller to publish it.
    pub want_manifest: bool,
    /// The same resource is also announced with another list digest, so one of the two manifests is false.
    pub conflict: bool,
    /// When the resource was shared, according to its newest publication, if the tracker knows.
    pub shared_at_ms: Option<u64>,
    /// The number of seeders of the swarm.
    pub seeders: u32,
    /// The number of leechers of the swarm.
    pub leechers: u32,
    /// The newer versions of the announced names: what a name now means, if that is another resource. At most one for
    /// each name.
    pub newer: Vec<Namesake>,
    /// The size in bytes, as reported by a machine that claims to have all of it. It is only checked against the number
    /// of chunks.
    pub bytes: Option<u64>,
    /// The caller may not take part, for this reason. The tracker has not noted the entry, and all else in this answer
    /// is empty.
    pub not_allowed: Option<NotAllowed>,
}

/// The answer to an announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceReply {
    /// One answer per entry, in the same order.
    pub answers: Vec<AnnounceAnswer>,
    /// The last change of the catalogue. Whoever follows it asks for the changes when this one is new.
    pub catalogue: CataloguePlace,
}

/// A peer of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// The address where it listens for peers.
    pub addr: SocketAddr,
    /// Its id.
    pub peer_id: PeerId,
    /// Its swarm: the resource, and the list of chunk hashes that it uses.
    pub key: SwarmKey,
    /// Whether it has the whole resource.
    pub stage: Stage,
    /// The number of chunks that it has.
    pub have: u32,
    /// The number of chunks of the resource.
    pub count: ChunkCount,
    /// Its zone, empty if none is configured.
    pub zone: String,
    /// The host name that it reported, empty if none. Always empty in the answer to an announce.
    pub host: String,
    /// The node that its certificate names, if it showed one to the tracker. Whoever dials the address and finds another
    /// node there does not ask it.
    pub node: Option<NodeName>,
}

/// A resource of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceEntry {
    /// Which swarm.
    pub key: SwarmKey,
    /// Its newest published name, if there is one.
    pub name: Option<ResourceName>,
    /// Whether it has the whole resource.
    pub stage: Stage,
    /// The number of chunks that it has.
    pub have: u32,
    /// The number of chunks of the resource.
    pub count: ChunkCount,
}

/// A manifest without its chunk hashes, published under a name, and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The resource's name.
    pub name: ResourceName,
    /// Its resource and list of chunk hashes.
    pub key: SwarmKey,
    /// The number of chunks that it has.
    pub count: ChunkCount,
    /// The manifest's trackers, at most [`TRACKERS_MAX`].
    pub trackers: Vec<TrackerUrl>,
    /// When it was shared, in milliseconds since 1970 by the tracker's clock; 0 if unknown. A name means its newest
    /// publication. A date in the future counts as 0.
    pub shared_at_ms: u64,
    /// The size in bytes, if the publisher has all of it. The tracker passes on the first size that it was told. It is
    /// only checked against the number of chunks, since a manifest does not contain the size.
    pub bytes: Option<u64>,
    /// The signature of the manifest. The tracker has checked its form, and whoever fetches the resource checks it.
    pub signature: Option<SignatureText>,
}

/// A publication, and the publisher's relation to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The publication.
    pub publication: Publication,
    /// The publisher's relation to it.
    pub role: Role,
}

/// A publisher's relation to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It is sharing this now, and must not take the name from another machine that shares other content under it.
    Claims,
    /// It shared this before, or is permitted to take the name from others.
    Shares,
    /// It fetched this, and the tracker asked it for the manifest.
    Holds,
}

/// How to unpublish a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unpublish {
    /// The name is dropped, and those who fetched the resource do not publish it under this name again.
    TakeBack,
    /// The caller does not have the resource any more: the name is dropped if no other machine takes part in the swarm.
    IfUnused,
}

/// The outcome of unpublishing a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnpublishReply {
    /// The resource is not published under this name.
    Unpublished,
    /// The name stays published, because this machine shares the resource under it too.
    SharedBy(SocketAddr),
    /// The name stays published, because other machines take part in the swarm.
    InUse,
}

/// Other content that has the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namesake {
    /// The name.
    pub name: ResourceName,
    /// The resource that the name means.
    pub resource: ResourceId,
    /// The machine that shares it; if no such machine takes part any more, the one that published it.
    pub by: SocketAddr,
    /// How long ago it was shared, in milliseconds, if known.
    pub shared_ago_ms: Option<u64>,
}

/// The answer to a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublishReply {
    /// It is published. If the name means other content, that content is given.
    Published(Option<Namesake>),
    /// The tracker needs this page of the chunk hashes.
    NeedPage(u32),
}

/// Limits the publications in one `publish_whole` call; a larger call is refused. Together their chunk hashes are
/// limited to [`PAGE_HASHES`].
pub const OFFERS_MAX: usize = 128;

/// Limits the publications that are returned for one name or id; others are left out. Whoever asks needs one that is
/// valid.
pub const CANDIDATES_MAX: usize = 8;

/// A search in the catalogue.
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
    /// The publication.
    pub publication: Publication,
    /// The number of peers that have all of it.
    pub seeders: u32,
    /// The number of peers that have a part of it.
    pub leechers: u32,
}

/// Limits the machines in one page of a fleet, so that a page fits into a head. The next call returns the next page.
pub const FLEET_MAX: usize = 1024;

/// The position at which a page of a fleet ended, to be passed on for the next page. It is meaningful only to the
/// tracker that returned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FleetPlace {
    /// The swarm of the last machine.
    pub key: SwarmKey,
    /// The address of the last machine.
    pub addr: SocketAddr,
    /// The id of the last machine.
    pub peer_id: PeerId,
}

/// Limits the outdated machines in [`Fleet::some_outdated`]: enough to name some in one line of text.
pub const OUTDATED_SHOWN_MAX: usize = 8;

/// The machines that a tracker has seen with a resource, or one page of them. If a name was asked for, machines that
/// have other content under that name are among them: a former version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// The resource that was asked for, or that the name means; `None` if nothing is published under the name.
    pub resource: Option<ResourceId>,
    /// How long ago that resource was shared under the name, in milliseconds, if known. If an id was asked for: how long
    /// ago it was first shared under any of the names that it is published under.
    pub shared_ago_ms: Option<u64>,
    /// Machines that have all of it and take part in its swarm now.
    pub seeders: u32,
    /// Machines that have a part of it and take part in its swarm now.
    pub leechers: u32,
    /// Machines that left before they had all of it and did not come back.
    pub gone_unfinished: u32,
    /// Machines that have a former version of the name, or a part of one, and take part in its swarm now.
    pub outdated: u32,
    /// Some of the outdated machines, at most [`OUTDATED_SHOWN_MAX`]; also if only the counts were asked for.
    pub some_outdated: Vec<FleetMachine>,
    /// The machines, by swarm, address and id, at most [`FLEET_MAX`]. An outdated machine has the key of the former
    /// version.
    pub machines: Vec<FleetMachine>,
    /// The position of the next page; `None` after the last.
    pub next: Option<FleetPlace>,
    /// How long the tracker has been up, in milliseconds. A tracker that was restarted does not know all machines until
    /// each has announced again.
    pub up_ms: u64,
}

/// The state of a machine with a resource, as it told the tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMachine {
    /// The address where it listens for peers.
    pub addr: SocketAddr,
    /// Its id, since several machines may share one address.
    pub peer_id: PeerId,
    /// Its swarm: the resource, and the list of chunk hashes that it uses.
    pub key: SwarmKey,
    /// Its zone, empty if none is configured.
    pub zone: String,
    /// Whether it takes part now.
    pub presence: Presence,
    /// The number of chunks that it has.
    pub have: u32,
    /// The number of chunks of the resource.
    pub count: ChunkCount,
    /// Its recent download rate; `None` if it has all chunks or was not watched for long enough.
    pub bytes_per_s: Option<u64>,
    /// How long ago it last announced, in milliseconds.
    pub seen_ms: u64,
    /// How long ago its number of chunks last grew, in milliseconds.
    pub still_ms: u64,
    /// The host name that it reported, empty if none.
    pub host: String,
    /// The node that its certificate names, if it showed one to the tracker.
    pub node: Option<NodeName>,
}

/// Whether a machine takes part in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// It announces itself.
    Here,
    /// It withdrew: it was paused or stopped, or the resource was removed or failed.
    Left,
    /// It did not announce for three of its intervals.
    Lost,
}

/// A page of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPage {
    /// Raw hashes, 32 bytes each.
    pub hashes: Payload,
}

/// Limits the changes in one answer, so that it fits into a head. The next call returns the following ones.
pub const CHANGES_MAX: usize = 256;

/// A moment of a tracker's catalogue: after the change with this number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePlace {
    /// The tracker's start, as in its welcome. Each start counts its changes anew.
    pub epoch: u64,
    /// The number of the change; 0 is before the first one.
    pub sequence: u64,
}

/// A name of which the meaning changed, and what it means now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The name.
    pub name: ResourceName,
    /// The resource and the list of chunk hashes that it means.
    pub key: SwarmKey,
    /// When that was shared, in milliseconds since 1970 by the tracker's clock; 0 if unknown.
    pub shared_at_ms: u64,
    /// Its size in bytes, as a machine reported it.
    pub bytes: Option<u64>,
}

/// The names that changed after a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The moment up to which these are the changes, to be passed on with the next question.
    pub place: CataloguePlace,
    /// The names that changed and that the caller may fetch, oldest change first; at most [`CHANGES_MAX`]. A name that changed
    /// several times is there once. Names that mean nothing any more are not there.
    pub changes: Vec<Change>,
    /// Whether there are more, so that the caller asks again at once.
    pub more: bool,
    /// When to ask again, in milliseconds: the more machines, the later.
    pub poll_ms: u32,
    /// The tracker's time of day, in milliseconds since 1970.
    pub now_ms: u64,
}
