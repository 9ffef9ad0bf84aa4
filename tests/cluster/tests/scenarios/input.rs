//! Scenarios with input that is wrong by mistake or on purpose.

use cluster::files::{MIB, content, sha256};
use cluster::process::{run_capped, sealed};
use cluster::{CAP, Daemon, Tracker, program};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

#[test]
fn a_malformed_manifest_is_refused_with_its_line() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let hash = sha256(b"x");
    let cases = [
        ("empty", String::new(), "line 1"),
        ("name", format!("../x\n{hash}\n{}\n{hash}\n", tracker.url()), "line 1"),
        ("hash", format!("x\n{}\n{}\n{hash}\n", &hash[1..], tracker.url()), "line 2"),
        ("url", format!("x\n{hash}\nhttp://tracker\n{hash}\n"), "line 3"),
        ("chunk", format!("x\n{hash}\n{}\n{hash}\nnot a hash\n", tracker.url()), "line 5"),
        ("binary", "\0\u{1}\u{2}".repeat(1000), "line 1"),
    ];
    for (name, text, line) in cases {
        let path = a.outside().join(format!("{name}.tinytorrent"));
        fs::write(&path, text).unwrap();
        for args in [["get", path.to_str().unwrap()], ["check", path.to_str().unwrap()]] {
            let output = a.ctl_code(6, &args);
            assert!(output.stderr.contains(line), "{name}: {}", output.stderr);
        }
    }
    assert_eq!(a.listing(), [""; 0]);
    assert!(a.statuses().is_empty());
}

#[test]
fn a_false_list_of_chunks_under_a_true_id_publishes_nothing() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (bytes, other) = (content(80, 2 * MIB), content(81, 2 * MIB));
    // A serves other chunks under another id; the manifest for B claims the first id for them.
    a.share_bytes("other", &other);
    let other_manifest = fs::read_to_string(a.file("other.tinytorrent")).unwrap();
    let chunks: Vec<&str> = other_manifest.lines().skip(3).collect();
    let manifest = format!("fake\n{}\n{}\n{}\n", sha256(&bytes), tracker.url(), chunks.join("\n"));
    let path = b.outside().join("fake.tinytorrent");
    fs::write(&path, manifest).unwrap();
    b.ctl_code(5, &["get", path.to_str().unwrap(), "--timeout", "2 s"]);
    assert!(!b.file("fake").exists());
    assert_ne!(b.status("fake").unwrap().state(), "seeding");
}

#[test]
fn what_nobody_knows_is_refused() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let id = sha256(b"nobody has this");
    for args in [
        ["get", "nothing"],
        ["get", &id],
        ["status", "nothing"],
        ["peers", "nothing"],
        ["pause", "nothing"],
        ["remove", "nothing"],
        ["verify", "nothing"],
    ] {
        let output = a.ctl_code(4, &args);
        assert_eq!(output.stdout, "", "{args:?}");
        assert!(output.stderr.contains(args[1]), "{args:?}: {}", output.stderr);
    }
    assert!(a.statuses().is_empty());
}

#[test]
fn files_that_cannot_be_shared_are_refused() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let missing = a.outside().join("missing");
    for path in [missing.as_path(), a.folder(), Path::new("/dev/null")] {
        a.ctl_code(4, &["share", path.to_str().unwrap()]);
    }
    // A symbolic link of the caller outside is followed; in the shared directory only a regular file is accepted.
    std::os::unix::fs::symlink("/etc/hostname", a.file("link")).unwrap();
    a.ctl_code(4, &["share", a.file("link").to_str().unwrap()]);
    assert!(a.statuses().is_empty());
}

#[test]
fn without_a_tracker_nothing_is_shared() {
    let a = Daemon::start_on(std::net::Ipv4Addr::LOCALHOST.into(), &[]);
    let path = a.outside().join("x");
    fs::write(&path, "x").unwrap();
    let output = a.ctl_code(2, &["share", path.to_str().unwrap()]);
    assert!(output.stderr.contains("--tracker"), "{}", output.stderr);
    a.ctl_code(2, &["create", path.to_str().unwrap()]);
    assert_eq!(a.listing(), [""; 0]);
}

#[test]
fn without_a_daemon_every_place_that_was_tried_is_named() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str], variable: Option<&str>| {
        let mut command = sealed(&program("ttctl"), home.path());
        command.args(args);
        if let Some(socket) = variable {
            command.env("TT_SOCKET", socket);
        }
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 3, "{}", output.stderr);
        assert_eq!(output.stdout, "");
        output.stderr
    };
    assert!(run(&["status", "--socket", "/nowhere/a.sock"], None).contains("/nowhere/a.sock"));
    assert!(run(&["status", "--directory", "/nowhere"], None).contains("/nowhere/.tinytorrent/ttd.sock"));
    let only = run(&["status"], Some("/nowhere/b.sock"));
    assert!(only.contains("/nowhere/b.sock") && !only.contains("/run/"), "{only}");
    let own = home.path().join("run/ttd.sock");
    let all = run(&["status"], None);
    assert!(all.contains(own.to_str().unwrap()) && all.contains("/run/tinytorrent/ttd.sock"), "{all}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_told() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["fetch", "x"][..],
        &["get"],
        &["share"],
        &["get", "x", "--timeout", "soon"],
        &["status", "--jsn"],
        &["create", "x", "--tracker", "http://x"],
    ] {
        let mut command = sealed(&program("ttctl"), home.path());
        command.args(args);
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 2, "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
    for (name, args) in [
        ("ttd", &["--upload-limit", "fast"][..]),
        ("ttd", &["--upload-limit", "5"][..]),
        ("ttd", &["--tracker", "http://x"]),
        ("ttd", &["--log-level", "loud"]),
        ("tt-tracker", &["--listen", "nowhere"]),
        ("tt-tracker", &["99999"]),
    ] {
        let mut command = sealed(&program(name), home.path());
        command.args(args);
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 2, "{name} {args:?}: {}", output.stderr);
    }
}

#[test]
fn garbage_on_the_ports_harms_nobody() {
    let mut tracker = Tracker::start();
    let (mut a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(82, 3 * MIB);
    a.share_bytes("image.iso", &bytes);

    let mut held = Vec::new();
    for addr in [tracker.addr(), a.addr(), b.addr()] {
        for garbage in garbage() {
            throw(addr, &garbage);
        }
        // Hundreds that say nothing at all.
        for _ in 0..300 {
            held.extend(TcpStream::connect(addr).ok());
        }
    }
    for garbage in garbage() {
        let socket = a.folder().join(".tinytorrent/ttd.sock");
        if let Ok(mut stream) = UnixStream::connect(socket) {
            let _ = stream.write_all(&garbage);
        }
    }
    b.get("image.iso", &bytes);
    assert!(tracker.runs() && a.runs() && b.runs());
}

fn garbage() -> Vec<Vec<u8>> {
    vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
        // Heads and bodies of four gigabytes.
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].repeat(8),
        [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 7].to_vec(),
        [4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4].to_vec(),
        content(83, MIB),
    ]
}

/// The other end may close the connection at any byte.
fn throw(addr: SocketAddr, garbage: &[u8]) {
    if let Ok(mut stream) = TcpStream::connect(addr) {
        let _ = stream.write_all(garbage);
    }
}
