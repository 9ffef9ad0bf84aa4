//! tt-tracker as a process: how it starts and ends.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tt-tracker"));
    command.args(args).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().expect("tt-tracker runs")
}

/// Starts one on a free port. Returns the port, which it reads from the log.
fn start() -> (Child, String) {
    let mut child = command(&["--listen", "127.0.0.1:0", "--log-format", "text"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let listen = line.split("listen=").nth(1).and_then(|rest| rest.split_whitespace().next());
    (child, listen.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned())
}

/// Even if nobody reads its log any more.
#[test]
fn it_ends_when_it_is_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut child, addr) = start();
        let _connected = std::net::TcpStream::connect(&addr).unwrap();
        let begin = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(child.wait().unwrap().success(), "{signal:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", begin.elapsed());
    }
}

#[test]
fn a_taken_port_is_told() {
    let (mut child, addr) = start();
    let output = run(&["--listen", &addr]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("is already in use ("), "{error}");
}

#[test]
fn a_wrong_configuration_is_told_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tt-tracker.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let output = run(&["--check-config", "--config", path.to_str().unwrap()]);
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    assert_eq!(check("listen = 7986").0, Some(0));
    let (code, text) = check("lisen = 7986");
    assert_eq!(code, Some(2));
    assert!(text.contains("did you mean \"listen\"?"), "{text}");
    assert_eq!(run(&["--config", "/nowhere/x.toml"]).status.code(), Some(2));
    assert_eq!(run(&["70000"]).status.code(), Some(2));
}

#[test]
fn help_names_every_option() {
    let mut text = String::new();
    run(&["--help"]).stdout.as_slice().read_to_string(&mut text).unwrap();
    for option in ["PORT", "--listen", "--config", "--check-config", "--log-level", "--log-format", "7986"] {
        assert!(text.contains(option), "{option}");
    }
}
