//! Scenarios for `ttctl events`: what it prints about a machine.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};

/// `ttctl events --json`, with what it has written so far.
struct Follower {
    child: Child,
    written: std::path::PathBuf,
}

impl Follower {
    fn start(daemon: &Daemon, file: &str) -> Follower {
        let written = daemon.outside().join(file);
        let out = File::create(&written).expect("a file for what it writes");
        let mut command = daemon.ttctl(&["events", "--json", "--since", "1 h"]);
        let child = command.stdout(out).stderr(Stdio::null()).spawn().expect("ttctl starts");
        Follower { child, written }
    }

    fn wait_for(&self, event: &str) -> Value {
        let find = || documents(&self.written).into_iter().find(|document| document["event"] == event);
        wait_until(&format!("{event} is told"), CAP, || find().is_some());
        find().expect("it was there")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that are whole.
fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("what was written");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a document")).collect()
}

#[test]
fn a_follower_hears_what_becomes_of_a_download_also_over_a_restart() {
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let mut b = Daemon::start(&tracker, &[]);
    let bytes = content(12_100, 3 * MIB + 7);
    let id = a.share_bytes("image.iso", &bytes);
    let (at_a, at_b) = (Follower::start(&a, "events"), Follower::start(&b, "events"));
    assert_eq!(at_a.wait_for("shared")["id"], *id);
    b.get("image.iso", &bytes);
    assert_eq!(at_b.wait_for("accepted")["name"], "image.iso");
    let complete = at_b.wait_for("complete");
    assert_eq!((&complete["bytes"], &complete["sources"]), (&bytes.len().into(), &1.into()), "{complete}");
    b.restart();
    at_b.wait_for("ttd_restarted");
    tracker.kill();
    assert!(at_b.wait_for("tracker_lost")["reason"].is_string());
    b.ok(&["remove", "image.iso"]);
    let removed = at_b.wait_for("removed");
    assert_eq!((&removed["name"], &removed["id"]), (&"image.iso".into(), &Value::from(id)));
    let again = documents(&at_b.written).iter().filter(|document| document["event"] == "accepted").count();
    assert_eq!(again, 1, "a restart accepts nothing");
    let kept = b.ok(&["events", "--no-follow"]).stdout;
    assert!(kept.contains("removed") && !kept.contains("accepted"), "{kept}");
}

#[test]
fn a_follower_ends_when_its_reader_has_gone() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    a.share_bytes("image.iso", &content(12_101, MIB));
    let mut command = a.ttctl(&["events", "--since", "1 h"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("ttctl starts");
    let mut first = [0; 1];
    child.stdout.take().expect("it is piped").read_exact(&mut first).expect("the first event");
    wait_until("ttctl has ended", CAP, || child.try_wait().expect("it is ours").is_some());
    assert!(child.wait().expect("it is ours").success());
}
