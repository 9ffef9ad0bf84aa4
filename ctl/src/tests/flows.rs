//! Tests `share`, `get` and other verbs by the calls that the daemon receives.

use super::fake::{Fake, State_, accepted, status};
use super::{bytes, manifest, text, ttctl, ttctl_fails};
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, EditedFiles, ErrorKind, GetWhat, Shared, TaskState};
use std::fs;
use std::os::unix::fs::FileExt;

fn shared(fake: &Fake, name: &str) -> TaskState {
    TaskState::Shared(Shared {
        name: name.parse().unwrap(),
        resource: ResourceId::of(b"x"),
        manifest: fake.folder.path().join(format!("{name}.tinytorrent")),
        warnings: vec!["the tracker was not reached".into()],
        refused: Vec::new(),
    })
}

fn running() -> TaskState {
    TaskState::Running { bytes_done: 1, bytes_total: 2, doing: "hashing".into() }
}

#[test]
fn a_file_from_elsewhere_is_sent_byte_by_byte() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let sent = bytes((3 << 20) + 5);
    let path = home.path().join("x");
    fs::write(&path, &sent).unwrap();
    fake.state().tasks = [running(), shared(&fake, "x")].into();
    let (printed, result) = ttctl(&["share", text(&path), "--replace", "--directory", fake.folder()]);
    result.unwrap();
    assert_eq!(printed, format!("{}  {}/x.tinytorrent\n", ResourceId::of(b"x"), fake.folder()));
    let state = fake.state();
    assert!(state.shared.is_empty());
    assert_eq!(state.bytes, sent);
    assert_eq!((state.imported[0].bytes, state.imported[0].replace), (sent.len() as u64, true));
}

#[test]
fn of_the_holes_of_a_file_only_the_length_is_sent() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let path = home.path().join("disk.img");
    let file = fs::File::create(&path).unwrap();
    let mut sent = vec![0; (40 << 20) + 5];
    for place in [3 << 20, (9 << 20) - 100, 40 << 20] {
        let data = &mut sent[place..][..5];
        data.copy_from_slice(b"data!");
        file.write_all_at(data, place as u64).unwrap();
    }
    let shared_by = [shared(&fake, "disk.img")];
    fake.state().tasks = shared_by.into();
    ttctl(&["share", text(&path), "--directory", fake.folder()]).1.unwrap();
    let state = fake.state();
    assert!(state.bytes == sent);
    let data_bytes = (2 << 20) + 5;
    assert_eq!((state.imported[0].bytes, state.imported[0].data_bytes), (sent.len() as u64, data_bytes));
    assert_eq!(state.zeros, sent.len() as u64 - data_bytes);
}

#[test]
fn an_empty_file_is_shared_too() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let path = home.path().join("x");
    fs::write(&path, "").unwrap();
    fake.state().tasks = [shared(&fake, "x")].into();
    ttctl(&["share", text(&path), "--directory", fake.folder()]).1.unwrap();
    let state = fake.state();
    assert_eq!((state.imported[0].bytes, state.bytes.len()), (0, 0));
}

#[test]
fn a_file_of_the_folder_is_shared_where_it_is() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let link = home.path().join("link"); // the directory is recognized by its inode, not by its path
    std::os::unix::fs::symlink(fake.folder.path(), &link).unwrap();
    fs::write(link.join("x"), "x").unwrap();
    fake.state().tasks = [shared(&fake, "x")].into();
    let (printed, result) = ttctl(&[
        "--json",
        "share",
        text(&link.join("x")),
        "--tracker",
        "tt://a",
        "--directory",
        fake.folder(),
    ]);
    result.unwrap();
    assert_eq!(
        printed,
        format!(
            "{{\"schema_version\":1,\"shared\":[{{\"name\":\"x\",\"resource\":\"{}\",\
             \"manifest\":\"{}/x.tinytorrent\",\"warnings\":[\"the tracker was not reached\"],\"refused\":[],\
             \"kind\":\"file\",\"path\":\"{}/x\"}}],\
             \"errors\":[]}}\n",
            ResourceId::of(b"x"),
            fake.folder(),
            fake.folder()
        )
    );
    let state = fake.state();
    assert!(state.imported.is_empty());
    assert_eq!(state.shared[0].trackers, ["tt://a".parse().unwrap()]);
}

#[test]
fn one_bad_file_does_not_keep_the_others_back() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let path = home.path().join("x");
    fs::write(&path, "x").unwrap();
    fake.state().tasks = [shared(&fake, "x")].into();
    let (printed, result) =
        ttctl(&["share", text(&home.path().join("none")), text(&path), "--directory", fake.folder()]);
    assert!(printed.ends_with("/x.tinytorrent\n"));
    assert_eq!(result.unwrap_err().exit_code(), 4);
}

#[test]
fn without_a_tracker_nothing_is_shared() {
    let fake = Fake::start();
    fake.state().trackers.clear();
    assert_eq!(ttctl_fails(&["share", "x", "--directory", fake.folder()]).0, 2);
}

#[test]
fn get_sends_the_manifest_and_waits() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let content = bytes(40_000);
    let manifest = manifest("x", &content);
    let id = manifest.resource();
    let torrent = home.path().join("any.tinytorrent");
    fs::write(&torrent, manifest.to_text().replace('\n', "\r\n")).unwrap();
    fs::write(fake.folder.path().join("x"), &content).unwrap();
    fake.state().accepted = Some(Ok(accepted("x", id, false)));
    let states = [State_::Checking, State_::Waiting, State_::Downloading, State_::Seeding];
    fake.state().watched = states.map(|state| status("x", id, state)).into();

    let (printed, result) =
        ttctl(&["get", text(&torrent), "-o", text(home.path()), "--directory", fake.folder()]);
    result.unwrap();
    assert!(printed.starts_with(&format!("{} is complete (", home.path().join("x").display())), "{printed}");
    assert_eq!(fs::read(home.path().join("x")).unwrap(), content);
    assert_eq!(fake.state().manifest, manifest.to_text().as_bytes());
    assert_eq!(fake.state().got[0].what, GetWhat::Manifest { signature: None });

    // A file that exists is not overwritten without --replace.
    let copy = home.path().join("x");
    let again = ["get", "x", "-o", text(&copy), "--directory", fake.folder()];
    assert_eq!(ttctl_fails(&again).0, 4);
    fs::write(home.path().join("x"), "old").unwrap();
    ttctl(&[&again[..], &["--replace"]].concat()).1.unwrap();
    assert_eq!(fs::read(home.path().join("x")).unwrap(), content);
    for target in ["/dev/null", text(&home.path().join("none/")), text(&home.path().join("none/x"))] {
        assert_eq!(ttctl_fails(&["get", "x", "-o", target, "--replace", "--directory", fake.folder()]).0, 4);
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "no part file is left");
}

#[test]
fn a_download_that_goes_on_tells_the_rate_of_what_came_now() {
    let fake = Fake::start();
    let id = ResourceId::of(b"x");
    fake.state().accepted = Some(Ok(accepted("x", id, false)));
    let mut waiting = status("x", id, State_::Waiting);
    (waiting.bytes_have, waiting.bytes_total) = (60 << 20, None);
    let mut seeding = status("x", id, State_::Seeding);
    (seeding.bytes_have, seeding.bytes_total) = (100 << 20, Some(100 << 20));
    seeding.downloaded_bytes = 40 << 20;
    fake.state().watched = [waiting, seeding].into();
    let (printed, result) = ttctl(&["get", "x", "--directory", fake.folder()]);
    result.unwrap();
    assert!(printed.contains(" is complete (100 MiB, 40 MiB fetched in "), "{printed}");
}

#[test]
fn the_last_line_and_the_document_say_which_part_came_from_where() {
    let id = ResourceId::of(b"x");
    // MiB that were fetched, reused, and are from files
    let cases: [(u64, u64, u32, &[&str], &str); 9] = [
        (40, 60, 60, &["old"], "(100 MiB: 40 MiB fetched in "),
        (40, 60, 60, &["old", "b", "c"], ", 60 MiB reused from old and 2 other files)"),
        (40, 60, 60, &["x"], ", 60 MiB reused from its older version)"),
        (40, 60, 9, &["old"], ", 60 MiB reused, part of it from old)"),
        (40, 60, 0, &[], ", the rest is zeros or repeats)"),
        (40, 30, 0, &[], ", the rest was here)"),
        (0, 100, 100, &["old"], ", all of it reused from old)"),
        (0, 100, 60, &["old"], ", 100 MiB reused, part of it from old)"),
        (0, 60, 60, &["old"], ", 60 MiB reused from old)"),
    ];
    for (fetched, reused, from_files, files, words) in cases {
        let fetched = fetched << 20;
        let mut seeding = status("x", id, State_::Seeding);
        (seeding.bytes_have, seeding.bytes_total) = (100 << 20, Some(100 << 20));
        (seeding.downloaded_bytes, seeding.bytes_fetched) = (fetched, fetched);
        (seeding.bytes_reused, seeding.chunks_reused) = (reused << 20, reused as u32);
        seeding.chunks_from_files = from_files;
        seeding.reused_from = files.iter().map(|file| file.parse().unwrap()).collect();
        for json in [false, true] {
            let fake = Fake::start();
            fake.state().accepted = Some(Ok(accepted("x", id, false)));
            fake.state().watched = [seeding.clone()].into();
            let args = ["get", "x", "--no-reuse", "--directory", fake.folder(), "--json"];
            let (printed, result) = ttctl(&args[..if json { 6 } else { 5 }]);
            result.unwrap();
            assert!(!fake.state().got[0].reuse, "it is asked for");
            let document = format!("\"bytes_fetched\":{fetched},");
            assert!(printed.contains(if json { &document } else { words }), "{printed}");
            assert!(!json || printed.contains(&format!("\"chunks_reused\":{reused}")), "{printed}");
        }
    }
}

#[test]
fn a_large_manifest_travels_in_parts() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    let hashes = (0..40_000u32).map(|at| shared::id::ChunkHash::of(&at.to_le_bytes())).collect();
    let trackers = vec!["tt://t".parse().unwrap()];
    let large = shared::manifest::Manifest::new("x".parse().unwrap(), ResourceId([1; 32]), trackers, hashes);
    let large = large.unwrap().to_text();
    let torrent = home.path().join("x.tinytorrent");
    fs::write(&torrent, &large).unwrap();
    fake.state().accepted = Some(Ok(accepted("x", ResourceId([1; 32]), false)));
    let (printed, result) =
        ttctl(&["get", text(&torrent), "--detach", "--json", "--directory", fake.folder()]);
    result.unwrap();
    assert!(printed.contains("\"complete\":false"), "{printed}");
    assert_eq!(fake.state().manifest, large.as_bytes());
}

#[test]
fn how_a_download_ends_is_told_by_the_exit_code() {
    let id = ResourceId::of(b"x");
    let waiting = status("x", id, State_::Waiting);
    let mut no_space = waiting.clone();
    (no_space.kind, no_space.reason) = (Some(ErrorKind::NoSpace), Some("no space: 1 GiB is missing".into()));
    let mut corrupt = status("x", id, State_::Error);
    (corrupt.kind, corrupt.reason) = (Some(ErrorKind::BadData), Some("the whole-file hash failed".into()));
    let cases = [
        (vec![], 4, "x was removed"), // the daemon does not know it any more
        (vec![waiting], 5, "x is not complete after 0.2 s"),
        (vec![no_space], 7, "x is not complete after 0.2 s: no space: 1 GiB is missing"),
        (vec![corrupt], 6, "x: the whole-file hash failed"),
        (vec![status("y", id, State_::Seeding)], 4, "x was removed"),
    ];
    for (watched, code, message) in cases {
        let fake = Fake::start();
        fake.state().accepted = Some(Ok(accepted("x", id, false)));
        fake.state().watched = watched.into();
        let failed = ttctl_fails(&["get", "x", "--timeout", "200 ms", "--directory", fake.folder()]);
        assert_eq!(failed, (code, message.to_owned()));
    }
}

#[test]
fn refusals_are_told() {
    let fake = Fake::start();
    assert_eq!(ttctl_fails(&["get", "x", "--directory", fake.folder()]), (4, "nobody knows it".into()));
    assert_eq!(ttctl_fails(&["status", "x", "--directory", fake.folder()]).0, 4);
    assert_eq!(ttctl_fails(&["list", "--socket", "/none/ttd.sock"]).0, 3);
}

#[test]
fn the_small_commands() {
    let fake = Fake::start();
    let run = |args: &[&str]| {
        let (printed, result) = ttctl(&[args, &["--directory", fake.folder()]].concat());
        result.unwrap();
        printed
    };
    assert_eq!(run(&["pause", "x", "y.tinytorrent"]), "paused x\npaused y\n");
    assert_eq!(run(&["resume", "x", "--json"]), "{\"schema_version\":1,\"resumed\":[\"x\"],\"errors\":[]}\n");
    assert_eq!(run(&["remove", "x", "--delete"]), "deleted x\n");
    assert_eq!(
        run(&["peers", "x"]),
        "\
PEER            DIRECTION  LINK        HAS  IN FLIGHT  RECEIVED  SENT
10.0.0.9:7987   download   connected  25 %          2         7
10.0.0.10:7987  upload     connected                2               5
"
    );
    assert_eq!(
        run(&["peers"]),
        "\
TIMES  REASON   MEANING
    3  corrupt  sent corrupt chunks
"
    );
    assert_eq!(
        run(&["peers", "--uploads"]),
        "\
PEER            NAME     CHUNKS SENT       RATE         FOR  IN FLIGHT
10.0.0.10:7987  lab.img            5  3.0 MiB/s  1 min 15 s          2
"
    );
    assert!(run(&["peers", "--downloads"]).contains("10.0.0.9:7987"));
    assert!(!run(&["peers", "--downloads"]).contains("10.0.0.10:7987"));
    let uploads: serde_json::Value =
        serde_json::from_str(&run(&["peers", "x", "--uploads", "--json"])).unwrap();
    assert_eq!(
        (&uploads["peers"][0]["name"], uploads["peers"].as_array().unwrap().len()),
        (&"lab.img".into(), 1)
    );
    let rejected = run(&["peers", "--json"]);
    assert!(
        rejected.starts_with("{\"schema_version\":1,\"rejected\":{\"corrupt\":3,\"nonsense\":0,"),
        "{rejected}"
    );
    assert_eq!(run(&["list"]), "");
    assert_eq!(run(&["list", "--json"]), "{\"schema_version\":1,\"resources\":[]}\n");
}

#[test]
fn one_bad_name_does_not_keep_the_others_back() {
    let fake = Fake::start();
    for (verb, printed) in [("pause", "paused"), ("resume", "resumed"), ("remove", "removed")] {
        let (lines, result) = ttctl(&[verb, "x", "..", "y", "--directory", fake.folder()]);
        assert_eq!(lines, format!("{printed} x\n{printed} y\n"));
        assert_eq!(result.unwrap_err().exit_code(), 4);
        let (json, result) = ttctl(&[verb, "..", "y", "--json", "--directory", fake.folder()]);
        assert_eq!(result.unwrap_err().exit_code(), 4);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document[printed], serde_json::json!(["y"]));
        let why = serde_json::json!(
            {"kind": "refused", "exit_code": 4, "message": "no such resource", "hint": null}
        );
        assert_eq!(document["error"], why);
        assert_eq!(document["errors"].as_array().unwrap().len(), 1);
        assert_eq!(document["errors"][0]["what"], "..");
        assert_eq!(document["errors"][0]["message"], why["message"]);
    }
}

#[test]
fn a_name_that_is_kept_by_a_tracker_is_not_removed_in_passing() {
    let fake = Fake::start();
    let run = |args: &[&str]| ttctl(&[args, &["--directory", fake.folder()]].concat());
    assert_eq!(run(&["unpublish", "x"]), ("unpublished x\n".to_owned(), Ok(())));
    for args in [&["unpublish", "kept", "y"][..], &["remove", "--unpublish", "kept", "y"]] {
        let (lines, result) = run(args);
        assert!(lines.ends_with(" y\n") && !lines.contains("kept"), "{lines}");
        assert_eq!(result.unwrap_err().exit_code(), 4);
    }
    let document = run(&["unpublish", "--json", "x"]).0;
    assert_eq!(document, "{\"schema_version\":1,\"unpublished\":[\"x\"],\"errors\":[]}\n");
}

#[test]
fn verify_tells_lost_chunks_from_those_never_fetched() {
    let fake = Fake::start();
    fake.state().watched = [status("x", ResourceId::of(b"x"), State_::Waiting)].into();
    fake.state().tasks = [TaskState::Verified { chunks_good: 1, chunks_total: 2, edited: None }].into();
    let (printed, result) = ttctl(&["verify", "x", "--directory", fake.folder()]);
    assert_eq!((printed.as_str(), result), ("x: 1 of 2 chunks good\n", Ok(())));
    fake.state().tasks = [TaskState::Verified { chunks_good: 0, chunks_total: 2, edited: None }].into();
    let failed = ttctl_fails(&["verify", "x", "--directory", fake.folder()]);
    assert_eq!(failed, (6, "x: 1 chunk is corrupt".into()));
}

#[test]
fn an_edited_directory_is_not_complete_and_verify_names_its_files() {
    let fake = Fake::start();
    let edited = EditedFiles { files: 5, first: vec!["bin/\u{202e}x".to_owned(), "etc/y".to_owned()] };
    let done = TaskState::Verified { chunks_good: 1, chunks_total: 2, edited: Some(edited) };
    fake.state().watched = [status("x", ResourceId::of(b"x"), State_::Waiting)].into();
    fake.state().tasks = [done.clone()].into();
    let why = "x: 5 files were edited, such as bin/\u{202e}x and etc/y";
    let (code, message) = ttctl_fails(&["verify", "x", "--directory", fake.folder()]);
    assert_eq!((code, message.replace("\\u{202e}", "\u{202e}")), (6, why.to_owned()));
    fake.state().tasks = [done].into();
    let document = ttctl(&["verify", "x", "--json", "--directory", fake.folder()]).0;
    assert!(document.contains("\"files_edited\":5,\"first_edited\":["), "{document}");

    let mut served = status("x", ResourceId::of(b"x"), State_::Seeding);
    (served.is_tree, served.chunks_have, served.chunks_total) = (true, 1, 2);
    served.reason_here = Some("bin/x was edited".to_owned());
    fake.state().watched = [served].into();
    let failed = ttctl_fails(&["wait", "x", "--directory", fake.folder()]);
    assert_eq!(failed, (6, "x: bin/x was edited".into()));
}

#[test]
fn limits_are_shown_and_changed() {
    let fake = Fake::start();
    let run = |args: &[&str]| {
        let (printed, result) = ttctl(&[&["limit", "--directory", fake.folder()], args].concat());
        result.unwrap();
        printed
    };
    assert_eq!(run(&[]), "download  none\nupload    5 MB/s\n");
    assert_eq!(
        run(&["--download", "80 Mbit/s", "--upload", "0"]),
        "download  10 MB/s\nupload    0 (paused)\n"
    );
    assert_eq!(
        run(&["--download", "none", "--json"]),
        "{\"schema_version\":1,\"download_limit_bytes_per_s\":null,\"upload_limit_bytes_per_s\":0,\
         \"download_limit_until_ms\":null,\"upload_limit_until_ms\":null,\"download_saved\":false,\"upload_saved\":false,\"limits_file\":null}\n"
    );
    assert_eq!(run(&["--upload", "20 MB/s", "--save"]), "download  none\nupload    20 MB/s (saved)\n");
    let json = run(&["--upload", "20 MB/s", "--save", "--json"]);
    assert!(json.ends_with("\"upload_saved\":true,\"limits_file\":\"/limits.toml\"}\n"), "{json}");
}

/// The verdict and message of each check of `doctor --json`, by its name.
fn diagnosis(folder: &str) -> (Vec<(String, String, String)>, u8) {
    let (printed, result) = ttctl(&["doctor", "--json", "--directory", folder]);
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["schema_version"], 1);
    let text = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (text(check, "check"), text(check, "verdict"), text(check, "message")));
    (checks.collect(), result.map_or_else(|error| error.exit_code(), |()| 0))
}

#[track_caller]
fn found(checks: &[(String, String, String)], check: &str, verdict: &str, message: &str) {
    let is_it = |(name, is, says): &&(String, String, String)| {
        name == check && is == verdict && says.contains(message)
    };
    assert!(checks.iter().any(|found| is_it(&found)), "{check} {verdict} {message}: {checks:?}");
}

#[test]
fn a_doctor_finds_what_is_wrong_with_a_daemon() {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://t:1"];
    let silent = "tracker tt://t:1 unreachable (connection refused)".to_owned();
    fake.state().no_tracker =
        Some(ControlError { kind: ErrorKind::Unreachable, message: silent.clone(), hint: None });
    let mut broken = status("x", ResourceId::of(b"x"), State_::Error);
    (broken.kind, broken.reason) = (Some(ErrorKind::NoSpace), Some("no space: 1 GiB is missing".into()));
    fake.state().watched = [broken].into();
    fake.state().folder_trouble = Some("Read-only file system".into());
    let (checks, code) = diagnosis(fake.folder());
    assert_eq!(code, 4);
    found(&checks, "daemon", "warning", "and this ttctl is");
    found(&checks, "directory", "failure", "Read-only file system");
    found(&checks, "space", "failure", "x: no space");
    found(&checks, "resource", "failure", "1 GiB is missing");
    found(&checks, "descriptors", "ok", "40 of 65536");
    found(&checks, "tracker", "failure", &silent);
}

#[test]
fn a_doctor_has_the_daemon_ask_its_trackers() {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://t:1"];
    let (checks, _) = diagnosis(fake.folder());
    found(&checks, "tracker", "ok", "tt://t:1 answers within 1.2 ms (fake, protocol version 2)");
    found(&checks, "clock", "warning", "the clock of tt://t:1 is 1 min 32 s ahead of this machine");
}

#[test]
fn a_doctor_does_not_look_at_what_belongs_to_a_ttd_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".tinytorrent")).unwrap();
    let socket = folder.path().join(".tinytorrent/ttd.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop)); // hangs up at once, until the test's process ends
    let (checks, code) = diagnosis(text(folder.path()));
    assert_eq!(code, 3);
    found(&checks, "daemon", "failure", "closed the connection at once");
    found(&checks, "the rest", "warning", "not checked: directory, port and trackers");
    let looked_at = |name: &str| checks.iter().any(|(check, ..)| check == name);
    assert!(!looked_at("peer port") && !looked_at("directory") && !looked_at("tracker"), "{checks:?}");
}

#[test]
fn a_doctor_is_of_use_without_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let (checks, code) = diagnosis(text(folder.path()));
    assert_eq!(code, 3);
    found(&checks, "daemon", "failure", "no ttd answers");
    found(&checks, "directory", "ok", "you can write to");
    assert!(checks.iter().any(|(check, ..)| check == "peer port"), "{checks:?}");
    let (printed, result) = ttctl(&["doctor", "--directory", text(folder.path())]);
    assert!(result.unwrap_err().is_told);
    assert!(printed.contains("failure  daemon       no ttd answers"), "{printed}");
}
