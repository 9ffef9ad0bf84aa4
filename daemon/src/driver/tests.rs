//! Tests of the driver with a real folder and no network: what must hold when things happen at the wrong moment.

mod adopt_trees;
mod checks;
pub(crate) mod contents;
mod durability;
pub(super) mod ends;
mod events;
mod large_trees;
mod length;
mod names;
mod noting;
mod promises;
mod replace;
mod rest;
mod reuse;
mod shift;
mod start;
mod status;
mod syncs;
mod theirs;
mod versions;
mod zeros;

use super::Driver;
use crate::inbox::{Command, Context, Input, Reply, Settings, Wanted};
use crate::library::{Blocked, Download, Phase};
use crate::net::Network;
use crate::store::{Home, NoRoom, Publisher};
use crate::throttle::Bucket;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::host::config::{RateLimit, ReuseScope};
use shared::id::{ChunkHash, PeerId, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::rpc::control::{Accepted, ControlError, ErrorKind, ResourceStatus, State};
use shared::swarm::{AskEnd, AskId};
use shared::wanted::WantedBy;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The longest wait of a test, on a busy machine. Without a fault every wait is much shorter.
const CAP: Duration = Duration::from_secs(60);

struct Rig {
    driver: Driver,
    inputs: mpsc::Receiver<Input>,
    _ended: mpsc::UnboundedReceiver<(AskId, AskEnd)>,
    folder: Arc<tempfile::TempDir>,
}

impl Rig {
    fn new() -> Rig {
        Rig::on(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A driver on a folder of an earlier driver.
    fn on(folder: Arc<tempfile::TempDir>) -> Rig {
        let home = Home::open(folder.path()).unwrap();
        Rig::with(folder, home)
    }

    fn with(folder: Arc<tempfile::TempDir>, home: Home) -> Rig {
        let mut rig = Rig::not_restored(folder, home);
        rig.driver.restore_now();
        rig
    }

    /// A driver that has not loaded anything of the last run yet.
    fn not_restored(folder: Arc<tempfile::TempDir>, home: Home) -> Rig {
        let listen: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let limits = (Bucket::new(RateLimit::None), Bucket::new(RateLimit::None));
        let (context, inputs, ended) =
            Context::new(PeerId([1; 16]), listen, String::new(), limits, Network::System);
        let home = Arc::new(home);
        let settings = Settings {
            trackers: Vec::new(),
            min_free_bytes: 0,
            sync_every: Duration::from_secs(3600),
            stall_warning: Duration::from_secs(3600),
            reuse: ReuseScope::All,
            neighbours_max: 40,
        };
        let publisher = Publisher { mode: 0o644, group: None };
        let driver = Driver::new(context, home, publisher, settings, Arc::default());
        Rig { driver, inputs, _ended: ended, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Handles inputs until a condition holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Driver) -> bool) {
        let waiting = async {
            while !holds(&self.driver) {
                let input = self.inputs.recv().await.unwrap();
                self.driver.handle(input);
                ends::nobody_is_forgotten(&self.driver);
            }
        };
        let in_time = tokio::time::timeout(CAP, waiting).await;
        assert!(in_time.is_ok(), "{what} does not come true: {:?}", self.driver.status(None));
    }

    /// Handles inputs until a command is answered.
    async fn ask<T>(&mut self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.driver.handle(Input::Command(command(reply)));
        self.answered(answer).await
    }

    /// Handles inputs until the answer to a command arrives.
    async fn answered<T>(
        &mut self,
        answer: oneshot::Receiver<Result<T, ControlError>>,
    ) -> Result<T, ControlError> {
        self.answers(answer).await.unwrap()
    }

    /// Handles inputs until somebody is answered.
    async fn answers<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        let waiting = async {
            loop {
                tokio::select! {
                    answer = &mut answer => return answer,
                    input = self.inputs.recv() => self.driver.handle(input.unwrap()),
                }
            }
        };
        tokio::time::timeout(CAP, waiting).await.expect("a command is answered")
    }

    async fn get(&mut self, manifest: &Manifest, replace: bool) -> Result<Accepted, ControlError> {
        let wanted = Wanted::known(manifest.clone(), replace, user(1000));
        self.ask(|reply| Command::Get { wanted, reply }).await
    }

    fn download(&self, key: SwarmKey) -> Arc<Download> {
        match &self.driver.library.get(key).unwrap().phase {
            Phase::Fetching(fetching) => fetching.download.clone(),
            phase => panic!("no download: {phase:?}"),
        }
    }

    /// Lets all chunks of a download arrive, as from a peer.
    fn receive(&mut self, manifest: &Manifest, bytes: &[u8]) {
        let download = self.download(manifest.key());
        for (at, chunk) in bytes.chunks(CHUNK_BYTES as usize).enumerate() {
            let index = ChunkIndex(at as u32);
            download.store(index, chunk.to_vec().into()).unwrap();
            self.driver.handle(taken(&download, index));
        }
    }

    /// A resource that is fetched, complete and published.
    async fn finished(&mut self, manifest: &Manifest, bytes: &[u8]) {
        self.get(manifest, false).await.unwrap();
        self.receive(manifest, bytes);
        self.until("it is published", |driver| is_seeding(driver, manifest)).await;
    }
}

/// A chunk from a peer was verified and written.
fn taken(download: &Arc<Download>, index: ChunkIndex) -> Input {
    let peer = "127.0.0.1:2".parse().unwrap();
    Input::Taken { download: download.clone(), index, peer, taken: Ok(()) }
}

/// Waits until a condition holds that depends on no input.
async fn comes_true(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(CAP, waiting).await.is_ok(), "{what} does not come true");
}

fn user(uid: u32) -> WantedBy {
    WantedBy::User { uid, name: None }
}

fn is_seeding(driver: &Driver, manifest: &Manifest) -> bool {
    let status = driver.status(Some(manifest.name().as_str()));
    let is_it = |status: &ResourceStatus| status.resource == manifest.resource();
    status.is_ok_and(|status| status[0].state == State::Seeding && is_it(&status[0]))
}

fn bytes(chunks: usize) -> Vec<u8> {
    // Made of blocks, because a debug build takes long for each byte.
    let block: Vec<u8> = (0..3 * 251).map(|at| (at / 3) as u8).collect();
    let count = chunks * CHUNK_BYTES as usize - 7;
    let mut bytes = block.repeat(count.div_ceil(block.len()));
    bytes.truncate(count);
    bytes
}

fn manifest_of(name: &str, bytes: &[u8]) -> Manifest {
    let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
    let hashes = bytes.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
    Manifest::new(name.parse().unwrap(), ResourceId::of(bytes), trackers, hashes).unwrap()
}

#[tokio::test]
async fn the_hash_of_a_former_download_publishes_nothing() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let former = rig.download(manifest.key());
    rig.ask(|reply| Command::Remove { what: "x".to_owned(), delete: false, by: user(1000), reply })
        .await
        .unwrap();
    rig.get(&manifest, false).await.unwrap();

    rig.driver.whole(&former, Ok(manifest.resource()));
    assert!(!rig.driver.publishing.contains_key(&manifest.key()));
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == bytes);
}

#[tokio::test]
async fn what_cannot_be_hashed_is_not_published() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes);
    let download = rig.download(manifest.key());
    // The disk has lost written data, and the hash notices.
    std::fs::File::options().write(true).open(download.file.path()).unwrap().set_len(5).unwrap();
    rig.driver.whole(&download, Err("the disk failed".to_owned()));
    rig.until("it is fetched again", |driver| {
        matches!(&driver.library.get(manifest.key()).unwrap().phase,
            Phase::Fetching(fetching) if fetching.have.is_empty())
    })
    .await;
    assert!(!rig.file("x").exists());
}

#[tokio::test]
async fn a_complete_download_is_published_after_a_restart_once_its_name_is_free() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    std::fs::write(rig.file("x"), "mine").unwrap();
    let part = rig.download(manifest.key()).file.path().to_owned();
    let folder = rig.folder.clone();
    drop(rig);
    std::fs::write(&part, &bytes).unwrap();
    let home = Home::open(folder.path()).unwrap();
    home.slot(manifest.key()).write_have(&HaveMap::full(manifest.count())).unwrap();
    drop(home);

    let mut rig = Rig::on(folder);
    let is_taken = |driver: &Driver| driver.status(Some("x")).unwrap()[0].state == State::Error;
    rig.until("the name is found to be taken", is_taken).await;
    assert_eq!(std::fs::read(rig.file("x")).unwrap(), b"mine");
    std::fs::remove_file(rig.file("x")).unwrap();
    rig.driver.unblock(manifest.key());
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
}

#[tokio::test]
async fn whatever_was_in_the_way_a_published_download_is_served() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes);
    let no_room = Blocked::new(NoRoom::Unknown(None));
    rig.driver.block(manifest.key(), no_room);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(rig.driver.machine.status(manifest.key()).is_some(), "it takes part in its swarm");
}

#[tokio::test]
async fn several_names_at_once_are_published_one_after_the_other() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    rig.finished(&manifest_of("one", &bytes), &bytes).await;
    let names = ["two", "three", "four"];
    for name in names {
        rig.get(&manifest_of(name, &bytes), false).await.unwrap();
    }
    for name in names {
        let manifest = manifest_of(name, &bytes);
        rig.until("the copy is there", |driver| is_seeding(driver, &manifest)).await;
        assert!(std::fs::read(rig.file(name)).unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_damaged_file_is_not_copied_to_another_name() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("one", &bytes);
    rig.finished(&manifest, &bytes).await;
    // Only the bytes show that it is damaged.
    let file = std::fs::File::options().write(true).open(rig.file("one")).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"wrong", 99).unwrap();
    file.set_modified(modified).unwrap();

    rig.get(&manifest_of("two", &bytes), false).await.unwrap();
    let is_failed = |driver: &Driver| driver.status(Some("one")).unwrap()[0].state == State::Error;
    rig.until("the damage is found", is_failed).await;
    assert!(!rig.file("two").exists() && !rig.file("two.tinytorrent").exists());
}

#[tokio::test]
async fn what_is_removed_while_it_is_published_leaves_no_manifest() {
    for delete in [false, true] {
        let (mut rig, bytes) = (Rig::new(), bytes(2));
        let manifest = manifest_of("x", &bytes);
        rig.get(&manifest, false).await.unwrap();
        rig.receive(&manifest, &bytes);
        rig.until("it is being published", |driver| driver.publishing.contains_key(&manifest.key())).await;
        rig.ask(|reply| Command::Remove { what: "x".to_owned(), delete, by: user(1000), reply })
            .await
            .unwrap();
        // Its folder must not be created again while the file is being published.
        if rig.driver.publishing.contains_key(&manifest.key()) {
            assert!(rig.get(&manifest, false).await.is_err() || rig.driver.publishing.is_empty());
        }
        rig.until("nothing is being published", |driver| driver.publishing.is_empty()).await;
        rig.driver.saver.idle().await;
        assert!(!rig.file("x.tinytorrent").exists());
        assert!(!delete || !rig.file("x").exists());
    }
}

#[tokio::test]
async fn what_a_former_download_stored_is_not_here() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    let former = rig.download(manifest.key());
    rig.ask(|reply| Command::Remove { what: "x".to_owned(), delete: false, by: user(1000), reply })
        .await
        .unwrap();
    rig.get(&manifest, false).await.unwrap();

    rig.driver.handle(taken(&former, ChunkIndex(0)));
    rig.driver.synced(&former, HaveMap::full(manifest.count()), Ok(()));
    rig.driver.saver.idle().await;
    assert_eq!(rig.driver.status(Some("x")).unwrap()[0].chunks_have, 0);
    let part = rig.download(manifest.key()).file.path().to_owned();
    assert!(!part.with_file_name("have").exists(), "the have map is ahead of the data");
}

#[tokio::test]
async fn a_complaint_about_a_chunk_that_is_not_here_is_of_no_interest() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.driver.doubt(manifest.key(), ChunkIndex(1), "127.0.0.1:2".parse().unwrap());
    assert!(rig.driver.suspects.is_empty());
}

#[tokio::test]
async fn a_chunk_of_a_download_that_is_damaged_on_the_disk_is_fetched_again() {
    let (mut rig, bytes) = (Rig::new(), bytes(3));
    let manifest = manifest_of("x", &bytes);
    rig.get(&manifest, false).await.unwrap();
    rig.receive(&manifest, &bytes[..2 * CHUNK_BYTES as usize]);
    let part = rig.download(manifest.key()).file.path().to_owned();
    let file = std::fs::File::options().write(true).open(part).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"wrong", 99).unwrap();
    rig.driver.doubt(manifest.key(), ChunkIndex(0), "127.0.0.1:2".parse().unwrap());
    rig.until("one chunk is left", |driver| driver.status(Some("x")).unwrap()[0].chunks_have == 1).await;
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    assert!(std::fs::read(rig.file("x")).unwrap() == bytes);
}

#[tokio::test]
async fn a_file_that_is_gone_is_fetched_again_when_it_is_asked_for() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let (one, two) = (manifest_of("one", &bytes), manifest_of("two", &bytes));
    rig.finished(&one, &bytes).await;
    std::fs::remove_file(rig.file("one")).unwrap();
    rig.driver.check(one.key());
    let is_failed = |driver: &Driver| driver.status(Some("one")).unwrap()[0].state == State::Error;
    rig.until("it is missed", is_failed).await;
    let is_fetching =
        |driver: &Driver| matches!(driver.library.get(one.key()).unwrap().phase, Phase::Fetching(_));
    // Another name first: asking for it does not make the missing one again.
    rig.get(&two, false).await.unwrap();
    rig.until("it is fetched under the other name", is_fetching).await;
    rig.receive(&two, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &two)).await;
    assert!(!rig.file("one").exists() && is_failed(&rig.driver));
    rig.get(&one, false).await.unwrap();
    rig.until("it is copied", |driver| is_seeding(driver, &one)).await;
    assert!(std::fs::read(rig.file("one")).unwrap() == bytes);
}

#[tokio::test]
async fn a_crash_before_or_after_the_rename_of_a_replacement_is_told_apart() {
    for finished in [false, true] {
        let (mut rig, bytes) = (Rig::new(), bytes(2));
        let manifest = manifest_of("x", &bytes);
        std::fs::write(rig.file("x"), "old").unwrap();
        rig.get(&manifest, true).await.unwrap();
        rig.until("what lies there was looked at", |driver| {
            matches!(driver.library.get(manifest.key()).unwrap().phase, Phase::Fetching(_))
        })
        .await;
        let part = rig.download(manifest.key()).file.path().to_owned();
        let folder = rig.folder.clone();
        drop(rig);
        std::fs::remove_file(&part).unwrap(); // not created yet, or already renamed
        if finished {
            std::fs::write(folder.path().join("x"), &bytes).unwrap();
        }
        let mut rig = Rig::on(folder);
        let is_as_expected = |driver: &Driver| match &driver.library.get(manifest.key()).unwrap().phase {
            Phase::Seeding(_) => finished,
            Phase::Fetching(_) => !finished,
            _ => false,
        };
        rig.until("it goes on", is_as_expected).await;
        assert_eq!(std::fs::read(rig.file("x")).unwrap() == bytes, finished);
    }
}

#[tokio::test]
async fn a_folder_that_does_not_answer_is_named_then_left_and_come_back_to() {
    let mut rig = Rig::new();
    let bytes = bytes(2);
    let manifest = manifest_of("image.iso", &bytes);
    rig.finished(&manifest, &bytes).await;
    let state = |driver: &Driver| driver.status(None).unwrap()[0].state;

    let now = Instant::now();
    rig.driver.ask_folder(now.checked_sub(Duration::from_secs(6)).unwrap());
    assert_eq!(state(&rig.driver), State::Waiting, "its answer has not been heard yet");
    assert!(rig.driver.machine.status(manifest.key()).is_some());
    let (reply, mut refused) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Pause { what: "image.iso".to_owned(), reply }));
    let refused = refused.try_recv().unwrap().unwrap_err();
    assert!(refused.message.contains("has not responded for"), "{refused}");

    rig.driver.ask_folder(now + Duration::from_secs(25));
    assert!(rig.driver.machine.status(manifest.key()).is_none(), "others are still sent to us");
    rig.until("it has answered", |driver| state(driver) == State::Seeding).await;
    assert!(rig.driver.machine.status(manifest.key()).is_some());
}
