//! Stops the machine before every single step of a download on its disk and continues it. No wrong file is ever
//! visible, no missing chunk is claimed, and the download ends. Then the disk refuses from each step on.
//!
//! The driver, the library and the store are the real ones, and the chunks come as from links. The disk is real too,
//! with faults in between ([`Faulty`]).

mod beside;
mod shared_trees;
mod shifted;
mod trees;

use super::contents::{self, dense, sparse, tree};
use super::*;
use crate::inbox::Input;
use crate::library::{Fetching, TakeError};
use crate::store::Disk;
use crate::store::faulty::{DiskFault, Faulty};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::fs;

use std::time::Instant;

/// How many chunks are stored between two syncs. The set of steps does not depend on it, but their order does.
const SYNC_EVERY: u32 = 2;

/// A shared directory, and the state of its disk.
struct Bench {
    root: Arc<tempfile::TempDir>,
    manifest: Manifest,
    bytes: Vec<u8>,
    /// The chunks that arrived in all lives.
    fetched: Vec<ChunkIndex>,
    /// A `get` was answered.
    accepted: bool,
    old: Old,
    old_bytes: Vec<u8>,
    /// Whether the file system can exchange two directories in one step.
    exchanges: bool,
    /// Whether somebody has put a file into the directory that is replaced.
    has_theirs: bool,
}

/// A finished file that has two of the three chunks, at other positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    /// There is none.
    Nothing,
    /// It has another name.
    Beside,
    /// It has the wanted name and is replaced.
    Replaced,
}

/// A life of a daemon.
struct Life {
    rig: Rig,
    disk: Arc<Faulty>,
}

/// What happens to unsynced data when the machine stops.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// The process is killed: all data stays.
    Kill,
    /// The process is killed within a write.
    Tear,
    /// The power fails, and no unsynced data stays.
    Cut,
    /// The power fails, and some unsynced data stays.
    CutSome(u64),
}

/// What the resource consists of.
type Content = fn() -> Vec<u8>;

impl Bench {
    fn new(content: Content) -> Bench {
        let bytes = content();
        let name = if bytes.starts_with(b".MTREE") { "x.tar" } else { "x" };
        let manifest = manifest_of(name, &bytes);
        let root = Arc::new(tempfile::tempdir().unwrap());
        fs::create_dir(root.path().join("shared")).unwrap();
        let (old, old_bytes) = (Old::Nothing, Vec::new());
        let (fetched, accepted, exchanges, has_theirs) = (Vec::new(), false, true, false);
        Bench { root, manifest, bytes, fetched, accepted, old, old_bytes, exchanges, has_theirs }
    }

    /// Beside a file that has two of the three chunks.
    async fn with(old: Old) -> Bench {
        let mut bench = Bench::new(dense);
        let name = if old == Old::Beside { "old" } else { "x" };
        let chunks: Vec<&[u8]> = bench.bytes.chunks(CHUNK_BYTES as usize).collect();
        let old_bytes = [chunks[1], &vec![9; CHUNK_BYTES as usize], chunks[0], b"end"].concat();
        bench.finish_first(&manifest_of(name, &old_bytes), &old_bytes).await;
        (bench.old, bench.old_bytes) = (old, old_bytes);
        bench
    }

    /// A first life, in which a resource is fetched.
    async fn finish_first(&self, manifest: &Manifest, bytes: &[u8]) {
        let mut life = self.start(self.disk()).expect("a good disk");
        life.rig.finished(manifest, bytes).await;
        life.rig.driver.saver.idle().await;
        life.rig.driver.home.abandon();
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("shared")
    }

    /// Starts a daemon on the folder; `None` if its disk stops before it is up.
    fn start(&self, disk: Arc<Faulty>) -> Option<Life> {
        let home = Home::open_on(Disk::on(disk.clone()), &self.folder()).ok()?;
        Some(Life { rig: Rig::with(self.root.clone(), home), disk })
    }

    fn disk(&self) -> Arc<Faulty> {
        let disk = Faulty::new(&self.root.path().join("grave"));
        Arc::new(if self.exchanges { disk } else { disk.without_exchange() })
    }

    /// Fetches the resource until it is complete or the disk stops or refuses.
    async fn fetch(&mut self, life: &mut Life) {
        let key = self.manifest.key();
        if life.rig.driver.library.get(key).is_none() {
            let accepted = life.rig.get(&self.manifest, self.old == Old::Replaced).await;
            self.accepted |= accepted.is_ok() && !life.disk.has_stopped();
        }
        let begin = Instant::now();
        while !life.is_over(&self.manifest) {
            assert!(begin.elapsed() < CAP, "it goes on for ever: {:?}", life.rig.driver.status(None));
            self.fetch_next(life).await;
        }
    }

    async fn fetch_next(&mut self, life: &mut Life) {
        let key = self.manifest.key();
        let is_ready = |it: &&Fetching| it.blocked.is_none() && it.zeros_left == 0 && it.reuse.is_done();
        let missing = life.fetching(key).filter(is_ready).and_then(|it| {
            let is_held = |index: &ChunkIndex| it.following.as_ref().is_some_and(|it| it.holds(*index));
            it.have.missing_from(ChunkIndex(0)).find(|index| !is_held(index))
        });
        let Some(index) = missing else { return life.wait().await };
        let download = life.rig.download(key);
        let chunk = self.bytes.chunks(CHUNK_BYTES as usize).nth(index.0 as usize).unwrap().to_vec();
        let (taker, peer) = (download.clone(), "127.0.0.1:2".parse().unwrap());
        let taken = tokio::task::spawn_blocking(move || taker.store(index, chunk.into())).await.unwrap();
        assert!(!matches!(taken, Err(TakeError::Corrupt)));
        if taken.is_ok() {
            self.fetched.push(index);
        }
        life.rig.driver.handle(Input::Taken { download, index, peer, taken });
        if life.fetching(key).is_some_and(|it| it.dirty >= SYNC_EVERY && !it.syncing) {
            life.rig.driver.sync_due(Instant::now() + Duration::from_secs(7200));
            let syncs = |life: &Life| life.fetching(key).is_some_and(|it| it.syncing && it.blocked.is_none());
            while syncs(life) && !life.disk.has_stopped() {
                life.wait().await;
            }
        }
    }

    /// Stops the machine. Checks that every chunk that the disk claims is there and no wrong file is visible, and
    /// returns these chunks.
    fn stop(&self, life: Life, how: Stop) -> BTreeSet<ChunkIndex> {
        life.end(how);
        self.check_visible();
        self.check_claims()
    }

    fn check_visible(&self) {
        if self.has_theirs {
            contents::theirs(&self.folder()); // it is somewhere
        }
        let may_be_old = self.old == Old::Replaced;
        match contents::visible(&self.folder()) {
            Some(found) => {
                assert!(
                    found == self.bytes || may_be_old && found == self.old_bytes,
                    "wrong bytes are visible"
                );
            }
            None => assert!(!may_be_old || !self.exchanges, "neither the old nor the new one is visible"),
        }
        if let Ok(found) = fs::read_to_string(self.folder().join(self.manifest.name().manifest_name())) {
            let name = self.manifest.name().as_str();
            let is_old = may_be_old && found == manifest_of(name, &self.old_bytes).to_text();
            assert!(is_old || found == self.manifest.to_text());
        }
        if self.old == Old::Beside {
            let old = fs::read(self.folder().join("old")).unwrap();
            assert!(old == self.old_bytes, "the old file has changed");
        }
    }

    fn check_claims(&self) -> BTreeSet<ChunkIndex> {
        let Ok(home) = Home::open(&self.folder()) else { return BTreeSet::new() };
        let slot = home.slot(self.manifest.key());
        let have = slot.read_have(self.manifest.count()).expect("a have map is whole or not there");
        let (Some(have), true) = (have, slot.part().exists()) else { return BTreeSet::new() };
        contents::check_claims(&self.folder(), &self.manifest, &slot, &have, None)
    }

    /// The last life: continues without help, fetches no claimed chunk again, and completes.
    async fn finish(mut self, claimed: BTreeSet<ChunkIndex>) {
        let mut life = self.start(self.disk()).expect("a good disk");
        if self.accepted {
            assert!(
                life.rig.driver.library.get(self.manifest.key()).is_some(),
                "what was accepted is forgotten"
            );
        }
        let before = self.fetched.len();
        self.fetch(&mut life).await;
        assert!(is_seeding(&life.rig.driver, &self.manifest), "{:?}", life.rig.driver.status(None));
        let again: Vec<_> = self.fetched[before..].iter().filter(|index| claimed.contains(index)).collect();
        assert!(again.is_empty(), "{again:?} were there");
        assert!(contents::visible(&self.folder()).unwrap() == self.bytes);
        contents::check_top(&self.folder());
        let shown = fs::read_to_string(self.folder().join(self.manifest.name().manifest_name())).unwrap();
        assert_eq!(shown, self.manifest.to_text());
        life.rig.driver.saver.idle().await;
        let slot = life.rig.driver.library.get(self.manifest.key()).unwrap().slot.clone();
        assert!(!slot.part().exists() && !slot.is_untidy(), "the rest of the download is left");
        // Once more, when everything is in the have map.
        let Life { rig, disk } = life;
        disk.stop_at(0, false);
        rig.driver.home.abandon();
        drop(rig);
        let life = self.start(self.disk()).expect("a good disk");
        assert!(
            is_seeding(&life.rig.driver, &self.manifest),
            "it is hashed once more: {:?}",
            life.rig.driver.status(None)
        );
        self.check_theirs();
    }
}

impl Life {
    /// Stops the machine.
    fn end(self, how: Stop) {
        let Life { rig, disk } = self;
        disk.stop_at(0, false); // work in the background cannot change anything any more
        rig.driver.home.abandon();
        drop(rig);
        match how {
            Stop::Kill | Stop::Tear => {}
            Stop::Cut => disk.cut_power(|| true),
            Stop::CutSome(seed) => {
                let mut chance = SmallRng::seed_from_u64(seed);
                disk.cut_power(|| chance.random_bool(0.5));
            }
        }
    }

    fn fetching(&self, key: SwarmKey) -> Option<&Fetching> {
        match &self.rig.driver.library.get(key)?.phase {
            Phase::Fetching(fetching) => Some(fetching),
            _ => None,
        }
    }

    /// Handles inputs for a moment.
    async fn wait(&mut self) {
        if let Ok(Some(input)) = tokio::time::timeout(Duration::from_millis(5), self.rig.inputs.recv()).await
        {
            self.rig.driver.handle(input);
        }
    }

    /// Whether nothing more will happen by itself.
    fn is_over(&self, manifest: &Manifest) -> bool {
        let driver = &self.rig.driver;
        let Some(resource) = driver.library.get(manifest.key()) else { return true };
        let stands = match &resource.phase {
            Phase::Fetching(it) => it.blocked.is_some() && !driver.publishing.contains_key(&manifest.key()),
            Phase::Accepted(_) | Phase::Failed(_) => true,
            Phase::Seeding(_) => true,
            Phase::Checking(_) | Phase::Opening(_) => false,
        };
        self.disk.has_stopped() || stands
    }
}

/// One life that ends at this step, and then a last one. Returns whether there was such a step.
async fn check_stop_at(step: u64, stop: Stop, content: Content) -> bool {
    eprintln!("stopped before step {step}: {stop:?}");
    check_bench(Bench::new(content), step, stop).await
}

async fn check_bench(mut bench: Bench, step: u64, stop: Stop) -> bool {
    let disk = bench.disk();
    disk.stop_at(step, matches!(stop, Stop::Tear));
    let mut life = match bench.start(disk.clone()) {
        Some(life) => life,
        None => {
            bench.finish(BTreeSet::new()).await;
            return true;
        }
    };
    bench.fetch(&mut life).await;
    life.rig.driver.saver.idle().await;
    let has_stopped = disk.has_stopped();
    let claimed = bench.stop(life, stop);
    bench.finish(claimed).await;
    has_stopped
}

/// Where to begin if each `every`th step is taken: all are taken in the course of several runs.
fn first_of(every: u64) -> u64 {
    let first = rand::random_range(1..=every);
    eprintln!("each step of {every}, from step {first} on");
    first
}

async fn check_every_step(stop: impl Fn(u64) -> Stop) {
    for content in [dense as Content, sparse, tree] {
        let mut step = 1;
        while check_stop_at(step, stop(step), content).await {
            step += 1;
        }
        assert!(step > 40, "a download has more steps than {step}");
        eprintln!("{} steps", step - 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_killed_before_any_step_loses_nothing() {
    check_every_step(|_| Stop::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_killed_within_any_write_loses_nothing() {
    check_every_step(|_| Stop::Tear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_power_cut_before_any_step_that_takes_all_it_can_loses_nothing() {
    check_every_step(|_| Stop::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_power_cut_before_any_step_that_takes_what_it_likes_loses_nothing() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    check_every_step(|step| Stop::CutSome(seed.wrapping_add(step))).await;
}

/// The part file contains other bytes where zeros belong, and the power fails at any step of mending that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn zeros_over_wrong_bytes_are_claimed_only_when_they_are_on_the_disk() {
    for stop in [Stop::Tear, Stop::Cut, Stop::CutSome(1), Stop::CutSome(2)] {
        let mut step = 1;
        loop {
            eprintln!("stopped before step {step}: {stop:?}");
            let mut bench = Bench::new(sparse);
            let mut life = bench.start(bench.disk()).expect("a good disk");
            bench.accepted = life.rig.get(&bench.manifest, false).await.is_ok();
            let slot = life.rig.driver.home.slot(bench.manifest.key());
            drop(bench.stop(life, Stop::Kill));
            let _ = fs::remove_file(slot.part().with_file_name("have")); // so that the data is checked
            fs::write(slot.part(), vec![9; 3 << 20]).unwrap();
            if !check_bench(bench, step, stop).await {
                break;
            }
            step += 1;
        }
        assert!(step > 15, "there are more steps than {step}");
    }
}

/// Several lives that each end at some step, also while loading what the former one left.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn several_crashes_one_after_the_other_lose_nothing() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut chance = SmallRng::seed_from_u64(seed);
    for _ in 0..30 {
        let mut bench = Bench::new([dense as Content, sparse, tree][chance.random_range(0..3)]);
        let mut claimed = BTreeSet::new();
        for _ in 0..chance.random_range(2..6) {
            let disk = bench.disk();
            let how = match chance.random_range(0..4) {
                0 => Stop::Kill,
                1 => Stop::Tear,
                2 => Stop::Cut,
                _ => Stop::CutSome(chance.random()),
            };
            disk.stop_at(chance.random_range(1..50), matches!(how, Stop::Tear));
            let Some(mut life) = bench.start(disk.clone()) else { continue };
            let accepted = bench.accepted;
            assert!(
                !accepted
                    || life.rig.driver.library.get(bench.manifest.key()).is_some()
                    || disk.has_stopped()
            );
            bench.fetch(&mut life).await;
            claimed = bench.stop(life, how);
        }
        bench.finish(claimed).await;
    }
}

// -- a disk that refuses

/// The disk refuses from a step on, everything else continues, and then the disk is good again. Nobody has to do
/// anything, and nothing is lost. Returns whether it refused anything.
async fn check_refusal_from(step: u64, refusal: DiskFault, content: Content) -> bool {
    eprintln!("refused from step {step} on: {refusal:?}");
    check_refusal(Bench::new(content), step, refusal).await
}

async fn check_refusal(mut bench: Bench, step: u64, refusal: DiskFault) -> bool {
    let disk = bench.disk();
    let mut life = bench.start(disk.clone()).expect("a good disk");
    let began = disk.steps();
    disk.refuse_from(began + step, refusal);
    bench.fetch(&mut life).await;
    life.rig.driver.saver.idle().await;
    let refused = disk.refused() > 0;
    bench.check_visible();
    // What has the name keeps it if the disk does not even take the request to replace it.
    let may_be_refused = bench.old == Old::Replaced;
    assert!(bench.accepted || may_be_refused, "a get is accepted whatever the disk says");
    let status =
        life.rig.driver.status(Some(bench.manifest.name().as_str())).expect("it is not forgotten").remove(0);
    if status.state != State::Seeding {
        assert!(matches!(status.state, State::Waiting | State::Error), "{status:?}");
        assert!(status.reason.is_some_and(|reason| !reason.is_empty()));
    }
    disk.heal();
    let begin = Instant::now();
    while !is_seeding(&life.rig.driver, &bench.manifest) {
        assert!(begin.elapsed() < CAP, "it does not go on: {:?}", life.rig.driver.status(None));
        life.rig.driver.retry_blocked(Instant::now() + Duration::from_secs(7200));
        life.wait().await;
        bench.fetch(&mut life).await;
    }
    life.rig.driver.saver.idle().await;
    life.rig.driver.save_again();
    life.rig.driver.saver.idle().await;
    assert!(contents::visible(&bench.folder()).unwrap() == bench.bytes);
    let claimed = bench.stop(life, Stop::Cut);
    bench.finish(claimed).await;
    refused
}

async fn check_every_refusal(refusal: DiskFault) {
    for content in [dense as Content, sparse, tree] {
        let mut step = 1;
        while check_refusal_from(step, refusal, content).await {
            step += 1;
        }
        assert!(step > 20, "a download has more steps than {step}");
        eprintln!("{} steps", step - 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_is_full_from_any_step_on_is_waited_for() {
    check_every_refusal(DiskFault::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_fails_from_any_step_on_is_waited_for() {
    check_every_refusal(DiskFault::Broken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_is_read_only_from_any_step_on_is_waited_for() {
    check_every_refusal(DiskFault::ReadOnly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_write_back_that_fails_at_any_sync_loses_nothing() {
    check_every_refusal(DiskFault::WriteBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panic_at_any_sync_is_a_failure_that_is_gone_on_from() {
    check_every_refusal(DiskFault::Panic).await;
}
