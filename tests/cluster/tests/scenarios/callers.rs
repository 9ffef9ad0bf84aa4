//! Scenarios with many callers at the control socket, and with requests that they do not finish.

use cluster::files::{MIB, content, sha256};
use cluster::trees::{check, items, tar};
use cluster::{CAP, Daemon, Tracker, wait_until};
use shared::rpc::control::{ControlCaller, ErrorKind, ShareRequest, TaskId, TaskState};
use shared::rpc::wire::{ClientOptions, client};
use shared::rpc::{PROTOCOL_VERSION, Payload, local};
use shared::tree::{Symlinks, TreeOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The number of places for callers.
const CALLERS_MAX: usize = 256;
const SOON: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A caller that said hello.
async fn call(socket: &Path) -> ControlCaller {
    let stream = local::connect(socket).await.unwrap();
    let (caller, link) = client(stream, ClientOptions::default());
    let caller: ControlCaller = caller;
    tokio::spawn(link);
    caller.hello(PROTOCOL_VERSION, SOON).await.unwrap().unwrap();
    caller
}

/// A daemon, and the path of its socket.
fn daemon(tracker: &Tracker) -> (Daemon, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ttd.sock");
    let daemon = Daemon::start(tracker, &["--socket", socket.to_str().unwrap()]);
    (daemon, socket, folder)
}

fn request(name: &str, bytes: u64) -> ShareRequest {
    let name = name.parse().unwrap();
    ShareRequest {
        name,
        trackers: Vec::new(),
        replace: false,
        bytes,
        data_bytes: bytes,
        tree: None,
        to_be_signed: false,
    }
}

#[test]
fn callers_who_ask_nothing_make_room_for_another() {
    let tracker = Tracker::start();
    let (daemon, socket, _folder) = daemon(&tracker);
    let runtime = runtime();
    let callers = runtime.block_on(async {
        let mut callers = Vec::new();
        for _ in 0..CALLERS_MAX {
            callers.push(call(&socket).await);
        }
        callers
    });
    daemon.ok(&["list"]);
    daemon.ok(&["status"]);
    // The caller that asked last keeps its place; the one that has been silent longest has lost its own.
    let answers = |at: usize| runtime.block_on(callers[at].rejections(SOON)).is_ok();
    assert!(answers(CALLERS_MAX - 1));
    assert!(!answers(0));
}

#[test]
fn imports_that_nobody_feeds_keep_nobody_from_sharing() {
    let tracker = Tracker::start();
    let (daemon, socket, _folder) = daemon(&tracker);
    let runtime = runtime();
    let (callers, begun) = runtime.block_on(async {
        let (mut callers, mut begun) = (Vec::new(), 0);
        for number in 0..64 {
            let caller = call(&socket).await;
            for import in 0..16 {
                let request = request(&format!("file-{number}-{import}"), 5);
                begun += usize::from(caller.import(request, SOON).await.unwrap().is_ok());
            }
            callers.push(caller);
        }
        (callers, begun)
    });
    assert_eq!(begun, 64, "one user has no more at once");
    daemon.share_in_place("in-place", b"whatever");
    drop(callers);
    drop(runtime);
    // Imports end with their connections, and others begin at once.
    let left = || fs::read_dir(daemon.file(".tinytorrent/imports")).unwrap().count();
    wait_until("nothing is left of them", CAP, || left() == 0);
    daemon.share_bytes("another", &content(95, MIB));
}

#[test]
fn an_import_that_is_not_what_was_announced_ends_with_a_word() {
    let tracker = Tracker::start();
    let (daemon, socket, _folder) = daemon(&tracker);
    runtime().block_on(async {
        let caller = call(&socket).await;
        let begin = async |name: &str| caller.import(request(name, 5), SOON).await.unwrap().unwrap();
        let feed = async |task: TaskId, bytes: &'static [u8]| {
            caller.import_part(task, Payload { bytes: bytes.into(), written: None }, SOON).await.unwrap()
        };
        let state = async |task: TaskId| format!("{:?}", caller.task(task, 0, SOON).await.unwrap().unwrap());
        let (long, short) = (begin("long").await, begin("short").await);
        feed(long, b"more than five").await.unwrap_err();
        assert!(state(long).await.contains("more than the announced 5 bytes"), "{}", state(long).await);
        feed(short, b"four").await.unwrap();
        caller.import_end(short, SOON).await.unwrap().unwrap_err();
        assert!(state(short).await.contains("has 4 bytes, not 5"), "{}", state(short).await);
    });
    let left = || fs::read_dir(daemon.file(".tinytorrent/imports")).unwrap().count();
    wait_until("nothing is left of them", CAP, || left() == 0);
}

#[test]
fn a_directory_that_does_not_arrive_completely_or_is_not_what_it_says_leaves_nothing() {
    let tracker = Tracker::start();
    let (mut daemon, socket, _folder) = daemon(&tracker);
    let tar = tar("app", &items(970, 40, 100_000));
    let sums = tar.windows(12).rposition(|bytes| bytes == b".SHA256SUMS\0").unwrap();
    let left = |daemon: &Daemon| {
        let count = |name: &str| fs::read_dir(daemon.file(".tinytorrent").join(name)).unwrap().count();
        ["imports", "trash", "resources"].map(count).into_iter().sum::<usize>() + daemon.listing().len()
    };
    let request = |name: &str, bytes: usize| ShareRequest {
        tree: Some(TreeOptions { symlinks: Symlinks::Inside, skip_special: false, has_times: true }),
        ..request(name, bytes as u64)
    };
    let feed = async |caller: &ControlCaller, task: TaskId, tar: &[u8]| {
        for chunk in tar.chunks(MIB) {
            let payload = Payload { bytes: chunk.to_vec().into(), written: None };
            caller.import_part(task, payload, SOON).await.unwrap()?;
        }
        caller.import_end(task, SOON).await.unwrap()
    };
    let runtime = runtime();
    runtime.block_on(async {
        let caller = call(&socket).await;
        let mut wrong = tar.clone();
        wrong[sums - 1] ^= 1; // of the padding of the last file
        for (name, bytes) in [
            ("app.tar", &wrong[..sums]),
            ("app.tar", &tar),
            ("app.tar", &tar[..MIB]),
            ("other.tar", &tar[..sums]),
        ] {
            let task = caller.import(request(name, bytes.len()), SOON).await.unwrap().unwrap();
            let _ = feed(&caller, task, bytes).await; // some of it shows only when all has arrived
            let state = caller.task(task, 20_000, SOON + SOON).await.unwrap().unwrap();
            let TaskState::Failed(refused) = state else { panic!("{state:?}") };
            assert_eq!(refused.kind, ErrorKind::BadData, "{refused:?}");
        }
    });
    wait_until("nothing is left of them", CAP, || left(&daemon) == 0);

    let begin = async |socket: &Path| {
        let caller = call(socket).await;
        let task = caller.import(request("app.tar", sums), SOON).await.unwrap().unwrap();
        let payload = Payload { bytes: tar[..MIB].to_vec().into(), written: None };
        caller.import_part(task, payload, SOON).await.unwrap().unwrap();
        caller
    };
    let caller = runtime.block_on(begin(&socket));
    assert!(left(&daemon) > 0);
    drop((caller, runtime)); // as a ttctl that dies
    wait_until("nothing is left of it", CAP, || left(&daemon) == 0);

    let runtime = self::runtime();
    let _caller = runtime.block_on(begin(&socket));
    daemon.kill();
    assert!(left(&daemon) > 0);
    daemon.restart();
    wait_until("the next start has removed it", CAP, || left(&daemon) == 0);

    let end = runtime.block_on(async {
        let caller = call(&socket).await;
        let task = caller.import(request("app.tar", sums), SOON).await.unwrap().unwrap();
        feed(&caller, task, &tar[..sums]).await.unwrap();
        caller.task(task, 20_000, SOON + SOON).await.unwrap().unwrap()
    });
    let TaskState::Shared(shared) = end else { panic!("{end:?}") };
    assert_eq!(shared.resource.to_string(), sha256(&tar));
    check(&daemon.file("app"), &items(970, 40, 100_000));
}

#[test]
fn more_files_are_shared_than_tasks_are_remembered() {
    let tracker = Tracker::start();
    let (daemon, socket, _folder) = daemon(&tracker);
    let many = 1100;
    for number in 0..many {
        fs::write(daemon.file(&format!("file-{number}")), number.to_string()).unwrap();
    }
    runtime().block_on(async {
        let caller = call(&socket).await;
        let begin = Instant::now();
        for number in 0..many {
            let shared = caller.share(request(&format!("file-{number}"), 0), SOON).await.unwrap();
            let task = shared.unwrap_or_else(|error| panic!("file {number}: {error}"));
            let ended = caller.task(task, 20_000, SOON + SOON).await.unwrap().unwrap();
            assert!(format!("{ended:?}").starts_with("Shared"), "file {number}: {ended:?}");
        }
        assert!(begin.elapsed() < Duration::from_secs(290), "ended tasks are forgotten by then anyway");
    });
    assert_eq!(daemon.statuses().len(), many);
}

#[test]
fn an_import_brings_no_more_data_than_room_was_promised_for() {
    const CHUNK: u64 = MIB as u64;
    let tracker = Tracker::start();
    let (daemon, socket, _folder) = daemon(&tracker);
    runtime().block_on(async {
        let caller = call(&socket).await;
        let wanted = || ShareRequest { data_bytes: CHUNK, ..request("disk.img", 3 * CHUNK) };
        let begin = async || caller.import(wanted(), SOON).await.unwrap().unwrap();
        let part = async |task: TaskId| {
            let bytes = content(950, MIB).into();
            caller.import_part(task, Payload { bytes, written: None }, SOON).await.unwrap()
        };
        let zeros = async |task: TaskId, bytes| caller.import_zeros(task, bytes, SOON).await.unwrap();

        let task = begin().await;
        part(task).await.unwrap();
        zeros(task, CHUNK).await.unwrap();
        let refused = part(task).await.unwrap_err();
        assert!(refused.message.ends_with("more than the announced 1048576 bytes of data"), "{refused}");
        assert!(zeros(task, CHUNK).await.is_err(), "the import has ended");

        let task = begin().await;
        let refused = zeros(task, u64::MAX).await.unwrap_err();
        assert!(refused.message.contains("the maximum is"), "{refused}");
        let refused = zeros(task, 4 * CHUNK).await.unwrap_err();
        assert!(refused.message.ends_with("more than the announced 3145728 bytes"), "{refused}");

        let task = begin().await;
        zeros(task, 3 * CHUNK).await.unwrap();
        caller.import_end(task, SOON).await.unwrap().unwrap();
    });
    daemon.wait_seeding("disk.img");
    daemon.check_file("disk.img", &[0; 3 * MIB]);
}
