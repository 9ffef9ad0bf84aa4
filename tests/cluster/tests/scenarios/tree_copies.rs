//! Scenarios in which a directory is copied out of the shared directory: as a directory, as the tar that it is sent as,
//! and by users who may not read it.

use cluster::files::{MIB, content, sha256_file};
use cluster::mounts::{mount_tmpfs, own_mounts};
use cluster::process::run_capped;
use cluster::skip::skipped;
use cluster::trees::{Item, Items, check, items, make};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Makes the directory `app` in the shared directory and shares it. Returns its id.
#[track_caller]
fn share(daemon: &Daemon, items: &Items) -> String {
    let path = daemon.folder().join("app");
    make(&path, items);
    let output = daemon.ok(&["share", path.to_str().unwrap()]);
    output.stdout.split_whitespace().next().expect("an id").to_owned()
}

/// Runs ttctl with its standard output in a file. Returns its exit code.
#[track_caller]
fn into_file(daemon: &Daemon, args: &[&str], path: &Path) -> Option<i32> {
    let mut command = daemon.ttctl(args);
    command.stdout(File::create(path).unwrap()).status().unwrap().code()
}

/// What is in a directory, by name.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_directory_that_is_here_is_written_as_its_tar() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let items = items(100, 60, 200_000);
    let id = share(&a, &items);
    b.ok(&["get", "app"]);
    for (daemon, name) in [(&a, "app"), (&b, "app.tar"), (&b, id.as_str())] {
        let tar = daemon.outside().join("app.tar");
        daemon.ok(&["get", name, "--as-file", "-o", daemon.outside().to_str().unwrap()]);
        assert_eq!(sha256_file(&tar).unwrap(), id);
        for more in [&["-o", "-"][..], &["--as-file", "-o", "-"]] {
            let piped = daemon.outside().join("piped");
            assert_eq!(into_file(daemon, &[&["get", name], more].concat(), &piped), Some(0));
            assert_eq!(sha256_file(&piped).unwrap(), id);
            fs::remove_file(&piped).unwrap();
        }
        fs::remove_file(&tar).unwrap();
        assert_eq!(daemon.status("app").unwrap().text("kind"), "tree", "it stays what it is");
    }

    // It is not turned into a file because one user wants one.
    let output = b.ctl_code(4, &["get", "app", "--as-file"]);
    assert!(output.stderr.contains("is here as the directory"), "{}", output.stderr);
    assert!(output.stderr.contains("--as-file -o PATH"), "{}", output.stderr);
    check(&b.folder().join("app"), &items);
}

#[test]
fn a_tar_that_is_wanted_elsewhere_is_fetched_as_a_file_if_nothing_is_here() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let id = share(&a, &items(200, 30, 100_000));
    let tar = b.outside().join("app.tar");
    b.ok(&["get", "app", "--as-file", "-o", tar.to_str().unwrap()]);
    assert_eq!(sha256_file(&tar).unwrap(), id);
    assert_eq!(b.listing(), ["app.tar", "app.tar.tinytorrent"]);
    assert_eq!(into_file(&b, &["get", "app", "-o", "-"], &tar), Some(0));
    assert_eq!(sha256_file(&tar).unwrap(), id);
}

#[test]
fn a_tar_of_a_directory_that_was_edited_is_an_error_and_no_file() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    share(&a, &items(300, 10, MIB));
    fs::write(a.folder().join("app/sub 3/3"), "edited").unwrap();
    let target = a.outside().join("app.tar");
    let output = a.ctl_code(6, &["get", "app", "--as-file", "-o", target.to_str().unwrap()]);
    assert!(output.stderr.contains("app/sub 3/3 was edited"), "{}", output.stderr);
    assert!(names(&a.outside()).is_empty());
    let piped = a.outside().join("piped");
    assert_eq!(into_file(&a, &["get", "app", "-o", "-"], &piped), Some(6));
}

#[test]
fn a_copy_is_whole_or_absent_when_ttctl_is_killed_and_the_next_one_cleans_up() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let items = items(400, 2_000, 5_000);
    share(&a, &items);
    let (room, target) = (a.outside().join("room"), a.outside().join("room/app"));
    let was_killed = (0..20).any(|_| {
        let _ = fs::remove_dir_all(&room);
        fs::create_dir(&room).unwrap();
        let mut copying = a.ctl_in_background(&["get", "app", "-o", room.to_str().unwrap()]);
        wait_until("it has begun", CAP, || !names(&room).is_empty());
        copying.kill();
        match target.exists() {
            true => check(&target, &items),
            false => assert_eq!(names(&room).len(), 1, "{:?}", names(&room)),
        }
        !target.exists()
    });
    assert!(was_killed, "every copy was complete before it could be killed");
    a.ok(&["get", "app", "-o", room.to_str().unwrap()]);
    assert_eq!(names(&room), ["app"], "nothing is left of the one that was killed");
    check(&target, &items);
}

#[test]
fn a_copy_that_does_not_fit_leaves_nothing_and_keeps_the_former_one() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let small = items(500, 10, 10_000);
    share(&a, &small);
    let disk = a.outside().join("disk");
    mount_tmpfs(&disk, 4);
    a.ok(&["get", "app", "-o", disk.to_str().unwrap()]);
    make(&a.folder().join("app"), &items(600, 10, MIB));
    a.ok(&["share", a.folder().join("app").to_str().unwrap(), "--replace"]);
    for more in [&["--replace"][..], &["--as-file"]] {
        let args = [&["get", "app", "-o", disk.to_str().unwrap()], more].concat();
        let output = a.ctl_code(7, &args);
        assert!(output.stderr.contains("choose another place with -o"), "{}", output.stderr);
        assert_eq!(names(&disk), ["app"]);
        check(&disk.join("app"), &small);
    }
}

/// A daemon whose socket anybody may use.
fn open_to_all(tracker: &Tracker) -> Daemon {
    let daemon = Daemon::start_configured(tracker, "socket_mode = \"0666\"\nfile_mode = \"0600\"\n");
    let folder = daemon.folder();
    for path in [folder.parent().unwrap(), folder, &folder.join(".tinytorrent")] {
        fs::set_permissions(path, Permissions::from_mode(0o711)).unwrap();
    }
    daemon
}

#[test]
fn what_the_caller_may_not_read_is_copied_through_ttd() {
    if !rustix::process::geteuid().is_root() {
        return skipped("it runs ttctl as another user");
    }
    let tracker = Tracker::start();
    let a = open_to_all(&tracker);
    let mut items = items(700, 60, 100_000);
    items.insert(String::new(), Item::Directory(0o700));
    items.insert("sub 1/1".to_owned(), Item::File(0o444, vec![0; 3 * MIB]));
    let id = share(&a, &items);
    let file = content(701, 3 * MIB + 5);
    a.share_bytes("file", &file);
    let room = tempfile::tempdir().unwrap();
    let at = |name: &str| room.path().join(name);
    fs::set_permissions(room.path(), Permissions::from_mode(0o777)).unwrap();
    let run = |what: &str, more: &[&str], out: &str| {
        let mut command = a.ttctl(&[&["get", what], more].concat());
        command.current_dir(room.path()).uid(65_534).gid(65_534);
        assert!(!at(out).exists(), "{out} was there before");
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 0, "{}", output.stderr);
    };
    run("app", &["-o", "copy"], "copy");
    check(&at("copy"), &items);
    run("app", &["-o", "copy"], "copy/app");
    check(&at("copy/app"), &items);
    run("app", &["-o", ".", "--as-file"], "app.tar");
    assert_eq!(sha256_file(&at("app.tar")).unwrap(), id);
    run("file", &["-o", "other"], "other");
    assert_eq!(fs::read(at("other")).unwrap(), file);
    assert_eq!(names(room.path()), ["app.tar", "copy", "other"]);
}
