//! What `ttctl info`, `list`, `peers` and `limit` tell of a daemon, and which of it survives a restart.

use cluster::files::{MIB, content};
use cluster::process::Output;
use cluster::{CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("a document")
}

#[test]
fn info_shows_the_daemon_and_list_shows_what_is_here() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &["--upload-limit", "7 MB/s"]);
    let bytes = content(12_200, 2 * MIB);
    let id = a.share_bytes("image.iso", &bytes);
    wait_until("the tracker is known to be well", CAP, || {
        document(&a.ok(&["info", "--json"]))["trackers"][0]["trouble"].is_null()
    });
    let info = document(&a.ok(&["info", "--json"]));
    assert_eq!(info["directory"], a.folder().to_str().expect("a path in UTF-8"));
    assert_eq!(info["pid"], a.id());
    assert_eq!(info["listen"], a.addr().to_string());
    assert_eq!(info["trackers"][0]["tracker"], tracker.url());
    assert_eq!(info["states"]["seeding"], 1);
    assert_eq!(info["upload_limit_bytes_per_s"], 7_000_000);
    assert!(info["free_bytes"].as_u64() <= info["disk_bytes"].as_u64(), "{info}");
    let text = a.ok(&["info"]).stdout;
    assert!(text.contains("\nlimits     download none, upload 7 MB/s\n"), "{text}");

    let listed = document(&a.ok(&["list", "--json"]))["resources"][0].clone();
    assert_eq!(listed["path"], a.file("image.iso").to_str().expect("a path in UTF-8"));
    assert_eq!((&listed["id"], &listed["bytes_total"]), (&Value::from(id.as_str()), &bytes.len().into()));
    let added = listed["added_at_ms"].as_u64().expect("when it was added");
    let line = a.ok(&["list"]).stdout.lines().nth(1).expect("a line").to_owned();
    assert!(line.starts_with("image.iso  ") && line.contains(&id) && line.contains("seeding"), "{line}");
    a.restart();
    assert_eq!(a.wait_seeding("image.iso").number("added_at_ms"), added);
}

#[test]
fn saved_limits_hold_over_a_restart_and_a_reload() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    a.ok(&["limit", "--download", "3 MB/s"]);
    a.ok(&["limit", "--upload", "5 MB/s", "--save"]);
    let limits = |a: &Daemon| a.ok(&["limit"]).stdout;
    assert_eq!(limits(&a), "download  3 MB/s\nupload    5 MB/s (saved)\n");
    a.restart();
    assert_eq!(limits(&a), "download  none\nupload    5 MB/s (saved)\n");
    a.wait_log("upload_limit=\"5 MB/s\"");
    a.ok(&["limit", "--upload", "none"]);
    assert_eq!(limits(&a), "download  none\nupload    none (for now; 5 MB/s is saved)\n");
    a.reload();
    wait_until("the saved limit holds again", CAP, || limits(&a).contains("5 MB/s (saved)"));
    a.ok(&["limit", "--reset"]);
    a.restart();
    assert_eq!(limits(&a), "download  none\nupload    none\n");
}

#[test]
fn limits_by_the_hour_hold_from_a_reload_on() {
    let tracker = Tracker::start();
    let mut a = Daemon::start_configured(&tracker, "download_limit = \"9 MB/s\"\n");
    let limits = |a: &Daemon| document(&a.ok(&["limit", "--json"]));
    assert_eq!(limits(&a)["download_limit_bytes_per_s"], 9_000_000);
    assert!(limits(&a)["download_limit_until_ms"].is_null());
    let half = |from: &str, to: &str| {
        format!(
            "[[limit]]\nfrom = \"{from}\"\nto = \"{to}\"\ndownload = \"{} MB/s\"\nupload = 0\n",
            &from[..1]
        )
    };
    // Whatever the time is, one of them holds, and the other one comes next.
    a.configure(&[half("1:00", "13:00"), half("2:00", "1:00")].concat());
    a.reload();
    wait_until("the hours hold", CAP, || limits(&a)["upload_limit_bytes_per_s"] == 0);
    let by_hour = limits(&a);
    let rate = by_hour["download_limit_bytes_per_s"].as_u64().expect("there is a limit");
    assert!([1_000_000, 2_000_000].contains(&rate), "{by_hour}");
    assert!(by_hour["download_limit_until_ms"].as_u64() > by_hour["upload_limit_until_ms"].as_u64());
    assert!(by_hour["upload_limit_until_ms"].is_null(), "it is 0 at all hours");
    let text = a.ok(&["info"]).stdout;
    assert!(text.contains(&format!("limits     download {} MB/s until 2", rate / 1_000_000)), "{text}");
    a.share_bytes("image.iso", &content(12_300, MIB));
    a.wait_status("image.iso", "paused by the hour", |status| status.reason().contains("upload limit is 0;"));
    a.ok(&["limit", "--upload", "none"]);
    assert!(limits(&a)["upload_limit_bytes_per_s"].is_null(), "what a user sets comes before the hours");
    a.reload();
    wait_until("the hours hold again", CAP, || limits(&a)["upload_limit_bytes_per_s"] == 0);
}

#[test]
fn uploads_are_shown_over_all_files() {
    let tracker = Tracker::start();
    let seeder = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let leecher = Daemon::start(&tracker, &[]);
    seeder.share_bytes("image.iso", &content(12_201, 16 * MIB));
    assert_eq!(document(&seeder.ok(&["peers", "--uploads", "--json"]))["peers"], Value::Array(Vec::new()));
    leecher.ok(&["get", "--detach", "image.iso"]);
    let first = || document(&seeder.ok(&["peers", "--uploads", "--json"]))["peers"][0].clone();
    wait_until("chunks were sent", CAP, || first()["chunks_sent"].as_u64().is_some_and(|sent| sent >= 2));
    let upload = first();
    assert_eq!((&upload["addr"], &upload["name"]), (&leecher.addr().to_string().into(), &"image.iso".into()));
    assert!(upload["bytes_per_s"].as_u64().is_some_and(|rate| rate > 0), "{upload}");
    let downloads = document(&leecher.ok(&["peers", "--downloads", "--json"]));
    assert_eq!(downloads["peers"][0]["addr"], seeder.addr().to_string());
}

#[test]
fn a_moved_file_is_shared_and_its_bytes_were_not_copied() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (source, bytes) = (a.outside().join("image.iso"), content(12_202, 2 * MIB));
    fs::write(&source, &bytes).expect("the file is written");
    fs::set_permissions(&source, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let inode = fs::metadata(&source).expect("it is there").ino();
    a.ok(&["share", "--move", source.to_str().expect("a path in UTF-8")]);
    let moved = fs::metadata(a.file("image.iso")).expect("it was moved");
    assert!(!source.exists());
    assert_eq!((moved.ino(), moved.mode() & 0o777), (inode, 0o644));
    b.get("image.iso", &bytes);

    let other = content(12_203, MIB);
    fs::write(&source, &other).expect("the file is written");
    a.ctl_code(4, &["share", "--move", source.to_str().expect("a path in UTF-8")]);
    assert!(fs::read(&source).expect("it stays") == other);
    a.ok(&["share", "--move", "--replace", source.to_str().expect("a path in UTF-8")]);
    assert!(!source.exists());
    a.check_file("image.iso", &other);
}
