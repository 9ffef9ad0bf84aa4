//! `get -o` of directories: as directories, and as the tar that they are sent as.

use super::fake::{Fake, accepted};
use super::{bytes, tar, text, ttctl, ttctl_fails};
use shared::id::ResourceId;
use shared::rpc::control::Accepted;
use std::fs;
use std::path::Path;

/// A daemon that has the directory `app`, and its tar.
fn having() -> (Fake, Vec<u8>) {
    let fake = Fake::start();
    let app = fake.folder.path().join("app");
    fs::create_dir_all(app.join("bin")).unwrap();
    fs::write(app.join("bin/tool"), "tool").unwrap();
    fs::write(app.join("large"), bytes((2 << 20) + 5)).unwrap();
    let tar = tar(&app);
    let count = tar.len().div_ceil(1 << 20) as u32;
    let accepted = accepted("app.tar", ResourceId::of(&tar), true);
    let accepted = Accepted { is_tree: true, count: count.try_into().unwrap(), ..accepted };
    fake.state().accepted = Some(Ok(accepted));
    fake.state().content = tar.clone();
    (fake, tar)
}

fn get(fake: &Fake, more: &[&str]) -> String {
    let (printed, result) = ttctl(&[&["get", "app.tar", "--directory", fake.folder()], more].concat());
    result.unwrap_or_else(|error| panic!("{more:?}: {}", error.message));
    printed
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn the_tar_of_a_directory_is_written_where_it_is_wanted() {
    let (fake, tar) = having();
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("a file");
    let printed = get(&fake, &["--as-file", "-o", text(&path)]);
    assert_eq!(printed, format!("{} is complete (copied from the shared directory)\n", path.display()));
    assert_eq!(fs::read(&path).unwrap(), tar);
    get(&fake, &["--as-file", "-o", text(room.path())]);
    assert_eq!(fs::read(room.path().join("app.tar")).unwrap(), tar);
    assert!(fake.state().got.iter().all(|request| request.as_file && request.is_copied));

    let again = ["get", "app.tar", "--as-file", "-o", text(&path), "--directory", fake.folder()];
    assert_eq!(ttctl_fails(&again), (4, format!("{} already exists", path.display())));
    let json = get(&fake, &["--as-file", "-o", text(&path), "--replace", "--json"]);
    assert!(
        json.contains(&format!(r#""path":"{}""#, path.display())) && json.contains(r#""kind":"file""#),
        "{json}"
    );
    assert_eq!(names(room.path()), ["a file", "app.tar"]);
}

#[test]
fn a_copy_of_a_directory_is_made_as_cp_makes_it() {
    let (fake, _) = having();
    let room = tempfile::tempdir().unwrap();
    let new = room.path().join("new");
    get(&fake, &["-o", text(&new)]);
    assert_eq!(fs::read(new.join("bin/tool")).unwrap(), b"tool");
    let json = get(&fake, &["-o", text(&new), "--json"]); // it exists now
    let into = format!(r#""path":"{}/app""#, new.display());
    assert!(json.contains(&into) && json.contains(r#""kind":"tree""#), "{json}");
    assert_eq!(fs::read(new.join("app/bin/tool")).unwrap(), b"tool");

    let fails = |target: &str| {
        let (code, message) = ttctl_fails(&["get", "app.tar", "-o", target, "--directory", fake.folder()]);
        assert_eq!(code, 4, "{target}: {message}");
        message
    };
    assert!(fails(text(&new)).ends_with("new/app already exists"));
    assert!(fails(&format!("{}/missing/", room.path().display())).ends_with("missing/ does not exist"));
    assert!(fails(&format!("{}/missing/app", room.path().display())).ends_with("missing does not exist"));
    fs::write(room.path().join("file"), "x").unwrap();
    assert!(fails(&format!("{}/file", room.path().display())).ends_with("file already exists"));
    assert!(!fake.state().got.iter().any(|request| request.as_file));
    assert!(fake.state().got.iter().all(|request| request.is_copied));
    assert_eq!(names(room.path()), ["file", "new"]);
}

#[test]
fn a_copy_does_not_go_into_the_shared_directory() {
    let (fake, _) = having();
    fs::write(fake.folder.path().join("app.tar.tinytorrent"), "").unwrap();
    fs::create_dir(fake.folder.path().join("own")).unwrap();
    for (target, why) in [
        ("copy", "copy is in the shared directory"),
        ("", "app is in the shared directory"),
        ("app/copy", "app, which belongs to ttd"),
        ("app/bin", "app, which belongs to ttd"),
        (".tinytorrent/copy", ".tinytorrent, which belongs to ttd"),
    ] {
        let target = format!("{}/{target}", fake.folder());
        let (code, message) = ttctl_fails(&["get", "app.tar", "-o", &target, "--directory", fake.folder()]);
        assert_eq!(code, 4, "{message}");
        assert!(message.ends_with(why), "{target}: {message}");
    }
    get(&fake, &["-o", &format!("{}/own", fake.folder())]); // that one is not shared
    assert_eq!(names(&fake.folder.path().join("own/app")), ["bin", "large"]);
}

#[test]
fn a_tracker_is_asked_for_a_directory_by_its_own_name() {
    let (fake, _) = having();
    fake.state().published = vec!["app.tar"];
    for args in [&["fleet", "app"][..], &["wait", "app", "--peers", "1"], &["tracker", "peers", "app"]] {
        let (_, result) = ttctl(&[args, &["--directory", fake.folder()]].concat());
        result.unwrap_or_else(|error| panic!("{args:?}: {}", error.message));
    }
    let none = ttctl_fails(&["fleet", "none", "--directory", fake.folder()]);
    assert_eq!(none, (4, "none is not published on tt://tracker.example".to_owned()));
}

#[test]
fn nothing_is_left_of_a_copy_that_fails() {
    let (fake, _) = having();
    let room = tempfile::tempdir().unwrap();
    fake.state().edited = Some(1);
    let target = format!("{}/app.tar", room.path().display());
    let args = ["get", "app.tar", "--as-file", "-o", &target, "--directory", fake.folder()];
    assert_eq!(ttctl_fails(&args), (6, "a file in it was edited".to_owned()));
    assert!(names(room.path()).is_empty());
    let target = format!("{}/app", room.path().display());
    let args = ["get", "app.tar", "-o", &target, "--directory", fake.folder()];
    assert_eq!(ttctl_fails(&args), (6, "a file in it was edited".to_owned()));
    assert!(names(room.path()).is_empty());

    // What somebody has added to the directory is not part of it.
    fake.state().edited = None;
    let added = fake.folder.path().join("app/socket");
    std::os::unix::net::UnixListener::bind(&added).unwrap();
    ttctl(&args).1.unwrap();
    assert_eq!(names(Path::new(&target)), ["bin", "large"]);
}
