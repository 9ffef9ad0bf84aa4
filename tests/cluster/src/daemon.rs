//! A daemon of a scenario, and what ttctl says of it.

use crate::process::{Output, Process, free_port, run_capped, sealed};
use crate::{CAP, Tracker, files, program, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running `ttd` with a shared folder of its own.
pub struct Daemon {
    process: Process,
    folder: PathBuf,
    listen: SocketAddr,
    args: Vec<String>,
    home: TempDir,
}

impl Daemon {
    /// Starts one on 127.0.0.1 that knows this tracker, with more options for its command line.
    pub fn start(tracker: &Tracker, args: &[&str]) -> Daemon {
        let url = tracker.url();
        Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[&["--tracker", &url], args].concat())
    }

    /// Starts one on a free port of this address, with these options.
    pub fn start_on(ip: IpAddr, args: &[&str]) -> Daemon {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().join("shared");
        Daemon::start_in(home, &folder, ip, args)
    }

    /// Starts one on a shared folder that may have something in it already.
    pub fn start_in(home: TempDir, folder: &Path, ip: IpAddr, args: &[&str]) -> Daemon {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        // Somebody may take the port between our look and the daemon's.
        for _ in 0..5 {
            let listen = SocketAddr::new(ip, free_port(ip).expect("a free port"));
            if let Ok(process) = launch(home.path(), folder, listen, &args) {
                return Daemon { process, folder: folder.to_owned(), listen, args, home };
            }
        }
        panic!("no daemon came up in five attempts on {ip}");
    }

    /// Its shared folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder that is neither its shared folder nor anybody else's.
    pub fn outside(&self) -> PathBuf {
        let outside = self.home.path().join("outside");
        fs::create_dir_all(&outside).expect("a folder in the sealed home");
        outside
    }

    /// Where it listens for peers.
    pub fn addr(&self) -> SocketAddr {
        self.listen
    }

    /// The file of this name in its shared folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    // -- ttctl

    /// A ttctl command for this daemon, for those who want to start it themselves.
    pub fn ttctl(&self, args: &[&str]) -> Command {
        let mut command = sealed(&program("ttctl"), self.home.path());
        command.current_dir(self.outside()).arg("--folder").arg(&self.folder).args(args);
        command
    }

    /// Runs a ttctl command to its end.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> Output {
        run_capped(self.ttctl(args), CAP).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a ttctl command that must end with this exit code.
    #[track_caller]
    pub fn ctl_code(&self, code: i32, args: &[&str]) -> Output {
        let output = self.ctl(args);
        assert_eq!(
            output.code, code,
            "ttctl {args:?}\n---- stdout\n{}\n---- stderr\n{}",
            output.stdout, output.stderr
        );
        output
    }

    /// Runs a ttctl command that must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Output {
        self.ctl_code(0, args)
    }

    /// Writes a file outside the shared folder and shares it from there. The result is its ResourceId.
    #[track_caller]
    pub fn share_bytes(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.outside().join(name);
        fs::write(&path, bytes).expect("the file is written");
        self.ok(&["share", path.to_str().expect("a path in UTF-8")]);
        files::sha256(bytes)
    }

    /// The state of one resource; `None` if the daemon does not know it.
    #[track_caller]
    pub fn status(&self, what: &str) -> Option<Status> {
        let output = self.ctl(&["status", what, "--json"]);
        match output.code {
            0 => Some(Status(parse(&output))),
            4 => None,
            code => panic!("ttctl status {what}: exit code {code}: {}", output.stderr),
        }
    }

    /// The states of all resources.
    #[track_caller]
    pub fn statuses(&self) -> Vec<Status> {
        let document = parse(&self.ok(&["status", "--json"]));
        let resources = document["resources"].as_array().expect("a list of resources");
        resources.iter().cloned().map(Status).collect()
    }

    /// Waits until a resource's state is as wanted, and returns it.
    #[track_caller]
    pub fn wait_status(&self, what: &str, wanted: &str, is_wanted: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let begin = Instant::now();
        while begin.elapsed() < CAP {
            last = self.status(what);
            if let Some(status) = last.take_if(|status| is_wanted(status)) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} is not {wanted} within {CAP:?}: {last:?}");
    }

    /// Waits until a resource is complete and served.
    #[track_caller]
    pub fn wait_seeding(&self, what: &str) -> Status {
        self.wait_status(what, "seeding", |status| status.state() == "seeding")
    }

    /// Checks a finished file's bytes.
    #[track_caller]
    pub fn check_file(&self, name: &str, bytes: &[u8]) {
        let path = self.file(name);
        let found = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Not assert_eq: nobody reads two hundred megabytes.
        assert!(found == bytes, "{}: {} wrong bytes", path.display(), found.len());
    }

    // -- its life

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same folder and port.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(self.home.path(), &self.folder, self.listen, &self.args)
            .unwrap_or_else(|log| panic!("the daemon does not come up again:\n{log}"));
    }

    /// Starts it again with other options.
    #[track_caller]
    pub fn restart_with(&mut self, args: &[&str]) {
        self.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.restart();
    }

    /// Asks it to end, and waits until it has: how it ended, and how long that took.
    #[track_caller]
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.wait(CAP).expect("the daemon ends when it is asked to");
        (status, begin.elapsed())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// What it has logged, in all its lives.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it has logged this.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), CAP, || self.log().contains(text).then_some(()));
    }
}

/// The log, if it ended before it could be asked anything.
fn launch(home: &Path, folder: &Path, listen: SocketAddr, args: &[String]) -> Result<Process, String> {
    let mut command = sealed(&program("ttd"), home);
    command.arg(folder).args(["--listen", &listen.to_string(), "--log-level", "debug"]).args(args);
    let mut process = Process::start("ttd", command, &home.join("ttd.log")).expect("ttd starts");
    let begin = Instant::now();
    loop {
        if process.ended().is_some() {
            return Err(process.log());
        }
        let mut ttctl = sealed(&program("ttctl"), home);
        ttctl.arg("--folder").arg(folder).args(["status", "--json"]);
        if run_capped(ttctl, CAP).is_ok_and(|output| output.code == 0) {
            return Ok(process);
        }
        assert!(begin.elapsed() < CAP, "the daemon does not answer within {CAP:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn parse(output: &Output) -> Value {
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {:?}", output.stdout));
    assert!(document["schema_version"].is_u64(), "no schema_version: {document}");
    document
}

/// A resource's entry in `ttctl status --json`.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

impl Status {
    /// A key that is a text.
    #[track_caller]
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {}", self.0))
    }

    /// A key that is a number.
    #[track_caller]
    pub fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("{key} is no number in {}", self.0))
    }

    /// Its state: checking, waiting, downloading, seeding, paused or error.
    #[track_caller]
    pub fn state(&self) -> &str {
        self.text("state")
    }

    /// Why it does not progress, empty when all is well.
    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }
}
