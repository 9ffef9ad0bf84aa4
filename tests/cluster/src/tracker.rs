//! A tracker of a scenario.

use crate::ports::free_port;
use crate::process::{Process, sealed};
use crate::{CAP, program, wait_until};
use rustix::process::Signal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Instant;
use tempfile::TempDir;

/// A running `tt-tracker`.
pub struct Tracker {
    process: Process,
    addr: SocketAddr,
    home: TempDir,
    log_level: &'static str,
}

impl Tracker {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start() -> Tracker {
        Tracker::start_on(Ipv4Addr::LOCALHOST.into())
    }

    /// Starts one on a free port of this address.
    pub fn start_on(ip: IpAddr) -> Tracker {
        Tracker::start_with(ip, "debug")
    }

    /// Starts one that logs everything.
    pub fn start_talkative() -> Tracker {
        Tracker::start_with(Ipv4Addr::LOCALHOST.into(), "trace")
    }

    fn start_with(ip: IpAddr, log_level: &'static str) -> Tracker {
        let home = tempfile::tempdir().expect("a temporary folder");
        // Another process may take the port after it was found free.
        for _ in 0..5 {
            let addr = SocketAddr::new(ip, free_port(ip).expect("a free port"));
            if let Some(process) = launch(addr, &home, log_level) {
                return Tracker { process, addr, home, log_level };
            }
        }
        panic!("no tracker came up in five attempts on {ip}");
    }

    /// Gives it this configuration, and waits until it has read it.
    pub fn configure(&mut self, toml: &str) {
        std::fs::write(config_file(&self.home), toml).expect("a config file");
        let reloads = |log: &str| log.matches(" was read again").count();
        let before = reloads(&self.log());
        self.process.signal(Signal::HUP);
        wait_until("the tracker has read its configuration", CAP, || reloads(&self.log()) > before);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("tt://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.process.kill();
        let process = launch(self.addr, &self.home, self.log_level);
        self.process = process.expect("the tracker comes up again on its port");
    }

    /// Asks it to end, waits for that, and returns how long it took.
    pub fn terminate(&mut self) -> std::time::Duration {
        let begin = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.wait(CAP).expect("the tracker ends when it is asked to");
        assert!(status.success(), "the tracker ended with {status}");
        begin.elapsed()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }
}

fn config_file(home: &TempDir) -> PathBuf {
    home.path().join("tt-tracker.toml")
}

/// Returns `None` if it ended at once because its port is taken.
fn launch(addr: SocketAddr, home: &TempDir, log_level: &str) -> Option<Process> {
    let mut command = sealed(&program("tt-tracker"), home.path());
    command.args(["--listen", &addr.to_string(), "--log-level", log_level]);
    let config = config_file(home);
    if !config.exists() {
        std::fs::write(&config, "").expect("a config file");
    }
    command.arg("--config").arg(config);
    let mut process =
        Process::start("tt-tracker", command, &home.path().join("tracker.log")).expect("tt-tracker starts");
    let begin = Instant::now();
    loop {
        if process.ended().is_some() {
            eprintln!("{}", process.log());
            return None;
        }
        if TcpStream::connect(addr).is_ok() {
            return Some(process);
        }
        assert!(begin.elapsed() < CAP, "the tracker does not listen on {addr}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
