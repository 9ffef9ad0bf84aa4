//! Nothing is announced that is not there, and what is there stays announced while the tracker can hear it.

use super::all::Check;
use crate::driver::tap::ResourceFacts;
use crate::whole::content::Content;
use crate::whole::machine::Machine;
use crate::whole::tracker::Tracker;
use crate::whole::world::World;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::{PeerId, SwarmKey};
use shared::rpc::tracker::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a tracker may have a machine as a seeder or a leecher that it is no more, or lack one that has just joined its
/// swarm again, while it can be told, in addition to [`ROUND_TRIPS`]. The machine tells it at once, so this is only for
/// the turns of its tasks. It is shorter than the time to the next renewal, which is at least 2 s: what only that one
/// tells is found, and what nobody takes back until it expires after 6 s.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// The machine may first wait for the answer to the call before, and a new connection begins with hello.
const ROUND_TRIPS: u32 = 3;

/// How long a path must have been quiet before something counts that a tracker does not know. An entry lives three
/// intervals of 2 to 3 s, so what was lost in a disturbance has expired by then or was renewed.
const QUIET_FOR: Duration = Duration::from_secs(10);

/// How long a machine may say that it has chunks that a failed sync of its own has dropped. On a broken disk they are
/// gone when the sync fails, and the machine takes them back when the sync's result arrives: in the slowest scenario,
/// `disks`, that is up to 3 s later. A machine that keeps them for longer has not handled the failure.
const HEARD_WITHIN: Duration = Duration::from_millis(3_100);

/// What is remembered of one resource of one machine at one tracker.
#[derive(Debug, Default)]
struct Entry {
    /// Since when the tracker has it, while the machine was seen to serve it at each look.
    known_since: Option<Instant>,
    /// Since when the tracker lacks it although it had it before.
    missing_since: Option<Instant>,
}

/// What the trackers were seen to know.
#[derive(Debug, Default)]
pub(super) struct Announced {
    entries: BTreeMap<(IpAddr, IpAddr, SwarmKey), Entry>,
    /// All swarms that any machine had.
    keys: BTreeSet<SwarmKey>,
    /// What the users of the world wanted.
    contents: BTreeMap<SwarmKey, Rc<Content>>,
}

impl Check for Announced {
    fn look(&mut self, world: &World) {
        let machines = world.machines();
        for content in world.contents() {
            self.contents.entry(content.key()).or_insert(content);
        }
        for machine in &machines {
            let facts = machine.facts(world);
            self.keys.extend(facts.iter().flat_map(|facts| &facts.resources).map(|resource| resource.key));
            self.look_at_a_chunk(world, machine);
        }
        for tracker in world.trackers() {
            for machine in &machines {
                self.compare(world, &tracker, machine);
            }
        }
    }

    fn died(&mut self, _: &World, machine: &Machine) {
        self.entries.retain(|&(_, ip, _), _| ip != machine.ip);
    }
}

impl Announced {
    /// Compares what a tracker knows of a machine with how the machine stands.
    fn compare(&mut self, world: &World, tracker: &Tracker, machine: &Machine) {
        let (at, ip, now) = (tracker.addr.ip(), machine.ip, Instant::now());
        let steady = steady_since(world, tracker, machine);
        let (Some((steady, quiet)), Some(facts), Some(known)) =
            (steady, machine.facts(world), known_to(tracker, &self.keys))
        else {
            self.entries.retain(|&(a, b, _), _| (a, b) != (at, ip));
            return;
        };
        let told_within = TOLD_WITHIN + world.cables.round_trip(at, ip) * ROUND_TRIPS;
        for &key in &self.keys {
            let entry = self.entries.entry((at, ip, key)).or_default();
            // Between two looks a machine may leave the swarm and join it again.
            let moved = world.trace.moved(ip, key);
            if moved.is_some_and(|moved| moved.at >= facts.at) {
                entry.missing_since = None;
                continue; // how it stands now is not known yet
            }
            let stands_for = now - moved.map_or(steady, |moved| moved.at.max(steady));
            let has_told = stands_for > told_within;
            let resource = facts.of(key);
            let is_seeding = resource.is_some_and(|resource| resource.is_seeding);
            let stage = known.get(&(key, ip, facts.peer_id)).copied();
            assert!(
                stage != Some(Stage::Seeding) || is_seeding || !has_told,
                "tracker {at} has m{} as a seeder of {key} for {stands_for:?}, which is {}",
                machine.number,
                resource.map_or("not there", |resource| resource.phase)
            );
            let is_whole = is_seeding && resource.is_some_and(|resource| !resource.is_edited);
            assert!(
                stage != Some(Stage::Leeching) || !is_whole || !has_told,
                "tracker {at} has m{} as a leecher of {key} for {stands_for:?}, which is complete",
                machine.number
            );

            let stands = |since: Option<Instant>| since.filter(|&since| since >= steady);
            if !is_seeding {
                (entry.known_since, entry.missing_since) = (None, None);
            } else if stage.is_some() {
                let since = stands(entry.known_since).or((now >= quiet + QUIET_FOR).then_some(now));
                (entry.known_since, entry.missing_since) = (since, None);
            } else if !has_told || !moved.is_some_and(|moved| moved.takes_part) {
                entry.missing_since = None;
            } else if let Some(known_since) = stands(entry.known_since) {
                let missing_since = *entry.missing_since.get_or_insert(now);
                assert!(
                    facts.at <= missing_since,
                    "tracker {at} has lost m{} as a seeder of {key}, which it knew {:?} ago: the connection is open \
                    and quiet for {:?}, and the machine serves it all the time",
                    machine.number,
                    now - known_since,
                    now - steady
                );
            }
        }
    }

    /// Reads one random chunk of those that a machine tells its peers it has.
    fn look_at_a_chunk(&self, world: &World, machine: &Machine) {
        let Some(context) = machine.context() else { return };
        let on_the_board = context.board.all();
        drop(context);
        let Some(facts) = machine.facts(world).filter(|_| !on_the_board.is_empty()) else { return };
        let (key, have) = world.one_of(&on_the_board);
        let chunks: Vec<ChunkIndex> = have.iter().collect();
        let resource = facts.resources.iter().find(|resource| resource.key == key);
        let Some(resource) = resource.filter(|_| !chunks.is_empty()) else { return };
        let index = world.one_of(&chunks);
        let Some(content) = self.contents.get(&key) else { return };
        let Some(right) = content.bytes.chunks(CHUNK_BYTES as usize).nth(index.slot()) else {
            return;
        };
        let places: Vec<PathBuf> = places(machine, resource).collect();
        let is_there = places.iter().any(|path| has_at(path, index.offset(), right));
        let is_unheard = places.iter().any(|path| has_just_dropped(machine, path));
        // A user may put other content under the name; the machine notices it when it reads the chunk or looks at the file.
        let is_replaced =
            resource.names.iter().any(|(name, ..)| world.right_contents(name.as_str()).len() > 1);
        assert!(
            is_there || is_replaced || is_unheard,
            "m{} tells its peers that it has chunk {index} of {key}",
            machine.number
        );
    }
}

/// Since when nothing hinders the machine from telling the tracker everything: both run, they are connected, and nothing
/// is wrong between them; and since when the last of these alone is so.
fn steady_since(world: &World, tracker: &Tracker, machine: &Machine) -> Option<(Instant, Instant)> {
    let (at, ip) = (tracker.addr.ip(), machine.ip);
    let connected = world.cables.connected_since(ip, at)?;
    let quiet = world.cables.quiet_since(ip, at)?;
    Some((tracker.up_since()?.max(machine.up_since()?).max(connected).max(quiet), quiet))
}

/// The stage of each entry of these swarms at a tracker; `None` while it does not run.
fn known_to(
    tracker: &Tracker,
    keys: &BTreeSet<SwarmKey>,
) -> Option<BTreeMap<(SwarmKey, IpAddr, PeerId), Stage>> {
    let handle = tracker.handle()?;
    let resources: BTreeSet<_> = keys.iter().map(|key| key.resource).collect();
    let peers = resources.into_iter().flat_map(|resource| handle.peers_of(resource));
    Some(peers.map(|peer| ((peer.key, peer.addr.ip(), peer.peer_id), peer.stage)).collect())
}

/// Where the chunks of a resource may be: in its part, and under its names.
fn places(machine: &Machine, resource: &ResourceFacts) -> impl Iterator<Item = PathBuf> {
    let slots = shared::host::paths::private_dir(machine.dir()).join("resources");
    let of_it = format!("{}-", resource.key.resource);
    let slots = fs::read_dir(slots).into_iter().flatten().flatten();
    let parts = slots.filter(move |slot| slot.file_name().to_string_lossy().starts_with(&of_it));
    let names = resource.names.iter().map(|(name, ..)| machine.dir().join(name.as_str()));
    parts.map(|slot| slot.path().join("data.part")).chain(names)
}

/// Whether a sync of this file has failed and dropped bytes of it, and the machine may not have heard of the failure yet.
fn has_just_dropped(machine: &Machine, path: &Path) -> bool {
    let dropped = path.metadata().ok().and_then(|file| machine.disk.dropped_at(file.ino()));
    dropped.is_some_and(|dropped| dropped.elapsed() <= HEARD_WITHIN)
}

/// Whether a file has these bytes there. What somebody wrote behind them is not read.
fn has_at(path: &Path, offset: u64, bytes: &[u8]) -> bool {
    let mut found = vec![0; bytes.len()];
    File::open(path).and_then(|file| file.read_exact_at(&mut found, offset)).is_ok() && found == bytes
}
