//! Tests of the registry with calls of peers.

mod catalogue;
mod changes;
mod crowded;
mod elders;
mod fleet;
mod floods;
mod invented;
mod names;
mod nat;
mod newest;
mod owners;
mod pure;
mod ranks;
mod rollout;
mod signatures;
mod sizes;
mod swarms;
mod sweep;
mod unpublish;

use super::*;
use shared::chunk::ChunkCount;
use shared::id::{ChunkHash, ListDigest, PeerId, ResourceId, SwarmKey};
use shared::rpc::tracker::*;
use shared::swarm::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A registry with its own clock.
struct World {
    registry: Registry,
    now: Time,
}

impl World {
    fn new(limits: RegistryLimits) -> World {
        World { registry: Registry::new(limits, [7; 32]), now: Time(0) }
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        while self.registry.expire(self.now).more {}
    }

    fn announce(&mut self, who: &Who, entry: Announce) -> Result<AnnounceAnswer, Refusal> {
        let mut answers = self.registry.announce(self.now, who, &[entry])?;
        assert_eq!(answers.len(), 1);
        Ok(answers.remove(0))
    }

    fn publish(&mut self, publication: &Publication, hashes: &[ChunkHash]) -> Result<(), Refusal> {
        self.publish_as(1, publication, hashes)
    }

    /// Publishes a manifest with all its pages on one connection.
    fn publish_as(&mut self, id: u64, what: &Publication, hashes: &[ChunkHash]) -> Result<(), Refusal> {
        self.offer(id, &shares(what), hashes).map(drop)
    }

    /// The same for any offer. The connection has the number of the peer.
    fn offer(&mut self, id: u64, what: &Offer, hashes: &[ChunkHash]) -> Result<Option<Namesake>, Refusal> {
        let (key, by) = (what.publication.key, peer(id as u16).addr);
        let mut reply = self.registry.publish(self.now, self.wall_ms(), id, by, what.clone())?;
        loop {
            match reply {
                PublishReply::Published(instead) => return Ok(instead),
                PublishReply::NeedPage(page) => {
                    let bytes = page_of(hashes, page);
                    reply = self.registry.publish_page(self.now, self.wall_ms(), id, key, page, &bytes)?;
                }
            }
        }
    }

    /// The time of day.
    fn wall_ms(&self) -> u64 {
        WALL_MS + self.now.0 / 1000
    }

    /// Makes a peer a seeder of it.
    fn seed(&mut self, number: u16, what: &Publication) -> AnnounceAnswer {
        self.announce(&peer(number), seeding_all(what)).unwrap()
    }

    /// Begins to publish.
    fn begin(&mut self, id: u64, what: &Publication) -> Result<PublishReply, Refusal> {
        self.registry.publish(self.now, self.wall_ms(), id, peer(id as u16).addr, shares(what))
    }

    fn page(&mut self, id: u64, key: SwarmKey, page: u32, bytes: &[u8]) -> Result<PublishReply, Refusal> {
        self.registry.publish_page(self.now, self.wall_ms(), id, key, page, bytes)
    }

    fn found(&self, what: &Lookup) -> Option<Publication> {
        self.registry.find(self.now, what).into_iter().next().map(|entry| entry.publication)
    }

    fn find(&self, name: &str) -> Option<SwarmKey> {
        self.found(&Lookup::Name(name.parse().unwrap())).map(|publication| publication.key)
    }

    /// Whether a manifest is published.
    fn registry_has(&self, what: &Publication) -> bool {
        self.registry.manifest(what.key, 0).is_ok()
    }

    fn names(&self) -> Vec<String> {
        self.registry
            .list(self.now, None)
            .into_iter()
            .map(|entry| entry.publication.name.to_string())
            .collect()
    }
}

/// The time of day when a test begins.
const WALL_MS: u64 = 1_800_000_000_000;

fn page_of(hashes: &[ChunkHash], page: u32) -> Vec<u8> {
    let hashes = hashes.iter().skip((page * PAGE_HASHES) as usize).take(PAGE_HASHES as usize);
    hashes.flat_map(|hash| hash.0).collect()
}

fn shares(what: &Publication) -> Offer {
    Offer { publication: what.clone(), role: Role::Shares }
}

fn peer(number: u16) -> Who {
    let [high, low] = number.to_be_bytes();
    Who {
        addr: SocketAddr::new(Ipv4Addr::new(10, 0, high, low).into(), 7987),
        peer_id: PeerId([low; 16]),
        zone: "".into(),
        host: format!("pc-{number}").into(),
        node: None,
    }
}

fn key(number: u8) -> SwarmKey {
    SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) }
}

fn leeching(key: SwarmKey) -> Announce {
    let count = ChunkCount::new(10).unwrap();
    Announce {
        key,
        stage: Stage::Leeching,
        have: 0,
        count,
        peers_wanted: NEIGHBOURS as u8,
        names: Vec::new(),
        bytes: None,
    }
}

fn seeding(key: SwarmKey) -> Announce {
    Announce { stage: Stage::Seeding, have: 10, peers_wanted: 0, ..leeching(key) }
}

/// A seeder of this, which has it under the name of the publication.
fn seeding_all(what: &Publication) -> Announce {
    let names = vec![what.name.clone()];
    Announce { have: what.count.get(), count: what.count, names, ..seeding(what.key) }
}

/// A publication of `count` chunks, and its hashes.
fn publication(name: &str, seed: u8, count: u32, shared_at_ms: u64) -> (Publication, Vec<ChunkHash>) {
    let hash = |number: u32| ChunkHash::of(&[&[seed][..], &number.to_be_bytes()].concat());
    let hashes: Vec<ChunkHash> = (0..count).map(hash).collect();
    let resource = match &hashes[..] {
        [] => ResourceId::of(b""),
        [only] => ResourceId(only.0),
        _ => ResourceId([seed; 32]),
    };
    let publication = Publication {
        name: name.parse().unwrap(),
        key: SwarmKey { resource, digest: ListDigest::of(&hashes) },
        count: ChunkCount::new(count).unwrap(),
        trackers: vec!["tt://tracker.example".parse().unwrap()],
        shared_at_ms,
        bytes: None,
        signature: None,
    };
    (publication, hashes)
}

#[test]
fn a_peer_on_the_trackers_machine_is_seen_by_where_it_can_be_reached() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
    let (far, near, own) = (ip("10.0.0.9"), ip("127.0.0.1"), ip("10.0.0.1"));
    let here = addr("127.0.0.1:7987");
    assert_eq!(seen_from(here, near, near), here);
    assert_eq!(seen_from(here, ip("::1"), ip("::1")), here);
    assert_eq!(seen_from(here, far, own), addr("10.0.0.1:7987"));
    assert_eq!(seen_from(addr("[::1]:7987"), far, own), addr("10.0.0.1:7987"));
    let elsewhere = addr("10.0.0.5:7987");
    assert_eq!(seen_from(elsewhere, far, own), elsewhere);
    assert_eq!(seen_from(elsewhere, near, near), elsewhere);

    assert!(known_as(seen_from(here, far, own), own).any(|addr| addr == here));
    assert_eq!(known_as(elsewhere, own).collect::<Vec<_>>(), [elsewhere]);
}
