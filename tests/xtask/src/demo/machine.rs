//! The demo's processes: a tracker, and daemons that each have a shared directory.

use crate::interrupt;
use cluster::Programs;
use cluster::ports::free_port;
use cluster::process::{Process, run_unless, sealed};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(20);

/// The demo's temporary directory, which is removed when this is dropped.
pub(crate) struct Scene {
    programs: Programs,
    folder: TempDir,
}

/// The demo's tracker.
pub(crate) struct Tracker {
    _process: Process,
    addr: SocketAddr,
}

/// One of the demo's daemons.
pub(crate) struct Machine {
    name: String,
    ttctl: PathBuf,
    folder: PathBuf,
    home: PathBuf,
    process: Process,
}

/// The progress of a machine.
pub(crate) struct Progress {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) bytes_have: u64,
    pub(crate) bytes_per_s: u64,
    pub(crate) peers: u64,
    pub(crate) uploaded_bytes: u64,
    pub(crate) bytes_fetched: u64,
    pub(crate) bytes_reused: u64,
}

impl Scene {
    pub(crate) fn new(programs: Programs) -> Result<Scene, String> {
        let folder = tempfile::Builder::new().prefix("tinytorrent-demo-").tempdir();
        Ok(Scene {
            programs,
            folder: folder.map_err(|error| format!("cannot create a temporary directory: {error}"))?,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start_tracker(&self) -> Result<Tracker, String> {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = free_port(ip).map_err(|error| format!("cannot find a free port: {error}"))?;
        let addr = SocketAddr::new(ip, port);
        let mut command = sealed(&self.programs.path("tt-tracker"), self.folder());
        command.args(["--listen", &addr.to_string()]);
        let log = self.folder().join("tracker.log");
        let mut process = Process::start("tt-tracker", command, &log).map_err(|error| error.to_string())?;
        wait_until_up("tt-tracker", &mut process, || TcpStream::connect(addr).is_ok())?;
        Ok(Tracker { _process: process, addr })
    }

    pub(crate) fn start_machine(&self, name: &str, tracker: &Tracker) -> Result<Machine, String> {
        let folder = self.folder().join(name);
        let mut command = sealed(&self.programs.path("ttd"), self.folder());
        command.arg(&folder).args(["--tracker", &tracker.url()]);
        let log = self.folder().join(format!("{name}.log"));
        let process = Process::start(name, command, &log).map_err(|error| error.to_string())?;
        let ttctl = self.programs.path("ttctl");
        let home = self.folder().to_owned();
        let mut machine = Machine { name: name.to_owned(), ttctl, folder, home, process };
        // Not through `&mut machine`, which the waiting needs.
        let (ttctl, folder, home) = (machine.ttctl.clone(), machine.folder.clone(), machine.home.clone());
        wait_until_up(&format!("ttd {name}"), &mut machine.process, || {
            let mut command = sealed(&ttctl, &home);
            command.arg("--directory").arg(&folder).args(["status", "--json"]);
            run_unless(command, interrupted).is_ok_and(|output| output.code == 0)
        })?;
        Ok(machine)
    }
}

impl Tracker {
    pub(crate) fn url(&self) -> String {
        format!("tt://{}", self.addr)
    }
}

impl Machine {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a ttctl command that must succeed; the result is what it wrote to stdout.
    pub(crate) fn ttctl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = sealed(&self.ttctl, &self.home);
        command.arg("--directory").arg(&self.folder).args(args);
        let output = run_unless(command, interrupted);
        interrupt::check()?;
        let output = output.map_err(|error| error.to_string())?;
        match output.code {
            0 => Ok(output.stdout),
            code => Err(format!(
                "{}: ttctl {} failed with exit code {code}: {}",
                self.name,
                args.join(" "),
                output.stderr.trim()
            )),
        }
    }

    pub(crate) fn progress(&self, name: &str) -> Result<Progress, String> {
        let text = self.ttctl(&["status", "--json", "--", name])?;
        let status: Value =
            serde_json::from_str(&text).map_err(|error| format!("status: {error}: {text}"))?;
        let number = |key: &str| status[key].as_u64().unwrap_or_default();
        let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        Ok(Progress {
            id: text("id"),
            state: text("state"),
            reason: text("reason"),
            bytes_have: number("bytes_have"),
            bytes_per_s: number("download_bytes_per_s"),
            peers: number("peers"),
            uploaded_bytes: number("uploaded_bytes"),
            bytes_fetched: number("bytes_fetched"),
            bytes_reused: number("bytes_reused"),
        })
    }

    /// Prints the end of the daemon's log, after a failure.
    pub(crate) fn print_log(&self) {
        let log = self.process.log();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("---- {} ----\n{}", self.name, lines[lines.len().saturating_sub(20)..].join("\n"));
    }
}

fn interrupted() -> Option<String> {
    interrupt::check().err()
}

fn wait_until_up(name: &str, process: &mut Process, is_up: impl Fn() -> bool) -> Result<(), String> {
    let begin = Instant::now();
    while !is_up() {
        interrupt::check()?;
        if let Some(status) = process.ended() {
            return Err(format!("{name} failed with {status}:\n{}", process.log().trim()));
        }
        if begin.elapsed() > START_MAX {
            return Err(format!(
                "{name} did not answer within {} s:\n{}",
                START_MAX.as_secs(),
                process.log().trim()
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
