//! Scenarios in which the files with keys, certificates and lists of revoked ones are not what they should be. ttd runs
//! and answers in any case, says which file it is, and never speaks without TLS because of that.

use cluster::hostile::Asker;
use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// What takes the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instead {
    Nothing,
    Empty,
    Garbage,
    Huge,
    Directory,
    Pipe,
    Socket,
    Endless,
    LinkToNowhere,
    LinkToItself,
}

impl Instead {
    const ALL: [Instead; 10] = [
        Instead::Nothing,
        Instead::Empty,
        Instead::Garbage,
        Instead::Huge,
        Instead::Directory,
        Instead::Pipe,
        Instead::Socket,
        Instead::Endless,
        Instead::LinkToNowhere,
        Instead::LinkToItself,
    ];

    fn put(self, path: &Path) {
        remove(path);
        match self {
            Instead::Nothing => {}
            Instead::Empty => fs::write(path, "").unwrap(),
            Instead::Garbage => {
                fs::write(path, [0x30, 0x82, 0xff, 0xff, 0, b'\n', 27, b'[', b'2', b'J']).unwrap()
            }
            Instead::Huge => File::create(path).unwrap().set_len(1 << 40).unwrap(),
            Instead::Directory => fs::create_dir(path).unwrap(),
            Instead::Pipe => {
                let made = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, path, made, 0o600.into(), 0).unwrap();
            }
            Instead::Socket => drop(UnixListener::bind(path).unwrap()),
            Instead::Endless => symlink("/dev/zero", path).unwrap(),
            Instead::LinkToNowhere => symlink("nowhere", path).unwrap(),
            Instead::LinkToItself => symlink(path.file_name().unwrap(), path).unwrap(),
        }
        if matches!(self, Instead::Empty | Instead::Garbage | Instead::Huge) {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn tls(daemon: &Daemon) -> Value {
    let document: Value = serde_json::from_str(&daemon.ok(&["info", "--json"]).stdout).unwrap();
    document["tls"].clone()
}

/// Whether a caller without TLS is answered.
fn serves_in_the_clear(daemon: &Daemon) -> bool {
    let mut stranger = Asker::dial(daemon.addr());
    stranger.ask(Asker::hello(9, 9)).is_ok()
}

#[test]
fn whatever_takes_the_place_of_a_certificate_file_ttd_starts_and_says_which_one_it_is() {
    let (authority, tracker) = (Authority::new(), Tracker::start());
    let issued = authority.issue("web-1", &[]);
    let home = tempfile::tempdir().unwrap();
    let from = [issued.join("identity.pem"), authority.certificates(), authority.dir().join("crl.der")];
    let files: Vec<PathBuf> =
        ["identity.pem", "ca.pem", "revoked.crl"].iter().map(|name| home.path().join(name)).collect();
    let restore = || {
        for (from, to) in from.iter().zip(&files) {
            remove(to);
            fs::copy(from, to).unwrap();
        }
        fs::set_permissions(&files[0], fs::Permissions::from_mode(0o600)).unwrap();
    };
    restore();
    let [identity, ca, crl] = [0, 1, 2].map(|at| files[at].display());
    let config =
        format!("tls = \"require\"\ntls_identity = \"{identity}\"\ntls_ca = \"{ca}\"\ntls_crl = \"{crl}\"\n");
    let mut daemon = Daemon::start_configured(&tracker, &config);
    assert_eq!(tls(&daemon)["fault"], Value::Null);
    for file in &files {
        for instead in Instead::ALL {
            restore();
            instead.put(file);
            daemon.restart();
            if instead == Instead::Nothing && file.ends_with("revoked.crl") {
                continue; // there need not be one
            }
            let (state, path) = (tls(&daemon), file.display().to_string());
            let fault = state["fault"].as_str().unwrap_or_default().to_owned();
            assert!(fault.starts_with(&path) && !fault.contains(char::is_control), "{instead:?}: {state}");
            assert_eq!(state["mode"], "require");
            let doctor = daemon.ctl_code(4, &["doctor"]).stdout;
            assert!(doctor.contains("failure  tls") && doctor.contains(&path), "{instead:?}: {doctor}");
            let status = daemon.ok(&["status"]).stdout;
            assert!(
                status.contains("no usable certificate") && status.contains(&path),
                "{instead:?}: {status}"
            );
            daemon.ctl_code(4, &["identity"]);
            daemon.wait_log(&fault);
            assert!(!serves_in_the_clear(&daemon), "{instead:?} in the place of {path}");
        }
    }
    // The pair of another machine is mixed up with this one.
    restore();
    let other = fs::read_to_string(authority.issue("web-2", &[]).join("identity.pem")).unwrap();
    let own = fs::read_to_string(&files[0]).unwrap();
    let begin = "-----BEGIN CERTIFICATE";
    let mixed = format!("{}{begin}{}", own.split_once(begin).unwrap().0, other.split_once(begin).unwrap().1);
    fs::write(&files[0], mixed).unwrap();
    wait_until("it says so", CAP, || {
        tls(&daemon)["fault"]
            .as_str()
            .is_some_and(|fault| fault.contains("does not belong to its first certificate"))
    });
    restore();
    wait_until("it comes back by itself", CAP, || tls(&daemon)["fault"] == Value::Null);
}

/// What a machine joined with says that it speaks TLS only. It holds although that is damaged.
#[test]
fn a_machine_that_joined_does_not_speak_in_the_clear_because_a_file_of_its_own_is_damaged() {
    let (authority, mut tracker) = (Authority::new(), Tracker::start());
    let config = format!("{}ca = \"{}\"\n", authority.tracker("require"), authority.dir().display());
    tracker.configure(&config);
    let made: Value = serde_json::from_str(&authority.ok(&["token", "--json"]).stdout).unwrap();
    let mut daemon = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[]);
    let token = made["token"].as_str().unwrap();
    daemon.ok(&["join", token, "--tracker", &tracker.url(), "--node", "web-1"]);
    assert!(!serves_in_the_clear(&daemon));
    let own = daemon.folder().join(".tinytorrent/identity");
    let kept = daemon.outside().join("kept");
    daemon.kill();
    fs::rename(&own, &kept).unwrap();
    let copy = || {
        remove(&own);
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(&kept).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, own.join(from.file_name().unwrap())).unwrap();
        }
    };
    for file in ["joined.toml", "identity.pem", "ca.pem"] {
        for instead in Instead::ALL {
            copy();
            instead.put(&own.join(file));
            daemon.restart();
            assert!(!serves_in_the_clear(&daemon), "{instead:?} in the place of {file}\n{}", daemon.log());
            let said = daemon.ctl_code(4, &["identity"]);
            assert!(said.stderr.contains(file), "{instead:?} in the place of {file}: {}", said.stderr);
            assert!(said.stderr.contains("hint: "), "{instead:?} in the place of {file}: {}", said.stderr);
            assert_eq!(tls(&daemon)["mode"], "require", "{instead:?} in the place of {file}");
        }
    }
    copy();
    daemon.restart();
    wait_until("it is a member again", CAP, || daemon.ctl(&["identity"]).code == 0);
}
