//! A daemon of a scenario, and its ttctl.

use crate::ports::free_port;
use crate::process::{Output, Process, run_capped, sealed};
use crate::skip::skipped;
use crate::{CAP, Tracker, files, program, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running `ttd` with a shared directory of its own.
pub struct Daemon {
    process: Process,
    setup: Setup,
}

/// The options with which a daemon logs each request for a chunk.
pub const LOGS_REQUESTS: [&str; 2] = ["--log-level", "info,daemon::driver::run=trace"];

/// How a daemon is started and restarted.
struct Setup {
    folder: PathBuf,
    /// The address at which it must listen; `None` lets it choose.
    listen: Option<SocketAddr>,
    args: Vec<String>,
    /// A program and arguments that run it, such as `setpriv --reuid=1`.
    by: Vec<String>,
    home: TempDir,
}

impl Daemon {
    /// Starts a daemon on 127.0.0.1 with this tracker and further options.
    #[track_caller]
    pub fn start(tracker: &Tracker, args: &[&str]) -> Daemon {
        let url = tracker.url();
        Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[&["--tracker", &url], args].concat())
    }

    /// Like `start`, with a config file.
    #[track_caller]
    pub fn start_configured(tracker: &Tracker, config: &str) -> Daemon {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().join("config");
        fs::create_dir(&folder)
            .and_then(|()| fs::write(folder.join("ttd.toml"), config))
            .expect("a config file");
        let folder = home.path().join("shared");
        Daemon::start_in(home, &folder, Some(Ipv4Addr::LOCALHOST.into()), &["--tracker", &tracker.url()])
    }

    /// Starts a daemon on a free port of this address, with these options.
    #[track_caller]
    pub fn start_on(ip: IpAddr, args: &[&str]) -> Daemon {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().join("shared");
        Daemon::start_in(home, &folder, Some(ip), args)
    }

    /// Like `start`, with at most `descriptors` open descriptors.
    #[track_caller]
    pub fn start_with_descriptors(tracker: &Tracker, descriptors: u32) -> Daemon {
        let limit = format!("ulimit -n {descriptors}; exec \"$@\"");
        Daemon::start_by(tracker, &["/bin/sh", "-c", &limit, "sh"])
    }

    /// Like `start`, run by another program, such as `setpriv --reuid=1`.
    #[track_caller]
    pub fn start_by(tracker: &Tracker, by: &[&str]) -> Daemon {
        let home = tempfile::tempdir().expect("a temporary folder");
        Daemon::start_in_by(home, tracker, by)
    }

    #[track_caller]
    fn start_in_by(home: TempDir, tracker: &Tracker, by: &[&str]) -> Daemon {
        let folder = home.path().join("shared");
        let args = ["--tracker".to_owned(), tracker.url()].to_vec();
        let by = by.iter().map(|word| (*word).to_owned()).collect();
        let setup = Setup { folder, listen: None, args, by, home };
        Daemon::launch(setup, Some(Ipv4Addr::LOCALHOST.into()))
    }

    /// Like `start`, as a user with no rights. Returns `None`, and prints why, where that is impossible.
    #[track_caller]
    pub fn start_as_nobody(tracker: &Tracker) -> Option<Daemon> {
        if !rustix::process::geteuid().is_root() {
            skipped("only root can run ttd as another user");
            return None;
        }
        let by = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let ttd = program("ttd");
        let can_run = Command::new(by[0]).args(&by[1..]).arg(&ttd).arg("--version").output();
        if !can_run.is_ok_and(|output| output.status.success()) {
            skipped(&format!("the user nobody cannot run {} (setpriv is in util-linux)", ttd.display()));
            return None;
        }
        let home = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).expect("root may do that");
        Some(Daemon::start_in_by(home, tracker, &by))
    }

    /// Starts a daemon that chooses its port itself.
    #[track_caller]
    pub fn start_anywhere(args: &[&str]) -> Daemon {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().join("shared");
        Daemon::start_in(home, &folder, None, args)
    }

    /// Starts a daemon on a shared directory that may contain files already.
    #[track_caller]
    pub fn start_in(home: TempDir, folder: &Path, ip: Option<IpAddr>, args: &[&str]) -> Daemon {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Daemon::launch(Setup { folder: folder.to_owned(), listen: None, args, by: Vec::new(), home }, ip)
    }

    #[track_caller]
    fn launch(mut setup: Setup, ip: Option<IpAddr>) -> Daemon {
        // Another process may take the port after it was found free.
        for _ in 0..3 {
            setup.listen = ip.map(|ip| SocketAddr::new(ip, free_port(ip).expect("a free port")));
            match setup.launch() {
                Ok(process) => return Daemon { process, setup },
                Err(log) => eprintln!("ttd did not come up:\n{log}"),
            }
        }
        panic!("no daemon came up in three attempts");
    }

    /// Its shared directory.
    pub fn folder(&self) -> &Path {
        &self.setup.folder
    }

    /// A folder that no daemon shares.
    pub fn outside(&self) -> PathBuf {
        let outside = self.setup.home.path().join("outside");
        fs::create_dir_all(&outside).expect("a folder in the sealed home");
        outside
    }

    /// The address at which it was told to listen for peers.
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.setup.listen.expect("it was told where to listen")
    }

    /// The file of this name in its shared directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.setup.folder.join(name)
    }

    // -- ttctl

    /// A ttctl command for this daemon that is not started yet.
    pub fn ttctl(&self, args: &[&str]) -> Command {
        let mut command = sealed(&program("ttctl"), self.setup.home.path());
        command.current_dir(self.outside()).args(self.setup.where_it_is()).args(args);
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

    /// Writes a file outside the shared directory and shares it from there. The result is its ResourceId.
    #[track_caller]
    pub fn share_bytes(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.outside().join(name);
        fs::write(&path, bytes).expect("the file is written");
        self.ok(&["share", path.to_str().expect("a path in UTF-8")]);
        files::sha256(bytes)
    }

    /// Writes a file into the shared directory and shares it where it is. The result is its ResourceId.
    #[track_caller]
    pub fn share_in_place(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.file(name);
        fs::write(&path, bytes).expect("the file is written");
        self.ok(&["share", path.to_str().expect("a path in UTF-8")]);
        files::sha256(bytes)
    }

    /// Starts a ttctl command without waiting for it.
    #[track_caller]
    pub fn ctl_in_background(&self, args: &[&str]) -> Process {
        let log = self.setup.home.path().join("ttctl.log");
        Process::start("ttctl", self.ttctl(args), &log).expect("ttctl starts")
    }

    /// Fetches a resource, waits until it is there, and checks its bytes.
    #[track_caller]
    pub fn get(&self, name: &str, bytes: &[u8]) {
        self.ok(&["get", "--", name]);
        self.check_file(name, bytes);
    }

    /// The names of the files in the shared directory, without `.tinytorrent`, in order.
    pub fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).expect("the shared folder is there");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).filter(|name| name != ".tinytorrent").collect();
        names.sort();
        names
    }

    /// The state of one resource; `None` if the daemon does not know it.
    #[track_caller]
    pub fn status(&self, what: &str) -> Option<Status> {
        let output = self.ctl(&["status", "--json", "--", what]);
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

    /// How often it refused peers for this reason.
    #[track_caller]
    pub fn rejected(&self, reason: &str) -> u64 {
        let document = parse(&self.ok(&["peers", "--json"]));
        document["rejected"][reason].as_u64().unwrap_or_else(|| panic!("no reason {reason} in {document}"))
    }

    /// Waits until it has refused somebody for this reason.
    #[track_caller]
    pub fn wait_rejected(&self, reason: &str) {
        wait_for(&format!("a peer that was turned away for {reason}"), CAP, || {
            (self.rejected(reason) > 0).then_some(())
        });
    }

    /// The memory that it uses now, in KiB.
    #[track_caller]
    pub fn memory_kib(&self) -> u64 {
        self.proc("status", "VmRSS:")
    }

    /// The most memory that it has used, in KiB.
    #[track_caller]
    pub fn memory_peak_kib(&self) -> u64 {
        self.proc("status", "VmHWM:")
    }

    /// How many descriptors it has open.
    #[track_caller]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it runs").count()
    }

    /// Waits until `is_wanted` holds for the state of a resource, and returns the state.
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
        // Not assert_eq, which would print two hundred megabytes.
        assert!(found == bytes, "{}: {} wrong bytes", path.display(), found.len());
    }

    // -- its life

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops or continues its process. To others, a stopped daemon looks like a machine that hangs.
    pub fn freeze(&mut self, frozen: bool) {
        self.process.signal(if frozen { Signal::STOP } else { Signal::CONT });
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A number of the kernel about it: the value of `key` in a file of its folder in /proc.
    #[track_caller]
    pub fn proc(&self, file: &str, key: &str) -> u64 {
        let path = format!("/proc/{}/{file}", self.id());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_else(|| panic!("no {key} in {path}"));
        let number = line.split_whitespace().next().and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("{path}: {key} {line:?} is no number"))
    }

    /// Starts it again on the same folder and port.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process =
            self.setup.launch().unwrap_or_else(|log| panic!("the daemon does not come up again:\n{log}"));
    }

    /// Has it read its configuration again, and does not wait for that.
    pub fn reload(&mut self) {
        self.process.signal(Signal::HUP);
    }

    /// Changes its config file. It is read at the next start.
    pub fn configure(&self, config: &str) {
        write_config(self.setup.home.path(), config);
    }

    /// Asks it to end, waits for that, and returns how it ended and how long that took.
    #[track_caller]
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.wait(CAP).expect("the daemon ends when it is asked to");
        (status, begin.elapsed())
    }

    /// Waits until it has ended by itself, and returns how.
    #[track_caller]
    pub fn wait_end(&mut self) -> ExitStatus {
        self.process.wait(CAP).expect("it ends by itself")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Its log, from all its starts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// How many requests for a chunk it has made, if it was started with [`LOGS_REQUESTS`].
    pub fn chunk_requests(&self) -> usize {
        self.log().lines().filter(|line| line.contains("action=\"Get {")).count()
    }

    /// Waits until it has logged this.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), CAP, || self.log().contains(text).then_some(()));
    }
}

fn write_config(home: &Path, config: &str) {
    let folder = home.join("config");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("ttd.toml"), config))
        .expect("a config file");
}

impl Setup {
    /// The options with which ttctl finds it.
    fn where_it_is(&self) -> [&OsStr; 2] {
        let socket = self.args.iter().skip_while(|arg| *arg != "--socket").nth(1);
        match socket {
            Some(socket) => ["--socket".as_ref(), socket.as_ref()],
            None => ["--directory".as_ref(), self.folder.as_ref()],
        }
    }

    /// Starts it. The error is its log, if it ended before it could answer.
    fn launch(&self) -> Result<Process, String> {
        let home = self.home.path();
        let mut command = match self.by.split_first() {
            None => sealed(&program("ttd"), home),
            Some((first, rest)) => {
                let mut command = sealed(Path::new(first), home);
                command.args(rest).arg(program("ttd"));
                command
            }
        };
        command.arg(&self.folder).args(&self.args);
        if !self.args.iter().any(|arg| arg == "--log-level") {
            // Each query of the status would add a line to the log.
            command.args(["--log-level", "debug,daemon::control=info"]);
        }
        if let Some(listen) = self.listen {
            command.args(["--listen", &listen.to_string()]);
        }
        let mut process = Process::start("ttd", command, &home.join("ttd.log")).expect("ttd starts");
        let begin = Instant::now();
        loop {
            if process.ended().is_some() {
                return Err(process.log());
            }
            let mut ttctl = sealed(&program("ttctl"), home);
            ttctl.args(self.where_it_is()).args(["status", "--json"]);
            if run_capped(ttctl, CAP).is_ok_and(|output| output.code == 0) {
                return Ok(process);
            }
            assert!(begin.elapsed() < CAP, "the daemon does not answer within {CAP:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
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
    /// The text under a key.
    #[track_caller]
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {}", self.0))
    }

    /// The number under a key.
    #[track_caller]
    pub fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("{key} is no number in {}", self.0))
    }

    /// Its state: checking, waiting, downloading, seeding, paused or error.
    #[track_caller]
    pub fn state(&self) -> &str {
        self.text("state")
    }

    /// Why it makes no progress; empty if all is well.
    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }
}
