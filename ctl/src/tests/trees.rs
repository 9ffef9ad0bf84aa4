//! `create`, `check` and `share` of directories.

use super::fake::Fake;
use super::{bytes, tar, text, ttctl, ttctl_fails};
use shared::id::ResourceId;
use shared::rpc::control::{Shared, TaskState};
use shared::tree::Symlinks;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

const TRACKER: [&str; 2] = ["--tracker", "tt://tracker.example"];

/// A directory `app` with a few entries, in a directory that goes away.
fn app() -> (tempfile::TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let app = room.path().join("app");
    fs::create_dir_all(app.join("bin/empty")).unwrap();
    fs::write(app.join("bin/tool"), "tool").unwrap();
    fs::write(app.join("large"), bytes((2 << 20) + 5)).unwrap();
    symlink("bin/tool", app.join("link")).unwrap();
    (room, app)
}

fn create(app: &Path, more: &[&str]) -> String {
    let (printed, result) = ttctl(&[&["create", text(app)], &TRACKER[..], more].concat());
    result.unwrap();
    printed
}

#[test]
fn a_directory_is_described_as_a_tar() {
    let (room, app) = app();
    let printed = create(&app, &[]);
    let manifest = room.path().join("app.tar.tinytorrent");
    assert!(printed.ends_with(&format!("  {}\n", manifest.display())), "{printed}");
    let written = fs::read_to_string(&manifest).unwrap();
    assert!(written.starts_with(&format!("app.tar\n{}\n", &printed[..64])), "{written}");
    assert_eq!(written.lines().count(), 3 + 3);

    // However the path is written, it is the same directory.
    let slash = format!("{}/", app.display());
    let dots = format!("{}/bin/..", app.display());
    for path in [slash.as_str(), &dots] {
        let (again, result) = ttctl(&["create", path, TRACKER[0], TRACKER[1], "-o", "-"]);
        result.unwrap();
        assert_eq!(again, written, "{path}");
    }
    let json = ttctl(&["--json", "create", text(&app), TRACKER[0], TRACKER[1]]).0;
    assert!(json.contains(r#""kind":"tree""#) && json.contains(r#""name":"app.tar""#), "{json}");
}

#[test]
fn a_directory_is_compared_with_its_manifest() {
    let (room, app) = app();
    create(&app, &[]);
    let manifest = room.path().join("app.tar.tinytorrent");
    let check = |path: &str| ttctl(&["check", text(&manifest), path]);
    let (printed, result) = check(text(&app));
    result.unwrap();
    assert!(printed.ends_with(&format!("{} matches (2.0 MiB)\n", app.display())), "{printed}");
    // It is found beside the manifest, and under another name.
    assert!(ttctl(&["check", text(&manifest)]).0.contains("app matches"));
    let moved = room.path().join("another name");
    fs::rename(&app, &moved).unwrap();
    check(text(&moved)).1.unwrap();
    fs::rename(&moved, &app).unwrap();

    let changes: [(&str, &dyn Fn()); 5] = [
        ("a byte", &|| fs::write(app.join("bin/tool"), "toot").unwrap()),
        ("permissions", &|| fs::set_permissions(app.join("large"), Permissions::from_mode(0o600)).unwrap()),
        ("a new file", &|| fs::write(app.join("bin/new"), "").unwrap()),
        ("a link", &|| {
            fs::remove_file(app.join("link")).unwrap();
            symlink("large", app.join("link")).unwrap();
        }),
        ("a missing directory", &|| fs::remove_dir(app.join("bin/empty")).unwrap()),
    ];
    for (what, change) in changes {
        change();
        let (code, message) = ttctl_fails(&["check", text(&manifest), text(&app)]);
        assert_eq!(code, 6, "{what}");
        assert!(message.contains("does not match: "), "{what}: {message}");
        create(&app, &[]);
        check(text(&app)).1.unwrap();
    }
    let file = room.path().join("file");
    fs::write(&file, "x").unwrap();
    ttctl(&["create", text(&file), TRACKER[0], TRACKER[1]]).1.unwrap();
    let (code, message) = ttctl_fails(&["check", &format!("{}.tinytorrent", file.display()), text(&app)]);
    assert_eq!(code, 6);
    assert!(message.ends_with("app is a directory, and the manifest is that of a file"), "{message}");
}

#[test]
fn times_count_only_if_they_were_carried() {
    let (room, app) = app();
    let manifest = room.path().join("app.tar.tinytorrent");
    let touch = |seconds| {
        let file = File::open(app.join("large")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    create(&app, &[]);
    touch(1);
    assert_eq!(ttctl_fails(&["check", text(&manifest), text(&app)]).0, 6);
    let without = create(&app, &["--no-times"]);
    touch(2);
    ttctl(&["check", text(&manifest), text(&app)]).1.unwrap();
    assert_eq!(create(&app, &["--no-times"]), without);
}

#[test]
fn what_a_tar_cannot_carry_is_refused_with_its_path() {
    let (_room, app) = app();
    let fails = |more: &[&str]| ttctl_fails(&[&["create", text(&app)], &TRACKER[..], more].concat());
    symlink("/etc/passwd", app.join("bin/out")).unwrap();
    let (code, message) = fails(&[]);
    assert_eq!(code, 4);
    let outside = format!(
        "cannot make a manifest of {}/bin/out: the symbolic link leads outside of the directory",
        app.display()
    );
    assert_eq!(message, outside);
    create(&app, &["--symlinks", "any"]);
    create(&app, &["--symlinks", "skip"]);
    fs::remove_file(app.join("bin/out")).unwrap();

    let _socket = std::os::unix::net::UnixListener::bind(app.join("socket")).unwrap();
    let socket = format!("cannot make a manifest of {}/socket: it is a socket, not a file", app.display());
    assert_eq!(fails(&[]), (4, socket));
    create(&app, &["--skip-special"]);
    fs::remove_file(app.join("socket")).unwrap();

    fs::write(app.join("two\nlines"), "").unwrap();
    let (code, message) = fails(&[]);
    assert_eq!(code, 4);
    assert!(message.ends_with("app/two\\nlines: the name contains a control character"), "{message}");
    fs::remove_file(app.join("two\nlines")).unwrap();

    let listing = app.with_file_name(".MTREE");
    fs::create_dir(&listing).unwrap();
    let (code, message) = ttctl_fails(&["create", text(&listing), TRACKER[0], TRACKER[1]]);
    assert_eq!(code, 4);
    assert!(message.contains("names of the tree's own members"), "{message}");
    let (code, message) = ttctl_fails(&["create", "/", TRACKER[0], TRACKER[1]]);
    assert_eq!((code, message.as_str()), (4, "cannot make a manifest of /: it has no name"));
}

#[test]
fn a_directory_beside_the_manifest_that_differs_does_not_match() {
    let (room, app) = app();
    create(&app, &[]);
    let manifest = room.path().join("app.tar.tinytorrent");
    let check = || ttctl_fails(&["check", text(&manifest)]);
    fs::write(app.join("bin/tool"), "a longer one").unwrap();
    let (code, message) = check();
    assert_eq!(code, 6, "{message}");
    let differs = format!("{} does not match: 2 of 3 chunks differ or are missing: 0, 2", app.display());
    assert_eq!(message, differs, "its listing and its sums are other ones");
    let (printed, _) = ttctl(&["--json", "check", text(&manifest)]);
    assert!(printed.contains(r#""matches":false"#) && printed.contains(r#""chunks_bad":[0,2]"#), "{printed}");
    fs::write(app.join("two\nlines"), "").unwrap();
    assert_eq!(check().0, 6, "it cannot be compared, and so it does not match");

    // A tar that another program made is compared as the file that it is.
    let tar = room.path().join("app.tar");
    fs::write(&tar, "the tar of another program").unwrap();
    ttctl(&["create", text(&tar), TRACKER[0], TRACKER[1]]).1.unwrap();
    ttctl(&["check", text(&manifest)]).1.unwrap();
    fs::remove_file(&tar).unwrap();
    assert_eq!(check().0, 6);
}

#[test]
fn what_a_tar_cannot_carry_does_not_match() {
    let (room, app) = app();
    let manifest = room.path().join("app.tar.tinytorrent");
    symlink("/etc/passwd", app.join("bin/out")).unwrap();
    create(&app, &["--symlinks", "any"]);
    let check = |more: &[&str]| ttctl(&[&["check", text(&manifest), text(&app)], more].concat());
    check(&[]).1.unwrap();
    create(&app, &["--symlinks", "skip"]);
    check(&["--symlinks", "skip"]).1.unwrap();
    assert_eq!(check(&[]).1.unwrap_err().exit_code(), 6, "the link may be new");
    fs::remove_file(app.join("bin/out")).unwrap();

    let _socket = std::os::unix::net::UnixListener::bind(app.join("socket")).unwrap();
    create(&app, &["--skip-special"]);
    check(&["--skip-special"]).1.unwrap();
    let error = check(&[]).1.unwrap_err();
    let socket = format!("{0} does not match: {0}/socket: it is a socket, not a file", app.display());
    assert_eq!((error.exit_code(), error.message), (6, socket));
    assert_eq!(error.hint.as_deref(), Some("to leave such entries out: --skip-special"));
}

#[test]
fn a_directory_in_the_place_of_the_manifest_is_called_one() {
    let (_room, app) = app();
    let message = format!("{} is a directory, not a manifest", app.display());
    assert_eq!(ttctl_fails(&["check", text(&app)]), (4, message));
}

/// A daemon that says that something was shared.
fn sharing() -> Fake {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://tracker.example"];
    fake.state().tasks.push_back(TaskState::Shared(Shared {
        name: "app.tar".parse().unwrap(),
        resource: ResourceId::of(b"app"),
        manifest: "/app.tar.tinytorrent".into(),
        warnings: Vec::new(),
        refused: Vec::new(),
    }));
    fake
}

#[test]
fn a_directory_from_elsewhere_is_sent_as_its_tar() {
    let (_room, app) = app();
    let id = create(&app, &[])[..64].to_owned();
    let fake = sharing();
    let args = ["share", text(&app), "--symlinks", "any", "--directory", fake.folder()];
    ttctl(&args).1.unwrap();
    let state = fake.state();
    let request = &state.imported[0];
    assert_eq!(request.name.as_str(), "app.tar");
    assert_eq!((request.bytes, request.data_bytes), (state.bytes.len() as u64, state.bytes.len() as u64));
    assert_eq!(request.tree.map(|options| options.symlinks), Some(Symlinks::Any));
    let tar = tar(&app);
    assert_eq!(ResourceId::of(&tar).to_string(), id);
    assert!(tar.starts_with(&state.bytes), "the same bytes as for `create`, without the sums");
    assert!(tar.len() - state.bytes.len() < 4096);
}

#[test]
fn a_directory_that_changes_is_sent_again_after_its_import_was_canceled() {
    let (_room, app) = app();
    let fake = sharing();
    fake.state().room.changes = Some(app.join("large"));
    ttctl(&["share", text(&app), "--directory", fake.folder()]).1.unwrap();
    let state = fake.state();
    assert_eq!((state.imported.len(), state.room.canceled), (2, 1));
    assert!(tar(&app).starts_with(&state.bytes));
}

#[test]
fn why_a_directory_was_to_be_sent_again_is_told_if_that_finds_no_room() {
    let (_room, app) = app();
    let fake = sharing();
    fake.state().room.changes = Some(app.join("large"));
    fake.state().room.imports_max = Some(1);
    let error = ttctl(&["share", text(&app), "--directory", fake.folder()]).1.unwrap_err();
    assert!(error.message.contains("changed while it was being read"), "{error:?}");
    assert_eq!(fake.state().room.canceled, 1);
}

#[test]
fn what_is_left_out_of_a_directory_from_elsewhere_is_in_the_json() {
    let (_room, app) = app();
    symlink("/etc/passwd", app.join("bin/out")).unwrap();
    let fake = sharing();
    let args = ["share", text(&app), "--symlinks", "skip", "--json", "--directory", fake.folder()];
    let (printed, result) = ttctl(&args);
    result.unwrap();
    assert!(printed.contains(r#""kind":"tree","path":"/app""#), "{printed}");
    assert!(printed.contains("app/bin/out is left out"), "{printed}");
}

#[test]
fn a_directory_in_the_shared_directory_is_shared_there() {
    let fake = sharing();
    let app = fake.folder.path().join("app");
    fs::create_dir(&app).unwrap();
    ttctl(&["share", &format!("{}/", text(&app)), "--no-times", "--directory", fake.folder()]).1.unwrap();
    {
        let state = fake.state();
        assert!(state.imported.is_empty());
        let request = &state.shared[0];
        assert_eq!((request.name.as_str(), request.bytes), ("app.tar", 0));
        assert_eq!(request.tree.map(|options| options.has_times), Some(false));
    }
    for (path, code, why) in [
        (fake.folder().to_owned(), 4, "is ttd's shared directory"),
        (format!("{}/..", fake.folder()), 4, "contains ttd's shared directory"),
        (format!("{}/.tinytorrent", fake.folder()), 4, "one of ttd's own files"),
    ] {
        let (found, message) = ttctl_fails(&["share", &path, "--directory", fake.folder()]);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(why), "{message}");
    }
    let (_room, elsewhere) = self::app();
    let (code, message) = ttctl_fails(&["share", "--move", text(&elsewhere), "--directory", fake.folder()]);
    assert_eq!(code, 2);
    assert!(message.contains("--move is for files"), "{message}");
}
