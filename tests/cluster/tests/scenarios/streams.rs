//! Scenarios for ttctl's output: results go to stdout and problems to stderr, and there is nothing else when no person
//! is watching.

use cluster::files::{MIB, content};
use cluster::skip::skipped;
use cluster::{CAP, Daemon, Tracker, wait_until};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Waits until a program has ended, and returns its exit code.
#[track_caller]
fn code(child: &mut Child) -> i32 {
    wait_until("ttctl ends", CAP, || child.try_wait().expect("it is ours").is_some());
    let status = child.wait().expect("it is ours");
    status.code().unwrap_or_else(|| panic!("{status}"))
}

#[test]
fn a_good_run_says_nothing_on_the_standard_error_unless_progress_is_asked_for() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "0"]);
    let b = Daemon::start(&tracker, &[]);
    let nothing = b.ok(&["list"]);
    assert_eq!((nothing.stdout, nothing.stderr), (String::new(), String::new()), "nothing is no trouble");
    let bytes = content(400, 2 * MIB);
    a.share_bytes("image.iso", &bytes);
    // It waits, with a reason. cron would mail any output meanwhile.
    let silent = b.ctl_code(5, &["get", "image.iso", "--timeout", "2 s"]);
    let lines: Vec<&str> = silent.stderr.lines().collect();
    assert!(matches!(lines[..], [error, hint] if error.starts_with("error: ") && hint.starts_with("hint: ")));
    let told = b.ctl_code(5, &["get", "image.iso", "--timeout", "2 s", "--progress"]);
    assert!(told.stderr.starts_with("image.iso: "), "{}", told.stderr);
    a.ok(&["limit", "--upload", "none"]);
    for args in [&["get", "image.iso"][..], &["wait", "image.iso", "--peers", "2"], &["verify", "image.iso"]]
    {
        let output = b.ok(args);
        assert_eq!(output.stderr, "", "{args:?}");
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_file_goes_to_the_standard_output_and_nothing_else_does() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(401, 3 * MIB + 7);
    a.share_bytes("image.iso", &bytes);
    // At first it is fetched; the second time it is here already.
    for _ in 0..2 {
        let mut child = b.ttctl(&["get", "image.iso", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut got = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut got).unwrap();
        assert_eq!(code(&mut child), 0);
        assert!(got == bytes, "{} bytes instead of {}", got.len(), bytes.len());
    }
    assert!(!b.outside().join("-").exists());
    // The reader may close the pipe when it has read enough.
    let mut child = b.ttctl(&["get", "image.iso", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!((code(&mut child), &first[..]), (0, &bytes[..10]));
    b.ctl_code(2, &["get", "image.iso", "-o", "-", "--json"]);
    // A file with such a name can still be fetched.
    b.ok(&["get", "image.iso", "-o", "./-"]);
    assert!(std::fs::read(b.outside().join("-")).unwrap() == bytes);
}

/// All that there is has been read from ttd, and waits for a reader who does not read.
#[test]
fn an_interrupt_ends_ttctl_also_when_nobody_reads_its_output() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    std::fs::create_dir(a.folder().join("app")).unwrap();
    std::fs::write(a.folder().join("app/file"), content(403, MIB)).unwrap();
    a.ok(&["share", a.folder().join("app").to_str().unwrap()]);
    let mut child = a.ttctl(&["get", "app", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    wait_until("it writes", CAP, || ioctl_fionread(&stdout).is_ok_and(|waiting| waiting > 0));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(code(&mut child), 130);
    drop(stdout);
}

#[test]
fn an_archive_is_unpacked_as_it_comes() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    std::fs::write(a.outside().join("inside"), "it is here").unwrap();
    let tar = a.outside().join("app.tar");
    let made = Command::new("tar").current_dir(a.outside()).arg("-cf").arg(&tar).arg("inside").status();
    assert!(made.unwrap().success());
    a.ok(&["share", tar.to_str().unwrap()]);
    let mut get = b.ttctl(&["get", "app.tar", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut tar = Command::new("tar");
    tar.current_dir(b.outside()).arg("-xf").arg("-").stdin(get.stdout.take().unwrap());
    assert!(tar.status().unwrap().success());
    assert_eq!(code(&mut get), 0);
    assert_eq!(std::fs::read_to_string(b.outside().join("inside")).unwrap(), "it is here");
}

#[test]
fn whoever_watches_is_left_when_the_reader_has_gone() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    a.share_bytes("image.iso", &content(402, MIB));
    let watches: [&[&str]; 3] = [
        &["status", "--json", "--watch"],
        &["status", "image.iso", "--watch"],
        &["fleet", "image.iso", "--json", "--watch"],
    ];
    for watch in watches {
        let mut child = a.ttctl(watch).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = [0; 1];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // Nothing changes any more, so nothing is written: only a check of the pipe shows that nobody reads.
        assert_eq!(code(&mut child), 0, "{watch:?}");
    }
}

#[test]
fn a_doctor_whom_the_daemon_does_not_talk_to_leaves_its_port_alone() {
    if !rustix::process::geteuid().is_root() {
        return skipped("it runs ttctl as another user, which only root may do");
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let mut doctor = a.ttctl(&["doctor"]);
    let output = doctor.current_dir("/").uid(65_534).gid(65_534).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("permission denied") && said.contains("not checked: directory, port"), "{said}");
    assert!(!said.contains("peer port") && !said.contains("no tracker is configured"), "{said}");
}
