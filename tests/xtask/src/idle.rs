//! `cargo xtask idle`: measures the cost of a daemon with many finished resources from which nobody fetches: how soon it
//! is ready, whether it reads the files, and how much memory and processor time it takes.

use crate::cargo::Workspace;
use crate::interrupt;
use clap::Args;
use cluster::Programs;
use cluster::ports::free_port;
use cluster::process::{Process, run_unless, sealed};
use rustix::process::Signal;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

// The limits; exceeding one fails the run. They are what docs/performance.md promises.

/// The time from the start to the first answer.
const READY_MAX: Duration = Duration::from_secs(2);
/// The memory with up to a thousand resources, in KiB.
const RESIDENT_MAX_KIB: u64 = 64 << 10;
/// The processor time with up to a thousand resources, in percent of a core.
const CPU_MAX_PERCENT: f64 = 0.5;
/// The memory with up to ten thousand resources, in KiB.
const LARGE_RESIDENT_MAX_KIB: u64 = 128 << 10;
/// The processor time with up to ten thousand resources, in percent of a core.
const LARGE_CPU_MAX_PERCENT: f64 = 1.0;
/// The processor time of the tracker, in percent of a core.
const TRACKER_CPU_MAX_PERCENT: f64 = 0.5;

/// How many files one `ttctl share` shares, so that the command line does not become too long.
const SHARED_AT_ONCE: usize = 100;
/// How long a program may take to answer or to end; after that the run fails.
const CAP: Duration = Duration::from_secs(60);
/// How long a swarm counts as young after its first announce; until then a tracker asks for frequent announces.
const YOUNG: Duration = Duration::from_secs(60);

/// What to measure.
#[derive(Args)]
pub(crate) struct IdleArgs {
    /// How many files the daemon shares
    #[arg(long, default_value_t = 1000)]
    resources: usize,
    /// The size of each file, in KiB
    #[arg(long, default_value_t = 10 << 10)]
    kib: u64,
    /// How many seconds the processor time is measured, once right after the start and once a minute later
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many times the daemon is started, to measure how soon it is ready
    #[arg(long, default_value_t = 5)]
    starts: usize,
}

/// A directory with resources, and the processes for it.
struct Scene {
    programs: Programs,
    home: PathBuf,
    folder: PathBuf,
    tracker: SocketAddr,
}

/// Measures and prints; an error if a limit is exceeded.
pub(crate) fn run(args: &IdleArgs) -> Result<(), String> {
    interrupt::watch()?;
    let programs = match std::env::var_os("TT_BIN") {
        Some(dir) => Programs::in_dir(Path::new(&dir))?,
        None => Programs::in_dir(&Workspace::find()?.build_release()?)?,
    };
    let home = tempfile::Builder::new().prefix("tinytorrent-idle-").tempdir().map_err(told)?;
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let tracker = SocketAddr::new(ip, free_port(ip).map_err(told)?);
    let folder = home.path().join("shared");
    let scene = Scene { programs, home: home.path().to_owned(), folder, tracker };
    let tracker = scene.start_tracker()?;
    scene.prepare(args)?;

    let mut ready = Vec::new();
    for _ in 1..args.starts {
        ready.push(scene.start()?.1);
    }
    let (daemon, last) = scene.start()?;
    ready.push(last);
    ready.sort();
    let (median, worst) = (ready[ready.len() / 2], ready[ready.len() - 1]);
    println!(
        "ready after              {} ms (median of {}; worst {} ms)",
        median.as_millis(),
        ready.len(),
        worst.as_millis()
    );

    let begin = Instant::now();
    let young = busy_percent(&daemon, args.seconds)?;
    let read = rchar(&daemon)?;
    println!("processor after start    {young:.2} % of a core over {} s", args.seconds);
    wait_unless_interrupted((YOUNG + Duration::from_secs(10)).saturating_sub(begin.elapsed()))?;
    let before = (Instant::now(), cpu(&tracker)?);
    let settled = busy_percent(&daemon, args.seconds)?;
    let trackers = (cpu(&tracker)? - before.1).as_secs_f64() / before.0.elapsed().as_secs_f64() * 100.0;
    let resident = resident_kib(&daemon)?;
    println!("processor a minute later {settled:.2} % of a core over {} s", args.seconds);
    println!("processor of the tracker {trackers:.2} % of a core over {} s", args.seconds);
    println!("memory (resident)        {:.1} MiB", resident as f64 / 1024.0);
    println!(
        "read since the start     {:.1} MiB; the files have {} MiB",
        read as f64 / f64::from(1 << 20),
        (args.resources as u64 * args.kib) >> 10
    );

    let mut over = Vec::new();
    let mut check = |what: &str, good: bool| {
        if !good {
            over.push(what.to_owned())
        }
    };
    let is_large = args.resources > 1000;
    let (resident_max, cpu_max) = match is_large {
        true => (LARGE_RESIDENT_MAX_KIB, LARGE_CPU_MAX_PERCENT),
        false => (RESIDENT_MAX_KIB, CPU_MAX_PERCENT),
    };
    check(&format!("ttd needs more than {} s to be ready", READY_MAX.as_secs()), worst <= READY_MAX);
    check(&format!("ttd uses more than {} MiB of memory", resident_max >> 10), resident <= resident_max);
    check(&format!("ttd uses more than {cpu_max} % of a core"), settled <= cpu_max);
    check(
        &format!("the tracker uses more than {TRACKER_CPU_MAX_PERCENT} % of a core"),
        trackers <= TRACKER_CPU_MAX_PERCENT,
    );
    // The daemon's own small files need a few KiB for each resource.
    let is_unread = args.kib < 1024 || read < args.resources as u64 * args.kib * 1024 / 10;
    check("ttd reads the shared files although nobody fetches them", is_unread);
    if over.is_empty() { Ok(()) } else { Err(over.join("; ")) }
}

impl Scene {
    fn start_tracker(&self) -> Result<Process, String> {
        let mut command = sealed(&self.programs.path("tt-tracker"), &self.home);
        command.args(["--listen", &self.tracker.to_string()]);
        let process = Process::start("tt-tracker", command, &self.home.join("tracker.log")).map_err(told)?;
        wait_for("the tracker", || TcpStream::connect(self.tracker).is_ok())?;
        Ok(process)
    }

    /// Starts the daemon. Returns how long it took to answer.
    fn start(&self) -> Result<(Process, Duration), String> {
        let mut command = sealed(&self.programs.path("ttd"), &self.home);
        command.arg(&self.folder).args(["--tracker", &format!("tt://{}", self.tracker)]);
        command.args(["--listen", "127.0.0.1:0"]);
        let begin = Instant::now();
        let process = Process::start("ttd", command, &self.home.join("ttd.log")).map_err(told)?;
        wait_for("ttd", || self.answers())?;
        Ok((process, begin.elapsed()))
    }

    fn answers(&self) -> bool {
        run_unless(self.ttctl(&["status", "--json", "0"]), || None)
            .is_ok_and(|output| [0, 4].contains(&output.code))
    }

    fn ttctl(&self, args: &[&str]) -> Command {
        let mut command = sealed(&self.programs.path("ttctl"), &self.home);
        command.arg("--directory").arg(&self.folder).args(args);
        command
    }

    /// Makes the resources, which are mostly holes but all different, and shares them.
    fn prepare(&self, args: &IdleArgs) -> Result<(), String> {
        let (mut daemon, _) = self.start()?;
        println!("sharing {} resources of {} KiB ...", args.resources, args.kib);
        let mut paths = Vec::new();
        for number in 0..args.resources {
            let path = self.folder.join(format!("resource-{number:05}"));
            let file = File::create(&path).map_err(told)?;
            file.set_len(args.kib << 10).map_err(told)?;
            file.write_all_at(format!("this is number {number}").as_bytes(), 0).map_err(told)?;
            paths.push(path.to_string_lossy().into_owned());
        }
        for paths in paths.chunks(SHARED_AT_ONCE) {
            let mut args = vec!["share"];
            args.extend(paths.iter().map(String::as_str));
            let output = run_unless(self.ttctl(&args), || interrupt::check().err()).map_err(told)?;
            if output.code != 0 {
                return Err(format!("ttctl share failed: {}", output.stderr.trim()));
            }
        }
        daemon.signal(Signal::TERM);
        daemon.wait(CAP).ok_or_else(|| format!("ttd did not end within {} s", CAP.as_secs()))?;
        Ok(())
    }
}

fn busy_percent(daemon: &Process, seconds: u64) -> Result<f64, String> {
    let (begin, before) = (Instant::now(), cpu(daemon)?);
    wait_unless_interrupted(Duration::from_secs(seconds))?;
    Ok((cpu(daemon)? - before).as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0)
}

/// The processor time of all present threads, which the kernel counts in nanoseconds.
fn cpu(daemon: &Process) -> Result<Duration, String> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{}/task", daemon.id())).map_err(told)? {
        let path = task.map_err(told)?.path().join("schedstat");
        let text = fs::read_to_string(path).unwrap_or_default(); // a thread may end at any time
        nanos += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

fn resident_kib(daemon: &Process) -> Result<u64, String> {
    number_in(&format!("/proc/{}/status", daemon.id()), "VmRSS:")
}

fn rchar(daemon: &Process) -> Result<u64, String> {
    number_in(&format!("/proc/{}/io", daemon.id()), "rchar:")
}

fn number_in(path: &str, key: &str) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok());
    number.ok_or(format!("{path} has no {key}"))
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) -> Result<(), String> {
    let begin = Instant::now();
    while !is_there() {
        interrupt::check()?;
        if begin.elapsed() > CAP {
            return Err(format!("{what} did not answer within {} s", CAP.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn wait_unless_interrupted(span: Duration) -> Result<(), String> {
    let begin = Instant::now();
    while begin.elapsed() < span {
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn told(error: std::io::Error) -> String {
    error.to_string()
}
