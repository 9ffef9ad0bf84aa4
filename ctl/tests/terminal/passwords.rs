//! Tests that a password is asked for, is not shown, and leaves the terminal as it was.

use crate::pty::{Setting, TALL, Terminal};
use minisign::KeyPair;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const PASSWORD: &str = "pässword of the test";

/// The manifest of an empty file.
const MANIFEST: &str = "x\n\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
    tt://tracker.example\n";

/// Signs, and then says whether the terminal shows what is typed.
const COMMAND: &str =
    "ttctl sign x.tinytorrent -s x.key; echo code $?; stty | grep -q -e -echo || echo it echoes";

fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let keys = KeyPair::generate_encrypted_keypair(Some(PASSWORD.to_owned())).unwrap();
    fs::write(home.path().join("x.key"), keys.sk.to_box(None).unwrap().into_string()).unwrap();
    fs::write(home.path().join("x.tinytorrent"), MANIFEST).unwrap();
    home
}

/// What the terminal shows after these keys were typed at the question.
#[track_caller]
fn typed(home: &TempDir, keys: &str) -> String {
    let setting = Setting { columns: 80, rows: TALL, home: home.path(), env: &[] };
    let terminal = Terminal::run_program("sh", &setting, &["-c", COMMAND]);
    terminal.wait_until("the question", |shown| shown.text().contains("password of x.key:"));
    terminal.type_in(keys);
    let (_, shown) = terminal.end();
    let text = shown.lock().unwrap().text();
    assert!(text.ends_with("it echoes"), "{text}");
    assert!(!text.contains("password of the"), "{text}");
    text
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let home = home();
    let signed = typed(&home, &format!("{PASSWORD}\n"));
    assert!(signed.contains("  x.tinytorrent.minisig\ncode 0\n"), "{signed}");
    assert!(home.path().join("x.tinytorrent.minisig").exists());
    let corrected = typed(&home, &format!("{PASSWORD}!\x7f\n"));
    assert!(corrected.contains("code 0\n"), "{corrected}");
}

#[test]
fn without_the_password_nothing_is_signed_and_the_terminal_is_as_it_was() {
    let home = home();
    let cases = [
        ("wrong\n", "this is not the password of x.key", 4),
        ("\n", "this is not the password of x.key", 4),
        ("\x04", "x.key has a password, and none was given", 2),
        ("half of it\x03", "nothing was done", 130),
    ];
    for (keys, message, code) in cases {
        let text = typed(&home, keys);
        assert!(text.contains(message) && text.contains(&format!("code {code}\n")), "{keys:?}: {text}");
    }
    assert!(!home.path().join("x.tinytorrent.minisig").exists());
}

#[test]
fn a_script_gives_the_password_in_a_pipe() {
    let home = home();
    let sign = |given: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ttctl"));
        command.args(["sign", "x.tinytorrent", "-s", "x.key"]).current_dir(home.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(given.as_bytes()); // it may have ended before
        let ended = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
        assert!(!out.contains("password of the") && !err.contains("password of the"), "{out}{err}");
        (ended.status.code(), out, err)
    };
    let (code, out, err) = sign(&format!("{PASSWORD}\n"));
    assert!(code == Some(0) && out.ends_with("  x.tinytorrent.minisig\n") && err.is_empty(), "{out}{err}");
    assert_eq!(sign(PASSWORD).0, Some(0), "without a line end");
    let (code, _, err) = sign("");
    assert_eq!((code, err.contains("x.key has a password, and none was given")), (Some(2), true), "{err}");
    let (code, _, err) = sign(&format!("{}\n", "x".repeat(1 << 20)));
    assert_eq!((code, err.contains("has a password, and none was given")), (Some(2), true), "{err}");
    assert_eq!(sign("wrong\nmore\n").0, Some(4));
}
