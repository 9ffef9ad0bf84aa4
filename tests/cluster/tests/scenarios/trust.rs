//! Scenarios in which a machine asks for signatures, and others would have it take something else.

use cluster::fake_tracker::{FakeTracker, Manners, Says};
use cluster::files::{MIB, content};
use cluster::hostile::Publisher;
use cluster::keys::Keys;
use cluster::{CAP, Daemon, Tracker, wait_until};
use shared::manifest::Manifest;
use shared::rpc::tracker::Publication;
use shared::signature::SignatureText;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A rule by which every name needs the signature of this key.
fn rule(keys: &Keys) -> String {
    format!("[[trust]]\nnames = [\"*\"]\nkeys = [\"{}\"]\n", keys.text)
}

/// Shares content, signed by this key if one is given.
fn share(daemon: &Daemon, keys: Option<&Keys>, name: &str, bytes: &[u8]) {
    let path = daemon.outside().join(name);
    fs::write(&path, bytes).unwrap();
    match keys {
        Some(keys) => daemon.ok(&["share", "--replace", "--sign", text(&keys.secret), text(&path)]),
        None => daemon.ok(&["share", "--replace", text(&path)]),
    };
}

/// Asks for something that the rules refuse. Nothing of it comes here.
#[track_caller]
fn refused(daemon: &Daemon, args: &[&str], why: &str) {
    let begin = Instant::now();
    let output = daemon.ctl_code(6, args);
    assert!(output.stderr.contains(why), "{why}: {}", output.stderr);
    assert!(begin.elapsed() < Duration::from_secs(20), "it is refused at once");
    assert_eq!(daemon.chunk_requests(), 0);
}

/// A publication and the hashes of its chunks.
type Catalogued = (Publication, Vec<u8>);

/// What a tracker publishes under a name, with the hashes out of the manifest of whoever shares it.
fn catalogued(tracker: &Tracker, daemon: &Daemon, name: &str) -> Catalogued {
    let mut entries = tracker.list().into_iter().map(|entry| entry.publication);
    let publication = entries.find(|publication| publication.name.as_str() == name).unwrap();
    let manifest = fs::read(daemon.folder().join(format!("{name}.tinytorrent"))).unwrap();
    let manifest = shared::manifest::Manifest::parse(&manifest).unwrap();
    (publication, manifest.hashes().iter().flat_map(|hash| hash.0).collect())
}

#[test]
fn a_signature_that_is_too_old_is_refused_until_the_file_is_signed_again() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let keys = Keys::release(&a.outside());
    let bytes = content(9408, MIB + 7);
    share(&a, Some(&keys), "img", &bytes);
    let shared = Instant::now();
    let with_age =
        |age: &str| Daemon::start_configured(&tracker, &format!("{}max_age = \"{age}\"\n", rule(&keys)));
    let (b, c) = (with_age("2 s"), with_age("90 d"));
    wait_until("the signature is older than 2 s", CAP, || shared.elapsed() > Duration::from_secs(3));
    refused(&b, &["get", "img"], "rule 1 of [[trust]] takes signatures that are younger than 2 s");
    c.get("img", &bytes);
    let manifest = a.folder().join("img.tinytorrent");
    for file in ["img.tinytorrent", "img.tinytorrent.minisig"] {
        fs::copy(manifest.with_file_name(file), b.outside().join(file)).unwrap();
    }
    refused(&b, &["get", text(&b.outside().join("img.tinytorrent"))], "younger than 2 s");
    wait_until("it is signed anew and fetched", CAP, || {
        a.ok(&["sign", "img", "-s", text(&keys.secret)]);
        b.ctl(&["get", "img"]).code == 0
    });
    b.check_file("img", &bytes);
}

#[test]
fn a_machine_accepts_only_what_a_trusted_key_has_signed() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (keys, other) = (Keys::release(&a.outside()), Keys::other(&a.outside()));
    let b = Daemon::start_configured(&tracker, &rule(&keys));
    let bytes = content(9401, MIB + 7);
    share(&a, None, "img", &bytes);
    let asks = format!("rule 1 of [[trust]] asks for a signature by {}", keys.id);
    refused(&b, &["get", "img"], &format!("img is not signed: {asks}"));
    refused(&b, &["get", "img", "--timeout", "60s"], "is not signed");
    for file in ["img.tinytorrent", "other.tinytorrent"] {
        fs::copy(a.folder().join("img.tinytorrent"), b.outside().join(file)).unwrap();
    }
    refused(&b, &["get", text(&b.outside().join("img.tinytorrent"))], "is not signed");
    a.ok(&["sign", "img", "-s", text(&other.secret)]);
    refused(&b, &["get", "img"], &format!("img is signed by {}: {asks}", other.id));
    a.ok(&["sign", "img", "-s", text(&keys.secret)]);
    b.get("img", &bytes);
    // other names, and machines without a rule, are as before
    share(&a, None, "free", &bytes);
    let c = Daemon::start_configured(&tracker, &rule(&keys).replace("\"*\"", "\"img\""));
    c.get("free", &bytes);
    c.get("img", &bytes);
}

#[test]
fn a_tracker_cannot_make_a_machine_accept_what_a_rule_refuses() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let keys = Keys::release(&a.outside());
    share(&a, Some(&keys), "img", &content(9402, 2 * MIB + 1));
    let older = catalogued(&tracker, &a, "img");
    share(&a, Some(&keys), "else", &content(9403, 2 * MIB + 1));
    let elsewhere = catalogued(&tracker, &a, "else");
    std::thread::sleep(Duration::from_millis(1100)); // signatures are dated by the second
    let new = content(9404, 2 * MIB + 1);
    share(&a, Some(&keys), "img", &new);
    let newer = catalogued(&tracker, &a, "img");

    let fake =
        |catalogue: Vec<Catalogued>| FakeTracker::start(Manners::Says(Says { catalogue, ..Says::default() }));
    let with = |of: &Catalogued, signature: Option<SignatureText>| {
        (Publication { signature, ..of.0.clone() }, of.1.clone())
    };
    let renamed =
        |of: &Catalogued| (Publication { name: newer.0.name.clone(), ..of.0.clone() }, of.1.clone());
    let b = Daemon::start_configured(&tracker, &rule(&keys));
    for (catalogue, why) in [
        (vec![with(&newer, None)], "img is not signed"),
        (vec![with(&newer, elsewhere.0.signature.clone())], "is not one of this manifest"),
        (vec![renamed(&elsewhere)], "is not one of this manifest"),
    ] {
        let fake = fake(catalogue);
        refused(&b, &["get", &format!("{}/img", fake.url())], why);
    }
    b.get("img", &new);
    // an older version, properly signed, after a restart as well
    let (mut b, old) = (b, fake(vec![older.clone()]));
    b.restart();
    let get_older = format!("{}/img", old.url());
    let output = b.ctl_code(6, &["get", "--replace", &get_older]);
    assert!(output.stderr.contains("before a version that was accepted here"), "{}", output.stderr);
    b.check_file("img", &new);
    // of several candidates the first that the rules accept is taken
    let several = fake(vec![with(&newer, None), older, newer.clone()]);
    b.ok(&["get", &format!("{}/img", several.url())]);
    b.check_file("img", &new);
}

/// Serves the files of a directory over HTTP, as long as the test runs. The result is its address.
fn web_server(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut request = String::new();
            let _ = stream.read_line(&mut request);
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let file = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let (status, body) = match fs::read(folder.join(file)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.get_mut().write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

#[test]
fn neither_a_web_server_nor_a_member_makes_a_machine_accept_what_a_rule_refuses() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (keys, other) = (Keys::release(&a.outside()), Keys::other(&a.outside()));
    let b = Daemon::start_configured(&tracker, &rule(&keys));
    let web = b.outside().join("web");
    fs::create_dir(&web).unwrap();
    let url = format!("{}/img.tinytorrent", web_server(web.clone()));
    let put = |from: &Path| fs::copy(from, web.join("img.tinytorrent")).unwrap();
    let put_signature = |from: &Path| fs::copy(from, web.join("img.tinytorrent.minisig")).unwrap();
    let (manifest, signature) =
        (a.folder().join("img.tinytorrent"), a.folder().join("img.tinytorrent.minisig"));

    share(&a, None, "img", &content(9410, MIB + 1));
    put(&manifest);
    refused(&b, &["get", &url], "img is not signed");
    a.ok(&["sign", "img", "-s", text(&other.secret)]);
    put_signature(&signature);
    refused(&b, &["get", &url], &format!("img is signed by {}", other.id));
    let older = content(9411, MIB + 2);
    share(&a, Some(&keys), "img", &older);
    put_signature(&signature);
    refused(&b, &["get", &url], "is not one of this manifest");
    put(&manifest);
    let kept = [(&manifest, "older"), (&signature, "older.minisig")].map(|(from, to)| {
        let to = a.outside().join(to);
        fs::copy(from, &to).unwrap();
        to
    });
    std::thread::sleep(Duration::from_millis(1100)); // signatures are dated by the second
    let newer = content(9412, MIB + 3);
    share(&a, Some(&keys), "img", &newer);
    put(&manifest);
    put_signature(&signature);
    b.ok(&["get", &url]);
    b.check_file("img", &newer);
    put(&kept[0]);
    put_signature(&kept[1]);
    let output = b.ctl_code(6, &["get", "--replace", &url]);
    assert!(output.stderr.contains("before a version that was accepted here"), "{}", output.stderr);
    b.check_file("img", &newer);

    // A member publishes another list under the name, unsigned and dated later than all others.
    let false_one = Manifest::parse(&fs::read(&kept[0]).unwrap()).unwrap();
    let member = Publisher::start(&tracker, vec![false_one], Duration::from_secs(3600));
    wait_until("it is published", CAP, || member.rounds() > 0);
    let c = Daemon::start_configured(&tracker, &rule(&keys));
    c.get("img", &newer);
}

#[test]
fn a_key_that_is_taken_out_counts_at_once_for_what_is_not_complete() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (keys, other) = (Keys::release(&a.outside()), Keys::other(&a.outside()));
    let mut b = Daemon::start_configured(&tracker, &rule(&keys));
    let bytes = content(9405, 2 * MIB);
    share(&a, Some(&keys), "img", &bytes);
    b.ok(&["limit", "--download", "0"]);
    b.ok(&["get", "img", "--detach"]);
    b.configure(&rule(&other));
    b.reload(); // which lifts the limit
    let status = b.wait_status("img", "refused", |status| status.state() == "error");
    let why =
        format!("img is signed by {}: rule 1 of [[trust]] asks for a signature by {}", keys.id, other.id);
    assert!(status.reason().contains(&why), "{}", status.reason());
    assert!(!b.file("img").exists(), "nobody has seen it");
    assert_eq!(status.number("exit_code"), 6);
    b.ctl_code(6, &["get", "img"]);
    b.configure(&rule(&keys));
    b.reload();
    b.wait_seeding("img");
    b.check_file("img", &bytes);
}
