//! The tracker's memory with arbitrary calls of clients. It must keep its limits, never name a client to itself, and
//! finally forget everything.

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use shared::chunk::{CHUNK_BYTES, ChunkCount};
use shared::id::{ChunkHash, ListDigest, PeerId, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, CANDIDATES_MAX, FLEET_MAX, FleetMachine, FleetPlace, LIST_MAX, Lookup,
    OUTDATED_SHOWN_MAX, Offer, PAGE_HASHES, PEERS_MAX, Publication, PublishReply, Role, Stage,
};
use shared::swarm::Time;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tracker::memory::{Registry, RegistryLimits, Who};

/// The time of day.
const WALL_MS: u64 = 1_800_000_000_000;
/// Longer than the registry keeps anything.
const AGE: Duration = Duration::from_secs(100 * 3600);
/// The longest interval that the registry may ask for.
const INTERVAL_MS_MAX: u32 = 10 * 60 * 1000;

pub fn registry(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let limits = RegistryLimits {
        entries_max: 12,
        entries_per_peer_max: 5,
        digests_max: 2,
        catalogue_bytes_max: 400 << 10,
        publications_max: 6,
        publications_per_name_max: 3,
        names_per_manifest_max: 2,
        uploads_max: 3,
        ..RegistryLimits::default()
    };
    let mut world = World { registry: Registry::new(limits.clone(), [1; 32]), now: Time(0) };
    while !input.is_empty() {
        if world.step(&mut input).is_err() {
            break;
        }
        let size = world.registry.size();
        assert!(size.entries <= limits.entries_max, "{size:?}");
        assert!(size.swarms <= size.entries, "{size:?}");
        assert!(size.publications <= limits.publications_max, "{size:?}");
        assert!(size.catalogue_bytes <= limits.catalogue_bytes_max, "{size:?}");
    }
    world.end();
}

struct World {
    registry: Registry,
    now: Time,
}

impl World {
    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=11)? {
            0..=2 => self.announce(input)?,
            3 => {
                let keys = (0..input.int_in_range(0..=3)?).map(|_| resource(input).map(|(key, _)| key));
                let keys = keys.collect::<Result<Vec<SwarmKey>>>()?;
                let _ = self.registry.withdraw(self.now, &who(input)?, &keys);
            }
            4 => self.ask(input)?,
            5 | 6 => self.publish(input)?,
            7 => self.page(input)?,
            8 => self.registry.forget_upload(input.int_in_range(0..=4)?),
            9 => self.fleet(input)?,
            10 => {
                let who = who(input)?;
                match bool::arbitrary(input)? {
                    true => self.registry.arrive(&who),
                    false => self.registry.depart(self.now, &who),
                }
            }
            _ => {
                let seconds = u8::arbitrary(input)?;
                self.now = self.now + Duration::from_secs(1) * u32::from(seconds) * u32::from(seconds);
                while self.registry.expire(self.now).more {}
            }
        }
        Ok(())
    }

    fn announce(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let who = who(input)?;
        let (mut entries, mut counts) = (Vec::new(), Vec::new());
        for _ in 0..input.int_in_range(0..=4)? {
            let (key, hashes) = resource(input)?;
            counts.push(ChunkCount::new(hashes.len() as u32).expect("they are few"));
            let stage = if bool::arbitrary(input)? { Stage::Seeding } else { Stage::Leeching };
            let have = if bool::arbitrary(input)? { u32::arbitrary(input)? } else { hashes.len() as u32 };
            let count = ChunkCount::new(hashes.len() as u32 + u32::from(u8::arbitrary(input)? > 250));
            let count = count.expect("they are few");
            let mut names = Vec::new();
            for _ in 0..input.int_in_range(0..=2)? {
                names.push(NAMES[input.int_in_range(0..=2)?].parse().expect("a name"));
            }
            let peers_wanted = u8::arbitrary(input)?;
            let bytes = size(input, hashes.len())?;
            entries.push(Announce { key, stage, have, count, peers_wanted, names, bytes });
        }
        if u8::arbitrary(input)? == 255 && !entries.is_empty() {
            entries = entries.iter().cloned().cycle().take(ANNOUNCE_MAX + 1).collect();
        }
        let counts = counts.iter().cycle();
        let Ok(answers) = self.registry.announce(self.now, &who, &entries) else { return Ok(()) };
        assert_eq!(answers.len(), entries.len());
        assert!(entries.len() <= ANNOUNCE_MAX);
        for ((answer, entry), &count) in answers.iter().zip(&entries).zip(counts) {
            assert!(answer.peers.len() <= PEERS_MAX.min(entry.peers_wanted.into()));
            assert!(answer.peers.iter().all(|peer| peer.addr != who.addr), "a peer is told of itself");
            for newer in &answer.newer {
                assert!(
                    entry.names.contains(&newer.name) && newer.resource != entry.key.resource,
                    "{newer:?}"
                );
            }
            // The size fits the published list, even if this peer announced a false number of chunks.
            assert!(fits(answer.bytes, count), "a size that cannot be");
            assert!((1..=INTERVAL_MS_MAX).contains(&answer.interval_ms), "{} ms", answer.interval_ms);
        }
        Ok(())
    }

    fn ask(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (key, _) = resource(input)?;
        let peers = self.registry.peers_of(self.now, key.resource);
        assert!(peers.len() <= PEERS_MAX);
        assert!(peers.iter().all(|peer| peer.key.resource == key.resource));
        let after = if bool::arbitrary(input)? { Some(resource(input)?.0) } else { None };
        let resources = self.registry.resources_of(self.now, who(input)?.addr, after);
        assert!(resources.len() <= ANNOUNCE_MAX && resources.is_sorted_by(|a, b| a.key < b.key));
        let name = NAMES[input.int_in_range(0..=2)?].parse().expect("a name");
        let list = self.registry.list(self.now, bool::arbitrary(input)?.then_some(&name));
        assert!(list.len() <= LIST_MAX && list.is_sorted_by(|a, b| a.publication.name < b.publication.name));
        let what = if bool::arbitrary(input)? { Lookup::Name(name) } else { Lookup::Resource(key.resource) };
        let found = self.registry.find(self.now, &what);
        assert!(found.len() <= CANDIDATES_MAX);
        found.iter().for_each(|entry| self.read(&entry.publication));
        let in_the_way = self.registry.in_the_way(self.now, who(input)?.addr, &list_name(input)?, key);
        assert!(in_the_way.is_none_or(|other| other.resource != key.resource), "it stands in its own way");
        Ok(())
    }

    /// Pages of any size list every machine once, in order.
    fn fleet(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (resource, page_max) = (resource(input)?.0.resource, input.int_in_range(1..=4)?);
        let what = match bool::arbitrary(input)? {
            true => Lookup::Name(NAMES[input.int_in_range(0..=2)?].parse().expect("a name")),
            false => Lookup::Resource(resource),
        };
        let all = self.registry.fleet(self.now, &what, None, FLEET_MAX);
        let is_former = |machine: &&FleetMachine| Some(machine.key.resource) != all.resource;
        assert_eq!(all.machines.iter().filter(is_former).count(), all.outdated as usize);
        assert_eq!(all.some_outdated.len(), OUTDATED_SHOWN_MAX.min(all.outdated as usize));
        assert!(all.next.is_none(), "they are few");
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = self.registry.fleet(self.now, &what, after, page_max);
            assert!(page.machines.len() <= page_max);
            listed.extend(page.machines);
            after = page.next;
            if after.is_none() {
                break;
            }
            assert!(listed.len() < all.machines.len(), "a page promises more than there is");
        }
        assert_eq!(listed, all.machines);
        let place = |machine: &FleetMachine| (machine.key, machine.addr, machine.peer_id);
        assert!(listed.is_sorted_by(|a, b| place(a) < place(b)));
        // A forged place leads nowhere bad.
        let Who { addr, peer_id, .. } = who(input)?;
        let forged = FleetPlace { key: self::resource(input)?.0, addr, peer_id };
        let rest = self.registry.fleet(self.now, &what, Some(forged), FLEET_MAX);
        assert!(rest.machines.iter().all(|machine| place(machine) > (forged.key, addr, peer_id)));
        Ok(())
    }

    /// Checks that a publication can be read and is what it claims.
    fn read(&self, found: &Publication) {
        let pages = found.count.get().div_ceil(PAGE_HASHES);
        let pages = (0..pages).map(|page| self.registry.manifest(found.key, page).expect("a page is there"));
        let bytes: Vec<u8> = pages.flatten().collect();
        let (hashes, rest) = bytes.as_chunks::<32>();
        let hashes: Vec<ChunkHash> = hashes.iter().map(|&hash| ChunkHash(hash)).collect();
        assert!(fits(found.bytes, found.count), "a size that cannot be");
        assert!(rest.is_empty() && hashes.len() as u32 == found.count.get());
        assert_eq!(ListDigest::of(&hashes), found.key.digest, "a false list was published");
    }

    fn publish(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (key, hashes) = resource(input)?;
        let name = NAMES[input.int_in_range(0..=2)?].parse().expect("a name");
        let count = ChunkCount::new(hashes.len() as u32 + u32::from(u8::arbitrary(input)? > 250));
        let trackers = vec!["tt://tracker.example".parse().expect("a URL"); input.int_in_range(0..=17)?];
        let shared_at_ms = if bool::arbitrary(input)? { u64::arbitrary(input)? } else { WALL_MS };
        let count = count.expect("they are few");
        let bytes = size(input, hashes.len())?;
        let publication = Publication { name, key, count, trackers, shared_at_ms, bytes, signature: None };
        let role = [Role::Claims, Role::Shares, Role::Holds][input.int_in_range(0..=2)?];
        let (offer, by) = (Offer { publication, role }, who(input)?.addr);
        if bool::arbitrary(input)? {
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
            let _ = self.registry.publish_whole(self.now, WALL_MS, by, offer, &bytes);
            return Ok(());
        }
        let upload = input.int_in_range(0..=4)?;
        let mut reply = self.registry.publish(self.now, WALL_MS, upload, by, offer);
        // Some continue correctly; the others stop or send what `page` sends.
        while let (Ok(PublishReply::NeedPage(page)), true) = (&reply, bool::arbitrary(input)?) {
            let from = (*page * PAGE_HASHES) as usize;
            let hashes = hashes.iter().skip(from).take(PAGE_HASHES as usize);
            let bytes: Vec<u8> = hashes.flat_map(|hash| hash.0).collect();
            reply = self.registry.publish_page(self.now, WALL_MS, upload, key, *page, &bytes);
        }
        Ok(())
    }

    fn page(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (key, _) = resource(input)?;
        let bytes = vec![u8::arbitrary(input)?; input.int_in_range(0..=3)? * 32 + input.int_in_range(0..=1)?];
        let (upload, page) = (input.int_in_range(0..=4)?, input.int_in_range(0..=2)?);
        let _ = self.registry.publish_page(self.now, WALL_MS, upload, key, page, &bytes);
        let _ = self.registry.manifest(key, u32::arbitrary(input)?);
        Ok(())
    }

    /// No more calls come.
    fn end(&mut self) {
        for _ in 0..3 {
            self.now = self.now + AGE;
            self.registry.expire(self.now);
        }
        let size = self.registry.size();
        assert_eq!((size.entries, size.swarms, size.publications, size.catalogue_bytes), (0, 0, 0, 0));
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn list_name(input: &mut Unstructured<'_>) -> Result<ResourceName> {
    Ok(NAMES[input.int_in_range(0..=2)?].parse().expect("a name"))
}

fn who(input: &mut Unstructured<'_>) -> Result<Who> {
    let number = input.int_in_range(1..=6)?;
    let addr = SocketAddr::new(Ipv4Addr::new(10, 0, 0, number).into(), 7987);
    let node =
        input.choose(&[None, Some("web-1"), Some("web-2")])?.map(|name| name.parse().expect("it is a name"));
    let peer_id = PeerId([input.int_in_range(0..=2)?; 16]);
    Ok(Who { addr, peer_id, zone: "".into(), host: "".into(), node })
}

/// A resource with its chunks; sometimes its digest is a lie.
fn resource(input: &mut Unstructured<'_>) -> Result<(SwarmKey, Vec<ChunkHash>)> {
    let number = input.int_in_range(0..=3u8)?;
    let count = [0, 1, 3, PAGE_HASHES + 1][usize::from(number)];
    let variant = input.int_in_range(0..=2u8)?;
    let hashes: Vec<ChunkHash> =
        (0..count).map(|at| ChunkHash([number + variant + at as u8 % 7; 32])).collect();
    let resource = match hashes.as_slice() {
        [] => ResourceId::of(b""),
        [only] => ResourceId(only.0),
        _ => ResourceId([number; 32]),
    };
    let digest =
        if u8::arbitrary(input)? > 250 { ListDigest([9; 32]) } else { digest(number, variant, &hashes) };
    Ok((SwarmKey { resource, digest }, hashes))
}

/// The digest of many hashes takes long, and is always the same.
fn digest(number: u8, variant: u8, hashes: &[ChunkHash]) -> ListDigest {
    static KNOWN: std::sync::Mutex<std::collections::BTreeMap<(u8, u8), ListDigest>> =
        std::sync::Mutex::new(std::collections::BTreeMap::new());
    *KNOWN
        .lock()
        .expect("nobody panics here")
        .entry((number, variant))
        .or_insert_with(|| ListDigest::of(hashes))
}

/// A size in bytes for a resource of `chunks` chunks. It may be false.
fn size(input: &mut Unstructured<'_>, chunks: usize) -> Result<Option<u64>> {
    let most = chunks as u64 * u64::from(CHUNK_BYTES);
    Ok(match input.int_in_range(0..=7)? {
        0 => Some(u64::arbitrary(input)?),
        1..=3 => Some(most),
        _ => None,
    })
}

/// Whether a size that is handed on fits the number of chunks.
fn fits(bytes: Option<u64>, count: ChunkCount) -> bool {
    bytes.is_none_or(|bytes| ChunkCount::of_bytes(bytes) == Some(count))
}
