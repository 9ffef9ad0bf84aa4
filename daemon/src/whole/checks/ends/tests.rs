//! Each reason is doubted where it is untrue, and only there.

use super::*;
use crate::library::Why;
use crate::store::faulty::DiskFault;
use crate::store::{NotHere, StoreError};
use crate::whole::cable::{Cable, Cut};
use crate::whole::machine::Setup;
use crate::whole::trace::Trace;
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::id::{ListDigest, PeerId};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Two machines that do not run, and what they say.
struct Pair {
    world: World,
    machines: Vec<Rc<Machine>>,
    _root: tempfile::TempDir,
}

const BYTES: &[u8] = b"the content";

fn key() -> SwarmKey {
    SwarmKey { resource: ResourceId::of(BYTES), digest: ListDigest([1; 32]) }
}

fn map(chunks: &[u32]) -> HaveMap {
    let mut map = HaveMap::empty(ChunkCount::new(4).unwrap());
    chunks.iter().for_each(|chunk| _ = map.insert(ChunkIndex(*chunk)));
    map
}

/// A download with these chunks.
fn fetching(chunks: &[u32], waiting: Option<Waiting>) -> ResourceFacts {
    ResourceFacts {
        key: key(),
        names: Vec::new(),
        phase: "fetching",
        is_seeding: false,
        is_edited: false,
        is_paused: false,
        have: map(chunks),
        waiting,
        blocked: None,
        troubles: Vec::new(),
    }
}

fn blocked(why: Why) -> ResourceFacts {
    ResourceFacts { blocked: Some(why), ..fetching(&[], None) }
}

impl Pair {
    fn new() -> Pair {
        let root = tempfile::tempdir().unwrap();
        let machine = |number| Rc::new(Machine::new(number, Setup::default(), root.path()));
        let (world, machines) = (World::new(1, Trace::new(None)), vec![machine(1), machine(2)]);
        Pair { world, machines, _root: root }
    }

    /// Opens a connection from the first machine to the other one.
    async fn connect(&self) -> (Cable, Cable) {
        let (cables, at) = (&self.world.cables, self.machines[1].listen());
        let listener = cables.listen(at);
        let dialed = cables.connect(self.machines[0].ip, at).await.unwrap();
        (dialed, listener.accept().await.unwrap().0)
    }

    /// What looks wrong of the first machine's resource, which has a link to the other one.
    fn doubt(&self, own: ResourceFacts, other: Option<ResourceFacts>) -> Option<String> {
        let links = vec![PeerAddr::from(self.machines[1].listen())];
        let facts = |resources| Facts {
            at: Instant::now(),
            peer_id: PeerId([1; 16]),
            resources,
            links: links.clone(),
            asks: 0,
            bounds: Vec::new(),
        };
        let (first, second) = (facts(vec![own.clone()]), facts(other.into_iter().collect()));
        let all = [(self.machines[0].clone(), first.clone()), (self.machines[1].clone(), second)];
        doubt(&self.world, &self.machines[0], &first, &own, &all).map(|doubt| doubt.what)
    }

    fn is_doubted(&self, waiting: Waiting, other: Option<ResourceFacts>) -> bool {
        self.doubt(fetching(&[0], Some(waiting)), other).is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_lacks_what_somebody_has() {
    let pair = Pair::new();
    let has = |chunks: &[u32]| Some(fetching(chunks, None));
    let waitings = [
        Waiting::NoPeers { known: 0 },
        Waiting::Connecting { peers: 1 },
        Waiting::Silent { peers: 1 },
        Waiting::Busy { peers: 1 },
        Waiting::Turn,
        Waiting::Zone,
    ];
    for waiting in waitings {
        assert!(pair.is_doubted(waiting.clone(), has(&[2])), "{waiting:?}");
        assert!(!pair.is_doubted(waiting.clone(), has(&[0])), "{waiting:?}: it has no other chunk");
        assert!(!pair.is_doubted(waiting.clone(), None), "{waiting:?}: it knows nothing of it");
        let paused = ResourceFacts { is_paused: true, ..fetching(&[2], None) };
        assert!(!pair.is_doubted(waiting, Some(paused)));
    }
    assert!(pair.doubt(fetching(&[0], None), has(&[2])).is_some(), "no reason at all");
    assert!(pair.doubt(fetching(&[0], None), has(&[0])).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_connected_is_a_source_of_what_it_has() {
    let pair = Pair::new();
    let cable = pair.connect().await;
    let nobody = || Waiting::NoSource { chunks: vec![ChunkIndex(1), ChunkIndex(2)], total: 2 };
    let doubt = pair.doubt(fetching(&[0], Some(nobody())), Some(fetching(&[2], None))).unwrap();
    assert!(doubt.ends_with("it is connected to m2, which has some of them"), "{doubt}");
    assert!(!pair.is_doubted(nobody(), Some(fetching(&[0, 3], None))));
    assert!(!pair.is_doubted(nobody(), None));
    let paused = ResourceFacts { is_paused: true, ..fetching(&[], Some(nobody())) };
    assert!(pair.doubt(paused, Some(fetching(&[2], None))).is_none());
    pair.world.cables.cut(pair.machines[0].ip, pair.machines[1].ip, Cut::Silence);
    assert!(!pair.is_doubted(nobody(), Some(fetching(&[2], None))), "neither has noticed that it is cut");
    drop(cable);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_dropped_but_for_a_while_after_a_fault() {
    let pair = Pair::new();
    let peer = PeerAddr::from(pair.machines[1].listen());
    let dropped = |why| Waiting::Dropped { peers: vec![(peer, why)] };
    assert!(pair.is_doubted(dropped(DropReason::Corrupt), None));
    assert!(!pair.is_doubted(dropped(DropReason::Stalled), None));
    tokio::time::sleep(FORGIVEN_WITHIN + Duration::from_secs(1)).await;
    assert!(pair.is_doubted(dropped(DropReason::Stalled), None), "nothing was wrong for so long");
    let (one, other) = (pair.machines[0].ip, pair.machines[1].ip);
    pair.world.cables.hold(one, other, Instant::now() + Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!pair.is_doubted(dropped(DropReason::Stalled), None), "something was wrong just now");
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_blamed_only_if_it_fails_or_is_slow() {
    let pair = Pair::new();
    let machine = &pair.machines[0];
    let path = PathBuf::from("/x");
    let failed = || {
        let source = io::Error::other("it failed");
        blocked(Why::Disk(Arc::new(StoreError { doing: "write", path: path.clone(), source })))
    };
    let corrupt = || Waiting::OnlyCorrupt { chunks: Vec::new(), peers: Vec::new() };
    assert!(pair.doubt(failed(), None).is_some());
    assert!(pair.is_doubted(Waiting::Disk { chunks: 1 }, None));
    assert!(pair.is_doubted(corrupt(), None));
    assert!(pair.is_doubted(Waiting::Withheld { chunks: 1 }, None));
    assert!(pair.doubt(blocked(Why::NotHere(NotHere::Missing(path.clone()))), None).is_some());
    machine.break_disk(DiskFault::Full);
    assert!(pair.doubt(failed(), None).is_none());
    machine.heal_disk();
    assert!(pair.doubt(failed(), None).is_some());
    assert!(!pair.is_doubted(corrupt(), None));
    machine.set_pace(crate::jobs::life::Pace { happens_max_ms: 5_000, ..Default::default() });
    assert!(pair.doubt(failed(), None).is_none());
    assert!(!pair.is_doubted(Waiting::Disk { chunks: 1 }, None));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_only_by_another_file() {
    let pair = Pair::new();
    let taken = || blocked(Why::NameTaken("x".parse().unwrap()));
    assert!(pair.doubt(taken(), None).is_some(), "nothing is there");
    pair.machines[0].put_file("x", b"something else");
    assert!(pair.doubt(taken(), None).is_none());
    pair.machines[0].put_file("x", BYTES);
    assert!(pair.doubt(taken(), None).is_some(), "it is its own file");
}
