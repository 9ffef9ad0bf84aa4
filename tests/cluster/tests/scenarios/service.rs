//! Scenarios with systemd: readiness, status, signs of life, reload, end. A Unix socket of the test stands in for
//! systemd; `cargo xtask fleet` uses the real one.

use cluster::mounts::{make_pipe, mount_bind, own_mounts};
use cluster::ports::free_port;
use cluster::process::{Output, Process, run_capped, sealed};
use cluster::{CAP, program, wait_for, wait_until};
use rustix::process::Signal;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A service with a manager that listens.
struct Managed {
    process: Process,
    manager: UnixDatagram,
    config: PathBuf,
    home: TempDir,
}

impl Managed {
    fn start(name: &str, config: &str, args: &[&str]) -> Managed {
        let home = tempfile::tempdir().unwrap();
        let (socket, file) = (home.path().join("notify"), home.path().join("my.toml"));
        fs::write(&file, config).unwrap();
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(CAP)).unwrap();
        let mut command = sealed(&program(name), home.path());
        command.current_dir(home.path()).arg("--config").arg(&file).args(args);
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "400000");
        let process = Process::start(name, command, &home.path().join("log")).unwrap();
        Managed { process, manager, config: file, home }
    }

    /// The next message that contains this text.
    #[track_caller]
    fn heard(&self, text: &str) -> String {
        wait_for(&format!("{text:?} is said"), CAP, || {
            let mut bytes = [0; 4096];
            let count = self.manager.recv(&mut bytes).expect("a message in time");
            let message = String::from_utf8_lossy(&bytes[..count]).into_owned();
            message.contains(text).then_some(message)
        })
    }

    /// Replaces the config file, and returns when it was read again.
    fn reload(&mut self, config: &str) {
        fs::write(&self.config, config).unwrap();
        self.read_again();
    }

    /// Makes the daemon read the configuration again, and returns when it has.
    fn read_again(&mut self) {
        self.process.signal(Signal::HUP);
        let message = self.heard("RELOADING=1");
        let clock = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(clock.is_some_and(|usec| usec.parse::<u64>().is_ok()), "{message}");
        self.heard("READY=1");
    }

    fn ctl(&self, args: &[&str]) -> Output {
        let mut command = sealed(&program("ttctl"), self.home.path());
        command.current_dir(self.home.path()).arg("--directory").arg("shared").args(args);
        run_capped(command, CAP).unwrap()
    }
}

#[test]
fn a_daemon_tells_how_it_is_doing() {
    let mut daemon = Managed::start("ttd", "", &["shared", "--listen", "127.0.0.1:0"]);
    assert_eq!(daemon.heard("READY=1"), "READY=1\nSTATUS=no files yet");
    assert_eq!(daemon.ctl(&["status"]).code, 0, "who is ready answers");
    daemon.heard("WATCHDOG=1");
    daemon.heard("WATCHDOG=1");
    fs::write(daemon.home.path().join("file"), "some bytes").unwrap();
    let shared = daemon.ctl(&["share", "file", "--tracker", "tt://127.0.0.1:9"]);
    assert_eq!(shared.code, 0, "{}", shared.stderr);
    daemon.heard("STATUS=seeding 1");
    daemon.process.signal(Signal::TERM);
    daemon.heard("STOPPING=1");
    assert!(daemon.process.wait(CAP).unwrap().success());
}

#[test]
fn a_daemon_takes_over_what_it_can_of_a_new_config() {
    let mut daemon = Managed::start("ttd", "zone = \"a\"\n", &["shared", "--listen", "127.0.0.1:0"]);
    daemon.heard("READY=1");
    for name in ["one", "two", "three"] {
        fs::write(daemon.home.path().join(name), name).unwrap();
    }
    assert_eq!(daemon.ctl(&["share", "one"]).code, 2, "it knows no tracker");

    daemon.reload("zone = \"b\"\ntrackers = [\"tt://127.0.0.1:9\"]\nfile_mode = \"0600\"\n");
    let shared = daemon.ctl(&["share", "two"]);
    assert_eq!(shared.code, 0, "{}", shared.stderr);
    let mode = fs::metadata(daemon.home.path().join("shared/two")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let log = daemon.process.log();
    assert!(log.contains("changed: trackers, file_mode"), "{log}");
    assert!(log.contains("restart for: zone"), "{log}");

    // A mistake changes nothing, and is reported with its place.
    daemon.reload("file_mode = \"0644\"\nupload_limt = 5\n");
    let log = daemon.process.log();
    assert!(log.contains("my.toml:2: unknown key") && log.contains("nothing has changed"), "{log}");
    assert_eq!(daemon.ctl(&["share", "three"]).code, 0, "the tracker is still known");
    let mode = fs::metadata(daemon.home.path().join("shared/three")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}

/// A pipe in the place of /etc/group never answers, like a directory service that is away.
#[test]
fn a_reload_keeps_the_group_while_it_cannot_be_looked_up() {
    if !own_mounts() {
        return;
    }
    let config = |group: &str, mode: &str| {
        format!("trackers = [\"tt://127.0.0.1:9\"]\nfile_group = \"{group}\"\nfile_mode = \"{mode}\"\n")
    };
    let mut daemon = Managed::start("ttd", &config("daemon", "0640"), &["shared", "--listen", "127.0.0.1:0"]);
    daemon.heard("READY=1");
    let shared = |daemon: &Managed, name: &str| {
        fs::write(daemon.home.path().join(name), name).unwrap();
        let shared = daemon.ctl(&["share", name]);
        assert_eq!(shared.code, 0, "{}", shared.stderr);
        let found = fs::metadata(daemon.home.path().join("shared").join(name)).unwrap();
        (found.mode() & 0o777, found.gid())
    };
    let (mode, gid) = shared(&daemon, "one");
    assert_eq!(mode, 0o640);
    let pipe = daemon.home.path().join("pipe");
    make_pipe(&pipe);
    mount_bind(&pipe, Path::new("/etc/group"));

    daemon.reload(&config("daemon", "0600"));
    assert_eq!(shared(&daemon, "two"), (0o600, gid));
    let log = daemon.process.log();
    assert!(log.contains("my.toml:2: file_group: users and groups cannot be looked up"), "{log}");
    assert!(log.contains("changed: file_mode"), "{log}");

    // Another group is not known, so nothing of that configuration is taken over.
    daemon.reload(&config("bin", "0644"));
    assert_eq!(shared(&daemon, "three"), (0o600, gid));
    assert!(daemon.process.log().contains("nothing has changed"));
}

#[test]
fn a_reload_reads_the_drop_ins_anew() {
    let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port(Ipv4Addr::LOCALHOST.into()).unwrap());
    let listen = format!("listen = \"{addr}\"\n");
    let daemon = ["shared", "--listen", "127.0.0.1:0"];
    for (name, config, args) in [("ttd", "", &daemon[..]), ("tt-tracker", listen.as_str(), &[])] {
        let mut service = Managed::start(name, config, args);
        service.heard("READY=1");
        let folder = service.home.path().join("my.d");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("b.toml"), "unknown_connections_max = 70\n").unwrap();
        fs::write(folder.join("a.toml"), "unknown_connections_max = 80\nlog_level = \"debug\"\n").unwrap();
        service.read_again();
        let log = service.process.log();
        assert!(log.contains("my.toml with 2 drop-ins was read again"), "{log}");
        assert!(log.contains("log_level"), "{log}");

        fs::write(folder.join("b.toml"), "\nunknown_connections_max = 0\n").unwrap();
        service.read_again();
        let log = service.process.log();
        assert!(
            log.contains("my.d/b.toml:2: unknown_connections_max") && log.contains("nothing has changed"),
            "{log}"
        );

        fs::remove_dir_all(&folder).unwrap();
        service.read_again();
        assert!(service.process.log().contains("my.toml was read again"));
    }
}

#[test]
fn a_new_log_level_holds_at_once() {
    let mut daemon = Managed::start("ttd", "log_level = \"error\"\n", &["shared", "--listen", "127.0.0.1:0"]);
    daemon.heard("READY=1");
    assert!(!daemon.process.log().contains("INFO"));
    daemon.reload("log_level = \"info\"\n");
    assert!(daemon.process.log().contains("INFO"));
}

#[test]
fn a_tracker_tells_how_it_is_doing_and_takes_over_a_new_config() {
    let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port(Ipv4Addr::LOCALHOST.into()).unwrap());
    let mut tracker = Managed::start("tt-tracker", &format!("listen = \"{addr}\"\n"), &[]);
    tracker.heard("READY=1\nSTATUS=connections 0");
    std::net::TcpStream::connect(addr).expect("who is ready listens");
    tracker.heard("WATCHDOG=1");
    tracker.reload("entries_max = 5\nlog_format = \"json\"\n");
    let log = tracker.process.log();
    assert!(log.contains("changed: entries_max"), "{log}");
    assert!(log.contains("restart for: listen, log_format"), "{log}");
    tracker.reload("entries_max = none\n");
    wait_until("the mistake is told", CAP, || tracker.process.log().contains("my.toml:1:"));
    tracker.process.signal(Signal::TERM);
    tracker.heard("STOPPING=1");
    assert!(tracker.process.wait(CAP).unwrap().success());
}

#[test]
fn why_it_cannot_start_is_its_last_status() {
    let daemon = Managed::start("ttd", "", &["shared", "--listen", "192.0.2.1:7987"]);
    daemon.heard("STATUS=cannot listen on 192.0.2.1:7987");
    let daemon = Managed::start("ttd", "file_group = \"no-such-group\"\n", &["shared"]);
    daemon.heard("my.toml:1: file_group: no group \"no-such-group\" on this machine");
}
