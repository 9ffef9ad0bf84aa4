//! Scenarios in which manifests are signed, and their signatures travel with them.

use cluster::files::{MIB, content};
use cluster::keys::Keys;
use cluster::skip::skipped;
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes a file outside of the shared directory, and shares it signed.
fn share_signed(daemon: &Daemon, keys: &Keys, name: &str, bytes: &[u8]) {
    let path = daemon.outside().join(name);
    fs::write(&path, bytes).unwrap();
    daemon.ok(&["share", "--replace", "--sign", text(&keys.secret), text(&path)]);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The signature that lies beside a shown manifest.
fn signature(daemon: &Daemon, name: &str) -> Option<String> {
    fs::read_to_string(daemon.folder().join(format!("{name}.tinytorrent.minisig"))).ok()
}

/// The key that has signed what a tracker publishes under a name.
fn published(tracker: &Tracker, name: &str) -> Option<String> {
    let list = tracker.list();
    let entry = list.iter().find(|entry| entry.publication.name.as_str() == name)?;
    Some(entry.publication.signature.as_ref()?.key_id().to_string())
}

#[test]
fn a_signature_travels_with_the_publication_and_is_beside_each_manifest() {
    let mut tracker = Tracker::start();
    let [mut a, mut b] = [(); 2].map(|()| Daemon::start(&tracker, &[]));
    let keys = Keys::release(&a.outside());
    let bytes = content(9301, 2 * MIB + 3);
    share_signed(&a, &keys, "img", &bytes);
    assert_eq!(published(&tracker, "img").as_deref(), Some(keys.id));
    b.get("img", &bytes);
    let signed = signature(&a, "img").expect("it is beside the manifest");
    assert_eq!(signature(&b, "img"), Some(signed.clone()));
    for daemon in [&a, &b] {
        let status = daemon.ok(&["status", "img"]).stdout;
        assert!(status.contains(&format!("signed by {}", keys.id)), "{status}");
    }
    // It survives restarts, also of whoever forgot everything, and machines that only fetched it publish it on.
    a.ok(&["remove", "img"]);
    assert_eq!(signature(&a, "img"), None, "its manifest is gone as well");
    tracker.restart();
    b.restart();
    wait_until("it is published again", CAP, || published(&tracker, "img").as_deref() == Some(keys.id));
    a.restart();
    let c = Daemon::start(&tracker, &[]);
    c.get("img", &bytes);
    assert_eq!(signature(&c, "img"), Some(signed));
    let Ok(ran) = Command::new("minisign")
        .args(["-Vm", "img.tinytorrent", "-p", text(&keys.public)])
        .current_dir(c.folder())
        .output()
    else {
        return skipped("minisign is missing (apt-get install minisign)");
    };
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn what_is_shared_already_is_signed_by_its_name() {
    let tracker = Tracker::start();
    let [a, b, c] = [(); 3].map(|()| Daemon::start(&tracker, &[]));
    let (keys, other) = (Keys::release(&a.outside()), Keys::other(&a.outside()));
    let bytes = content(9302, MIB + 1);
    a.share_bytes("img", &bytes);
    b.get("img", &bytes);
    assert_eq!((signature(&a, "img"), published(&tracker, "img")), (None, None));
    let signed = a.ok(&["sign", "img", "-s", text(&keys.secret), "--json"]).stdout;
    let signed: serde_json::Value = serde_json::from_str(&signed).unwrap();
    assert_eq!(signed["signatures"][0]["key_id"], keys.id);
    assert_eq!(published(&tracker, "img").as_deref(), Some(keys.id));
    // who has it already gets the signature with the next request
    b.ok(&["get", "img"]);
    wait_until("it is there as well", CAP, || signature(&b, "img") == signature(&a, "img"));
    // the same content with another key, without being out of the catalogue in between
    a.ok(&["sign", "img", "-s", text(&other.secret)]);
    assert_eq!(published(&tracker, "img").as_deref(), Some(other.id));
    // a manifest and its signature as files
    for file in ["img.tinytorrent", "img.tinytorrent.minisig"] {
        fs::copy(a.folder().join(file), c.outside().join(file)).unwrap();
    }
    c.ok(&["get", text(&c.outside().join("img.tinytorrent"))]);
    assert_eq!(signature(&c, "img"), signature(&a, "img"));
    fs::write(c.outside().join("img.tinytorrent.minisig"), "untrusted comment: x\n").unwrap();
    let refused = c.ctl_code(6, &["get", text(&c.outside().join("img.tinytorrent"))]);
    assert!(refused.stderr.contains("four lines of minisign"), "{}", refused.stderr);
    // other content of that name is not signed
    a.ok(&[
        "share",
        "--replace",
        text(&{
            let path = a.outside().join("img");
            fs::write(&path, content(9303, MIB)).unwrap();
            path
        }),
    ]);
    assert_eq!((signature(&a, "img"), published(&tracker, "img")), (None, None));
    let not_ours = b.ctl_code(4, &["sign", "img", "-s", text(&keys.secret)]);
    assert!(not_ours.stderr.contains("was not shared from this machine"), "{}", not_ours.stderr);
}

#[test]
fn a_directory_is_signed_like_a_file() {
    let tracker = Tracker::start();
    let [a, b] = [(); 2].map(|()| Daemon::start(&tracker, &[]));
    let keys = Keys::release(&a.outside());
    let path = a.outside().join("app");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), content(9304, MIB)).unwrap();
    a.ok(&["share", "--sign", text(&keys.secret), text(&path)]);
    assert_eq!(published(&tracker, "app.tar").as_deref(), Some(keys.id));
    b.ok(&["get", "app"]);
    assert_eq!(signature(&b, "app.tar"), signature(&a, "app.tar"));
    a.ok(&["sign", "app", "-s", text(&keys.secret)]);
}

/// Nobody sees the unsigned publication of something that is to be signed.
#[test]
fn what_is_to_be_signed_is_not_published_before() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let keys = Keys::release(&a.outside());
    let path = a.outside().join("img");
    fs::write(&path, content(9305, MIB)).unwrap();
    // the name is too long for a signature's file
    let long = a.outside().join("n".repeat(240));
    fs::write(&long, content(9306, 5)).unwrap();
    let failed = a.ctl_code(4, &["share", "--sign", text(&keys.secret), text(&long)]);
    assert!(failed.stderr.contains("it is shared and not published yet"), "{}", failed.stderr);
    a.restart();
    let status = a.wait_seeding(&"n".repeat(240));
    assert!(status.reason().contains("it is to be signed"), "{}", status.reason());
    a.ok(&["share", "--sign", text(&keys.secret), text(&path)]);
    assert_eq!(tracker.list().len(), 1, "what is not signed has stayed away");
    a.ok(&["share", text(&a.file(&"n".repeat(240)))]);
    assert_eq!(tracker.list().len(), 2);
}
