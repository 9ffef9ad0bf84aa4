//! Scenarios of daemons and trackers that start, or say why they cannot.

use cluster::mounts::{make_pipe, mount_bind, mount_tmpfs, own_mounts, unmount};
use cluster::process::{Output, Process, run_capped, sealed};
use cluster::{CAP, Daemon, Tracker, program};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Runs a program that must end by itself with an error that contains this text.
#[track_caller]
fn check_refuses(name: &str, home: &Path, args: &[&str], text: &str) -> Output {
    let mut command = sealed(&program(name), home);
    command.args(args);
    let output = run_capped(command, CAP).unwrap();
    assert_ne!(output.code, 0, "{name} {args:?}");
    assert!(output.stderr.contains(text), "{name} {args:?} does not say {text:?}: {}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    output
}

#[test]
fn a_taken_port_that_was_asked_for_is_told() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let (addr, port) = (addr.to_string(), addr.port().to_string());
    let folder = home.path().join("shared");
    check_refuses("ttd", home.path(), &[folder.to_str().unwrap(), "--listen", &addr], &port);
    check_refuses("tt-tracker", home.path(), &["--listen", &addr], &port);
}

#[test]
fn a_missing_shared_folder_is_made_if_its_parent_is_there() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("no/such/folder");
    check_refuses("ttd", home.path(), &[deep.to_str().unwrap()], "no/such");
    assert!(!home.path().join("no").exists());

    let folder = home.path().join("shared");
    let daemon = Daemon::start_in(home, &folder, None, &[]);
    assert!(daemon.folder().join(".tinytorrent").is_dir());
}

#[test]
fn a_shared_folder_that_cannot_be_used_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "in the way").unwrap();
    check_refuses("ttd", home.path(), &[file.to_str().unwrap()], file.to_str().unwrap());
    // Nobody can write there, not even root.
    check_refuses("ttd", home.path(), &["/proc"], "/proc");
    let folder = home.path().join("shared");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(".tinytorrent"), "in the way").unwrap();
    check_refuses("ttd", home.path(), &[folder.to_str().unwrap()], ".tinytorrent");
    assert_eq!(fs::read(folder.join(".tinytorrent")).unwrap(), b"in the way");
}

#[test]
fn a_second_daemon_on_one_folder_is_refused() {
    let tracker = Tracker::start();
    let mut first = Daemon::start(&tracker, &[]);
    let folder = first.folder().to_owned();
    let home = tempfile::tempdir().unwrap();
    check_refuses(
        "ttd",
        home.path(),
        &[folder.to_str().unwrap(), "--listen", "127.0.0.1:0"],
        folder.to_str().unwrap(),
    );
    // The first has not noticed: its socket is still its own.
    assert!(first.runs());
    first.ok(&["status"]);
}

#[test]
fn a_second_daemon_is_refused_although_the_lock_file_was_deleted() {
    let tracker = Tracker::start();
    let mut first = Daemon::start(&tracker, &[]);
    let folder = first.folder().to_owned();
    fs::remove_file(folder.join(".tinytorrent/lock")).unwrap();
    let import = folder.join(".tinytorrent/imports/7.part");
    fs::write(&import, "of the first one").unwrap();
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("its-own.sock");
    check_refuses(
        "ttd",
        home.path(),
        &[folder.to_str().unwrap(), "--listen", "127.0.0.1:0", "--socket", socket.to_str().unwrap()],
        "is used by another ttd",
    );
    assert!(import.exists(), "it has cleared the imports of the first one");
    assert!(first.runs());
    first.ok(&["status"]);
}

#[test]
fn a_mistake_in_the_config_is_told_with_what_was_meant() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("my.toml");
    let (config, folder) = (path.to_str().unwrap(), home.path().join("shared"));
    let ttd = [folder.to_str().unwrap(), "--config", config];
    fs::write(&path, "zone = \"a\"\nupload_limt = \"5 MB/s\"\n").unwrap();
    let output = check_refuses("ttd", home.path(), &ttd, "did you mean \"upload_limit\"?");
    assert!(output.stderr.contains(&format!("{config}:2")), "{}", output.stderr);
    check_refuses("ttd", home.path(), &[&ttd[..], &["--check-config"]].concat(), "upload_limt");
    fs::write(&path, "file_group = \"no-such-group\"\n").unwrap();
    check_refuses("ttd", home.path(), &["--check-config", "--config", config], "no-such-group");
    fs::write(&path, "listen = \"nowhere\"\n").unwrap();
    check_refuses("tt-tracker", home.path(), &["--config", config], "listen");
    check_refuses("ttd", home.path(), &["--config", "/nowhere/ttd.toml"], "/nowhere/ttd.toml");
}

#[test]
fn a_config_is_checked_without_starting() {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in
        [("ttd", "upload_limit = \"5 MB/s\"\n"), ("tt-tracker", "publication_ttl = \"2 h\"\n")]
    {
        let path = home.path().join("my.toml");
        fs::write(&path, text).unwrap();
        let mut command = sealed(&program(name), home.path());
        command.args(["--check-config", "--config", path.to_str().unwrap()]);
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 0, "{name}: {}", output.stderr);
        assert_eq!(output.stdout, format!("{}: OK\n", path.display()));
    }
    // Nothing was made.
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn drop_ins_are_checked_with_the_file_beside_them() {
    for (name, good, bad, meant) in [
        ("ttd", "upload_limit = \"5 MB/s\"\n", "zon = \"a\"\n", "did you mean \"zone\"?"),
        ("tt-tracker", "publication_ttl = \"2 h\"\n", "listn = 99\n", "did you mean \"listen\"?"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config");
        let (path, folder) = (config.join(format!("{name}.toml")), config.join(format!("{name}.d")));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("20.toml"), good).unwrap();
        fs::write(folder.join("10.toml"), good).unwrap();
        fs::write(folder.join("README"), "no TOML").unwrap();
        let check = || {
            let mut command = sealed(&program(name), home.path());
            command.arg("--check-config");
            run_capped(command, CAP).unwrap()
        };
        // Without the main file too.
        let (first, second) = (folder.join("10.toml"), folder.join("20.toml"));
        let drop_ins = format!("{}: OK\n{}: OK\n", first.display(), second.display());
        let output = check();
        assert_eq!(output.code, 0, "{name}: {}", output.stderr);
        assert_eq!(output.stdout, format!("{}: no such file\n{drop_ins}", path.display()));
        fs::write(&path, good).unwrap();
        assert_eq!(check().stdout, format!("{}: OK\n{drop_ins}", path.display()));

        fs::write(&second, format!("# a comment\n{bad}")).unwrap();
        let named = ["--config", path.to_str().unwrap()];
        for args in [&["--check-config"][..], &[], &named] {
            let output = check_refuses(name, home.path(), args, meant);
            assert!(output.stderr.contains(&format!("{}:2: ", second.display())), "{}", output.stderr);
        }
        fs::remove_file(&second).unwrap();
        std::os::unix::fs::symlink("/nowhere", &second).unwrap();
        check_refuses(name, home.path(), &["--check-config"], &second.display().to_string());
    }
}

#[test]
fn a_wrong_value_is_told_with_the_drop_in_that_has_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("my.toml");
    fs::create_dir(home.path().join("my.d")).unwrap();
    fs::write(&path, "file_group = \"root\"\n").unwrap();
    fs::write(home.path().join("my.d/a.toml"), "\n\nfile_group = \"no-such-group\"\n").unwrap();
    let args = ["--check-config", "--config", path.to_str().unwrap()];
    check_refuses("ttd", home.path(), &args, "my.d/a.toml:3: file_group: no group");
}

#[test]
fn trackers_in_the_environment_come_after_the_command_line_and_before_the_file() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("my.toml");
    fs::write(&config, "trackers = [\"tt://127.0.0.1:1\"]\n").unwrap();
    fs::write(home.path().join("file"), "some bytes").unwrap();
    let start = |variable: &str, args: &[&str]| {
        let mut command = sealed(&program("ttd"), home.path());
        command.current_dir(home.path()).args(["shared", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
        command.args(args).env("TT_TRACKERS", variable);
        Process::start("ttd", command, &home.path().join("ttd.log")).unwrap()
    };
    let ctl = |variable: &str, args: &[&str]| {
        let mut command = sealed(&program("ttctl"), home.path());
        command
            .current_dir(home.path())
            .args(["--directory", "shared"])
            .args(args)
            .env("TT_TRACKERS", variable);
        run_capped(command, CAP).unwrap()
    };
    let trackers_of = |name: &str| {
        let path = home.path().join("shared").join(format!("{name}.tinytorrent"));
        fs::read_to_string(path).unwrap().lines().nth(2).unwrap().to_owned()
    };
    let two = "tt://127.0.0.1:2, tt://127.0.0.1:3";
    let cases = [
        ("", &[][..], "tt://127.0.0.1:1"),
        (two, &[], "tt://127.0.0.1:2 tt://127.0.0.1:3"),
        (two, &["--tracker", "tt://127.0.0.1:4"], "tt://127.0.0.1:4"),
    ];
    for (number, (variable, args, expected)) in cases.into_iter().enumerate() {
        let name = format!("file-{number}");
        fs::write(home.path().join(&name), &name).unwrap();
        let mut process = start(variable, args);
        cluster::wait_until("it answers", CAP, || ctl("", &["status"]).code == 0);
        // Reading the file again changes nothing about it.
        fs::write(&config, "trackers = [\"tt://127.0.0.1:1\"]\nfile_mode = \"0640\"\n").unwrap();
        let before = process.log().matches("was read again").count();
        process.signal(rustix::process::Signal::HUP);
        cluster::wait_until("the file is read again", CAP, || {
            process.log().matches("was read again").count() > before
        });
        let shared = ctl("", &["share", &name]);
        assert_eq!(shared.code, 0, "{}", shared.stderr);
        assert_eq!(trackers_of(&name), expected);

        // ttctl's own environment comes before what ttd knows, and --tracker before it.
        let other = format!("other-{number}");
        fs::write(home.path().join(&other), &other).unwrap();
        assert_eq!(ctl("tt://127.0.0.1:5", &["share", &other]).code, 0);
        assert_eq!(trackers_of(&other), "tt://127.0.0.1:5");
        process.signal(rustix::process::Signal::TERM);
        process.wait(CAP).unwrap();
    }
    let args = ["create", "file", "--tracker", "tt://127.0.0.1:6", "-o", "-"];
    for (args, expected) in
        [(&args[..], "tt://127.0.0.1:6"), (&["create", "file", "-o", "-"], "tt://127.0.0.1:5")]
    {
        let made = ctl("tt://127.0.0.1:5", args);
        assert_eq!(made.stdout.lines().nth(2), Some(expected), "{}", made.stderr);
    }
}

#[test]
fn a_wrong_tracker_in_the_environment_is_told_with_the_variable() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "some bytes").unwrap();
    let commands: [(&str, &[&str]); 4] = [
        ("ttd", &["shared"]),
        ("ttd", &["--check-config"]),
        ("ttctl", &["create", "file"]),
        ("ttctl", &["share", "file"]),
    ];
    for (name, args) in commands {
        let mut command = sealed(&program(name), home.path());
        command.current_dir(home.path()).args(args).env("TT_TRACKERS", "tt://a http://b");
        let output = run_capped(command, CAP).unwrap();
        assert_eq!(output.code, 2, "{name} {args:?}: {}", output.stderr);
        let says = "TT_TRACKERS: \"http://b\": a tracker's URL begins with \"tt://\"";
        assert!(output.stderr.contains(says), "{name} {args:?}: {}", output.stderr);
    }
}

#[test]
fn a_socket_may_have_a_path_longer_than_an_address_holds() {
    let home = tempfile::tempdir().unwrap();
    let mut folder = home.path().to_owned();
    for _ in 0..4 {
        folder.push("a directory whose name is long, but not too long for anybody");
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    assert!(folder.as_os_str().len() > 200);
    let daemon = Daemon::start_in(home, &folder, None, &[]);
    assert!(daemon.statuses().is_empty());
}

#[test]
fn a_relative_folder_is_where_the_daemon_was_started() {
    let home = tempfile::tempdir().unwrap();
    let mut command = sealed(&program("ttd"), home.path());
    command.current_dir(home.path()).arg("shared");
    let log = home.path().join("ttd.log");
    let _process = Process::start("ttd", command, &log).unwrap();
    let folder = home.path().join("shared");
    cluster::wait_until("it answers", CAP, || {
        let mut ttctl = sealed(&program("ttctl"), home.path());
        ttctl.arg("--directory").arg(&folder).args(["status", "--json"]);
        run_capped(ttctl, CAP).unwrap().code == 0
    });
}

#[test]
fn a_stale_socket_is_taken_over() {
    let tracker = Tracker::start();
    let mut daemon = Daemon::start(&tracker, &[]);
    daemon.kill();
    assert!(daemon.folder().join(".tinytorrent/ttd.sock").exists());
    daemon.restart();
}

#[test]
fn a_tracker_takes_its_port_as_an_argument() {
    let home = tempfile::tempdir().unwrap();
    let port = cluster::ports::free_port(std::net::Ipv4Addr::UNSPECIFIED.into()).unwrap();
    let mut command = sealed(&program("tt-tracker"), home.path());
    command.arg(port.to_string());
    let log = home.path().join("tracker.log");
    let _process = Process::start("tt-tracker", command, &log).unwrap();
    for host in ["127.0.0.1", "::1"] {
        cluster::wait_until(&format!("it listens on {host}"), CAP, || {
            std::net::TcpStream::connect((host, port)).is_ok()
        });
    }
}

/// The output of `ttd --check-config` for this `file_group`.
fn checked_group(home: &Path, group: &str) -> Output {
    let config = home.join("ttd.toml");
    fs::write(&config, format!("file_group = \"{group}\"\n")).unwrap();
    let mut command = sealed(&program("ttd"), home);
    command.arg("--check-config").arg("--config").arg(&config);
    run_capped(command, CAP).unwrap()
}

#[test]
fn a_configuration_is_good_although_its_group_cannot_be_looked_up() {
    if !own_mounts() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    make_pipe(&pipe);
    mount_bind(&pipe, Path::new("/etc/group"));
    let checked = checked_group(home.path(), "daemon");
    assert_eq!(checked.code, 0, "a reload of the service asks this first: {}", checked.stderr);
    assert!(checked.stderr.contains("ttd.toml:1: file_group: users and groups"), "{}", checked.stderr);
    let folder = home.path().join("shared");
    let config = home.path().join("ttd.toml");
    let mut command = sealed(&program("ttd"), home.path());
    command.arg(&folder).arg("--config").arg(&config);
    let refused = run_capped(command, CAP).unwrap();
    assert_eq!(refused.code, 1, "a start needs the group: {}", refused.stderr);
}

#[test]
fn groups_come_from_where_the_machine_has_them() {
    if !own_mounts() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let sources = Path::new("/etc/nsswitch.conf");
    let check = |group: &str| checked_group(home.path(), group);
    let ask = |said: &str| {
        let file = home.path().join("nsswitch.conf");
        fs::write(&file, said).unwrap();
        mount_bind(&file, sources);
    };

    ask("group: files\n");
    assert_eq!(check("daemon").code, 0, "a group of /etc/group");
    assert_eq!(check("no-such-group").code, 2, "trying again does not help");
    unmount(sources);

    ask("group: hesiod\n");
    let refused = check("daemon");
    assert!(refused.stderr.contains("no group \"daemon\""), "/etc/group is not asked: {}", refused.stderr);
    assert_eq!(refused.code, 1, "a directory may know the group later: {}", refused.stderr);
    assert!(refused.stderr.contains("`getent group daemon`"), "{}", refused.stderr);
    unmount(sources);

    // Where systemd's source is installed, it has a group that is in no /etc/group.
    ask("group: files systemd\n");
    mount_tmpfs(Path::new("/run"), 1);
    fs::create_dir("/run/userdb").unwrap();
    fs::write("/run/userdb/tt-fleet.group", r#"{"groupName":"tt-fleet","gid":64000}"#).unwrap();
    let listed = Command::new("getent").args(["group", "tt-fleet"]).status().unwrap();
    assert_eq!(check("tt-fleet").code == 0, listed.success());
}
