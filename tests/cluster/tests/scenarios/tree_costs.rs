//! What it costs to receive and to serve a directory: requests, time, disk and memory.

use cluster::files::content;
use cluster::mounts::{mount_ext4, own_mounts, unmount};
use cluster::trees::{check, items, make};
use cluster::{CAP, Daemon, LOGS_REQUESTS, Tracker, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A number that the environment may give for a measurement.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn a_directory_of_5000_small_files_costs_one_request_for_each_chunk() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &LOGS_REQUESTS));
    let (items, path) = (items(5_000_000, 5_000, 10 << 10), a.folder().join("app"));
    make(&path, &items);
    a.ok(&["share", path.to_str().unwrap()]);
    b.ok(&["get", "app"]);
    let chunks = b.wait_seeding("app").number("chunks_total") as usize;
    check(&b.folder().join("app"), &items);
    let requests = b.chunk_requests();
    assert!(chunks <= 60 && requests == chunks, "{requests} requests for {chunks} chunks");
}

/// Where the files of the receiver are: on ext4 in a file of `TMPDIR` if `$TT_EXT4` is set, otherwise in `TMPDIR`.
struct Place {
    path: PathBuf,
    is_mounted: bool,
}

impl Place {
    fn in_folder(folder: &Path) -> Option<Place> {
        if std::env::var_os("TT_EXT4").is_none() {
            return Some(Place { path: folder.to_owned(), is_mounted: false });
        }
        let path = folder.join("disk");
        (own_mounts() && mount_ext4(&path, 2048)).then(|| Place { path, is_mounted: true })
    }
}

impl Drop for Place {
    /// While it is mounted, the folder and the file of the disk cannot be removed.
    fn drop(&mut self) {
        if self.is_mounted {
            unmount(&self.path);
        }
    }
}

/// What `du -sk` says of a directory, in KiB.
fn used_kib(path: &Path) -> u64 {
    let output = Command::new("du").arg("-sk").arg(path).output().unwrap().stdout;
    let text = String::from_utf8(output).unwrap();
    text.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// A daemon that logs each request, with its files in this directory.
fn receiver_in(place: &Path, tracker: &Tracker) -> Daemon {
    let (home, url) = (tempfile::tempdir_in(place).unwrap(), tracker.url());
    let shared = home.path().join("shared");
    let args = [&["--tracker", &url], &LOGS_REQUESTS[..]].concat();
    Daemon::start_in(home, &shared, Some(tracker.addr().ip()), &args)
}

/// 5,000 files of 10 KiB, beside one file as large and beside `cp -a` with a sync: `TMPDIR=/dev/shm cargo test --release -p
/// cluster measure_receiving -- --ignored --nocapture`. With `TT_EXT4=1` the receiver's files are on ext4 on a loop
/// device, which only root can make. `TT_RUNS` alternating runs (5), each with names of its own.
#[test]
#[ignore = "measures"]
fn measure_receiving_a_directory() {
    let runs = number("TT_RUNS", 5);
    let folder = tempfile::tempdir().unwrap();
    let Some(place) = Place::in_folder(folder.path()) else { return };
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), receiver_in(&place.path, &tracker));
    let run = |program: &str, args: &[&Path]| {
        assert!(Command::new(program).args(args).status().unwrap().success(), "{program}");
    };
    let timed = |work: &dyn Fn()| {
        run("sync", &["-f".as_ref(), b.folder()]);
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    let (mut figures, mut peaks): ([Vec<f64>; 3], Vec<f64>) = Default::default();
    for round in 0..runs {
        let (tree, file) = (format!("tree-{round}"), format!("file-{round}"));
        make(&a.folder().join(&tree), &items(round as u64, 5_000, 10 << 10));
        fs::write(a.file(&file), content(round as u64, 5_000 * (10 << 10))).unwrap();
        for name in [&tree, &file] {
            a.ok(&["share", a.file(name).to_str().unwrap()]);
        }
        let before = b.chunk_requests();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // It takes time itself, so there is only one in one of the runs.
            let sampler = scope.spawn(|| {
                let mut peak = 0;
                while round == 0 && !ended.load(Ordering::Relaxed) {
                    peak = peak.max(used_kib(b.folder()));
                }
                peak
            });
            figures[0].push(timed(&|| drop(b.ok(&["get", &tree]))));
            ended.store(true, Ordering::Relaxed);
            let finished = used_kib(&b.folder().join(&tree));
            peaks.push(sampler.join().unwrap() as f64 / finished as f64);
        });
        let chunks = b.wait_seeding(&tree).number("chunks_total");
        eprintln!("{chunks} chunks, {} requests", b.chunk_requests() - before);
        figures[1].push(timed(&|| drop(b.ok(&["get", &file]))));
        figures[2].push(timed(&|| {
            run("cp", &["-a".as_ref(), &a.file(&tree), &b.outside()]);
            run("sync", &["-f".as_ref(), &b.outside()]);
        }));
        for daemon in [&a, &b] {
            daemon.ok(&["remove", "--delete", &tree]);
            daemon.ok(&["remove", "--delete", &file]);
        }
        fs::remove_dir_all(b.outside().join(&tree)).unwrap();
        wait_until("its files are deleted", CAP, || used_kib(b.folder()) < 1024);
    }
    eprintln!("all runs: {figures:.2?}");
    let [tree, file, copy] = figures.map(|mut figure| {
        figure.sort_unstable_by(f64::total_cmp);
        figure[runs / 2]
    });
    let peak = peaks.into_iter().fold(0.0, f64::max);
    eprintln!(
        "directory {tree:.2} s, one file as large {file:.2} s, cp -a and sync {copy:.2} s: {:.2} of file and copy, {:.2} of \
         the file and two copies",
        tree / (file + copy),
        tree / (file + 2.0 * copy)
    );
    eprintln!("the shared directory has at most {peak:.3} of what the finished directory has");
}

/// The memory of daemons with a directory of `TT_FILES` files (300,000) of `TT_BYTES` bytes (1,000), which `TT_LEECHERS`
/// machines (4) fetch at once: `TMPDIR=/dev/shm cargo test --release -p cluster measure_memory -- --ignored
/// --nocapture`. For each leecher it needs 2 GiB there.
#[test]
#[ignore = "takes long; measures"]
fn measure_memory_of_a_large_directory() {
    let (files, bytes) = (number("TT_FILES", 300_000), number("TT_BYTES", 1_000));
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let leechers: Vec<Daemon> = (0..number("TT_LEECHERS", 4)).map(|_| Daemon::start(&tracker, &[])).collect();
    let mib = |daemon: &Daemon| daemon.memory_peak_kib() / 1024;
    let path = a.folder().join("app");
    make(&path, &items(1, files, bytes));
    // Longer than scenarios wait for a command.
    let wait = |daemon: &Daemon, args: &[&str]| daemon.ttctl(args).spawn().unwrap();
    assert!(wait(&a, &["share", path.to_str().unwrap()]).wait().unwrap().success());
    eprintln!("shared where it lies: VmHWM {} MiB", mib(&a));
    a.restart(); // its peak of memory is that of the start and of serving
    a.wait_seeding("app.tar");
    eprintln!("started with it: VmHWM {} MiB", mib(&a));
    let fetching: Vec<_> = leechers.iter().map(|leecher| wait(leecher, &["get", "app"])).collect();
    for mut fetching in fetching {
        assert!(fetching.wait().unwrap().success());
    }
    let chunks = a.wait_seeding("app.tar").number("chunks_total");
    let received: Vec<u64> = leechers.iter().map(mib).collect();
    eprintln!(
        "{files} files of {bytes} bytes in {chunks} chunks, {} leechers: VmHWM of the seeder {} MiB, of the leechers \
         {received:?} MiB",
        leechers.len(),
        mib(&a)
    );
}
