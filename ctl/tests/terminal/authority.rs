//! `ttctl ca` as a process, with openssl(1) as a foreign judge of what it writes.

use cluster::skip::skipped;
use serde_json::Value;
use shared::host::config::{Files, TrackerConfig};
use shared::token::Token;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A directory, with an authority in its directory `ca` once that was made.
struct Fleet(TempDir);

impl Fleet {
    /// A fleet with an authority.
    fn new() -> Fleet {
        let fleet = Fleet(tempfile::tempdir().unwrap());
        fleet.ok("init", &["--node", "tracker-1"]);
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, verb: &str, args: &[&str]) -> Output {
        let dir = self.path("ca");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ttctl"));
        command.args(["ca", verb, "--dir"]).arg(dir).args(args);
        // no daemon is there, and none is needed
        command.current_dir(self.0.path()).env_clear().env("TZ", "UTC").env("TT_SOCKET", "/nowhere");
        command.env("CONFIGURATION_DIRECTORY", self.path("config"));
        command.output().unwrap()
    }

    #[track_caller]
    fn ok(&self, verb: &str, args: &[&str]) -> String {
        let ran = self.run(verb, args);
        let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
        assert!(ran.status.success() && err.is_empty(), "{verb} {args:?}: {out}{err}");
        out
    }

    #[track_caller]
    fn json(&self, verb: &str, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(verb, &[args, &["--json"]].concat())).unwrap()
    }

    /// The exit code and the message of a command that must fail.
    #[track_caller]
    fn fails(&self, verb: &str, args: &[&str]) -> (i32, String) {
        let ran = self.run(verb, args);
        assert!(!ran.status.success(), "{verb} {args:?} should have failed");
        (ran.status.code().unwrap(), String::from_utf8(ran.stderr).unwrap())
    }

    /// What openssl says; `None` if it is not installed.
    fn openssl(&self, args: &[&str]) -> Option<(bool, String)> {
        let Ok(ran) = Command::new("openssl").args(args).current_dir(self.0.path()).output() else {
            skipped("openssl is missing (apt-get install openssl)");
            return None;
        };
        let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        Some((ran.status.success(), said))
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }
}

#[test]
fn an_authority_is_made_once_and_has_a_tracker() {
    let fleet = Fleet(tempfile::tempdir().unwrap());
    let said = fleet.ok("init", &["--node", "Tracker-1", "--life", "1000d"]);
    assert!(said.contains("made the authority in ") && said.contains("tracker.pem for tracker-1"), "{said}");
    assert_eq!(
        [fleet.mode("ca"), fleet.mode("ca/ca.key"), fleet.mode("ca/tracker.pem")],
        [0o700, 0o600, 0o600]
    );
    let key = fs::read(fleet.path("ca/ca.key")).unwrap();
    let (code, message) = fleet.fails("init", &["--node", "tracker-1"]);
    assert!(code == 4 && message.contains("has an authority already"), "{message}");
    assert_eq!(fs::read(fleet.path("ca/ca.key")).unwrap(), key);

    // A process that was killed before the tracker had its certificate is made up for.
    fs::remove_file(fleet.path("ca/tracker.pem")).unwrap();
    fleet.ok("init", &["--node", "tracker-1"]);
    assert_eq!(fs::read(fleet.path("ca/ca.key")).unwrap(), key);
    assert!(fleet.path("ca/tracker.pem").exists());
}

#[test]
fn the_tracker_is_told_of_the_authority_and_nobody_s_file_is_lost() {
    let fleet = Fleet(tempfile::tempdir().unwrap());
    let drop_in = fleet.path("config/tt-tracker.d/50-ca.toml");
    fleet.ok("init", &["--node", "tracker-1", "--no-config"]);
    assert!(!drop_in.exists());
    fs::remove_dir_all(fleet.path("ca")).unwrap();
    fs::create_dir_all(drop_in.parent().unwrap()).unwrap();
    fs::write(&drop_in, "# mine\n").unwrap();
    let (code, message) = fleet.fails("init", &["--node", "tracker-1"]);
    assert!(code == 4 && message.contains("50-ca.toml was not written by this command"), "{message}");
    assert!(!fleet.path("ca").exists() && fs::read_to_string(&drop_in).unwrap() == "# mine\n");
    fs::remove_file(&drop_in).unwrap();
    for (args, mode) in [(&["--turn-over"][..], "prefer"), (&[], "require")] {
        let said = fleet.json("init", &[&["--node", "tracker-1"], args].concat());
        assert_eq!(said["configuration"], drop_in.to_str().unwrap());
        assert_eq!(said["reloaded"], false, "it is not that of this machine's tracker");
        let files = Files::read(&drop_in).unwrap();
        let config = TrackerConfig::of(&files).unwrap();
        let at = |name: &str| Some(fs::canonicalize(fleet.path(name)).unwrap());
        assert_eq!((config.tls.as_str(), config.ca), (mode, at("ca")));
        assert_eq!((config.tls_identity, config.tls_ca), (at("ca/tracker.pem"), at("ca/ca.pem")));
        // A process that was killed before it wrote the drop-in is repeated; after that there is nothing to make.
        let pem = fs::read(fleet.path("ca/ca.pem")).unwrap();
        fs::remove_file(&drop_in).unwrap();
        fleet.json("init", &[&["--node", "tracker-1"], args].concat());
        assert!(drop_in.exists() && fs::read(fleet.path("ca/ca.pem")).unwrap() == pem);
        let (code, message) = fleet.fails("init", &["--node", "tracker-1"]);
        assert!(code == 4 && message.contains("has an authority already"), "{message}");
        fs::remove_dir_all(fleet.path("ca")).unwrap();
    }
}

#[test]
fn openssl_finds_the_names_and_the_signature_right() {
    let fleet = Fleet::new();
    fleet.ok("issue", &["web-1", "--group", "web", "--group", "eu", "-o", "out/web-1"]);
    assert_eq!([fleet.mode("out/web-1/identity.pem"), fleet.mode("out/web-1")], [0o600, 0o700]);
    for (file, names) in [
        ("out/web-1/identity.pem", "peer|web-1.node|eu.group|web.group"),
        ("ca/tracker.pem", "tracker|tracker-1.node"),
    ] {
        let Some((is_right, said)) = fleet.openssl(&["verify", "-x509_strict", "-CAfile", "ca/ca.pem", file])
        else {
            return;
        };
        assert!(is_right && said.ends_with(": OK\n"), "{said}");
        let (_, text) = fleet.openssl(&["x509", "-noout", "-ext", "subjectAltName", "-in", file]).unwrap();
        let due: Vec<String> =
            names.split('|').map(|name| format!("DNS:{name}.tinytorrent.internal")).collect();
        assert!(text.contains(&due.join(", ")), "{text}");
        // the key belongs to the certificate
        let key = fleet.openssl(&["pkey", "-pubout", "-in", file]).unwrap();
        assert_eq!(fleet.openssl(&["x509", "-noout", "-pubkey", "-in", file]).unwrap(), key);
    }
    assert_eq!(fs::read(fleet.path("out/web-1/ca.pem")).unwrap(), fs::read(fleet.path("ca/ca.pem")).unwrap());
}

#[test]
fn openssl_refuses_what_was_revoked() {
    let fleet = Fleet::new();
    for node in ["web-1", "web-2"] {
        fleet.ok("issue", &[node, "-o", node]);
    }
    let verify = |node: &str| {
        let crl = fleet.openssl(&["crl", "-inform", "DER", "-in", "ca/crl.der", "-out", "crl.pem"])?;
        assert!(crl.0, "{}", crl.1);
        let file = format!("{node}/identity.pem");
        fleet.openssl(&["verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "ca/ca.pem", &file])
    };
    let Some((is_right, said)) = verify("web-1") else { return };
    assert!(is_right, "{said}");
    assert_eq!(fleet.ok("revoke", &["web-1"]), "revoked the node web-1: 1 certificate\n");
    let (is_right, said) = verify("web-1").unwrap();
    assert!(!is_right && said.contains("certificate revoked"), "{said}");
    assert!(verify("web-2").unwrap().0);
    assert_eq!(fleet.ok("revoke", &["web-1"]), "the node web-1 was revoked before\n");
}

#[test]
fn the_list_has_each_node_with_its_state() {
    let fleet = Fleet::new();
    fleet.ok("issue", &["web-1", "-o", "a"]);
    fleet.ok("issue", &["web-1", "-o", "b", "--role", "peer", "--role", "operator"]);
    fleet.ok("issue", &["old", "-o", "c", "--life", "1ms"]);
    cluster::wait_until("a certificate of no length has expired", cluster::CAP, || {
        fleet.ok("list", &[]).lines().any(|line| line.starts_with("old ") && line.contains(" expired "))
    });
    fleet.ok("revoke", &["web-1"]);
    let listed = fleet.ok("list", &[]);
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NODE", "ROLES", "STATE", "UNTIL", "HOW", "CERTIFICATE"], "{listed}");
    assert_eq!(lines[2][..3], ["tracker-1", "tracker", "valid"], "{listed}");
    assert_eq!(lines[3][..3], ["web-1", "peer,operator", "revoked"], "{listed}");
    assert_eq!(lines.len(), 4, "{listed}");
    let all = fleet.json("list", &["--all"]);
    let all = all["certificates"].as_array().unwrap();
    let states: Vec<_> = all.iter().map(|one| (one["node"].as_str(), one["state"].as_str())).collect();
    let due = [("tracker-1", "valid"), ("web-1", "revoked"), ("web-1", "revoked"), ("old", "expired")];
    assert_eq!(states, due.map(|(node, state)| (Some(node), Some(state))));
}

#[test]
fn a_token_is_printed_as_a_command_and_kept_without_its_secret() {
    let fleet = Fleet::new();
    let printed = fleet.ok(
        "token",
        &["--node", "Web-1", "--group", "web", "--tracker", "tt://tracker.example:1", "--life", "2h"],
    );
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(
        [words[0], words[1], words[3], words[4]],
        ["ttctl", "join", "--tracker", "tt://tracker.example:1"]
    );
    let token: Token = words[2].parse().unwrap();
    let tokens = fleet.json("tokens", &[]);
    let told = &tokens["tokens"][0];
    assert_eq!(told["id"], token.id.to_string());
    assert_eq!(
        (&told["nodes"], &told["state"], &told["tls"]),
        (&"web-1".into(), &"open".into(), &"require".into())
    );
    let table = fleet.ok("tokens", &[]);
    assert!(table.contains("0 of 1"), "{table}");

    // The secret is in none of the files, in no listing, and in no list of what went wrong.
    let secret = &words[2][words[2].rfind('.').unwrap() + 1..][..26];
    let text =
        |name: &str| String::from_utf8_lossy(&fs::read(fleet.path("ca").join(name)).unwrap()).into_owned();
    let files: Vec<_> =
        fs::read_dir(fleet.path("ca")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.len() >= 7, "{files:?}");
    for name in files {
        assert!(!text(name.to_str().unwrap()).contains(secret), "{name:?}");
    }
    assert!(!table.contains(secret) && !tokens.to_string().contains(secret));
    assert_eq!(
        fleet.ok("revoke", &["--token", &token.id.to_string()]),
        format!("revoked the token {}\n", token.id)
    );
    assert_eq!(fleet.json("tokens", &[])["tokens"][0]["state"], "revoked");
}

#[test]
fn a_token_names_this_machine_if_no_tracker_is_named() {
    let fleet = Fleet::new();
    let printed = fleet.json("token", &["--uses", "20", "--turn-over"]);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(printed["tracker"], format!("tt://{}", host.trim()));
    let told = &fleet.json("tokens", &[])["tokens"][0];
    assert_eq!(
        (&told["uses_max"], &told["nodes"], &told["tls"]),
        (&20.into(), &"*".into(), &"prefer".into())
    );
}

#[test]
fn each_failure_names_its_cause() {
    let fleet = Fleet::new();
    fleet.ok("issue", &["web-1", "-o", "a"]);
    let cases: [(&str, &[&str], i32, &str); 10] = [
        ("issue", &["web 1", "-o", "b"], 2, "the name contains ' '; letters a to z, digits"),
        ("issue", &["-web", "-o", "b"], 2, ""),
        ("issue", &["web-1", "-o", "a"], 4, "a/identity.pem already exists"),
        ("issue", &["web-1", "-o", "b", "--group", "a.b"], 2, "the name contains '.'"),
        ("issue", &["web-1", "-o", "b", "--role", "boss"], 2, "peer, tracker, operator"),
        ("issue", &["web-1", "-o", "/proc/x"], 4, "cannot make /proc/x"),
        ("token", &["--uses", "0"], 2, "a token admits 1 to 10000 machines, not 0"),
        ("token", &["--node", "WEB-*"], 2, "no capital letters"),
        ("revoke", &["web-2"], 4, "the authority knows no node web-2"),
        ("revoke", &["--token", "00000000"], 4, "the authority knows no token 00000000"),
    ];
    for (verb, args, code, message) in cases {
        let (found, told) = fleet.fails(verb, args);
        assert!(found == code && told.contains(message), "{verb} {args:?}: {found} {told}");
    }
    assert!(!fleet.path("b").exists(), "nothing was made");
    let is_changed = fleet.json("list", &["--all"])["certificates"].as_array().unwrap().len() != 2;
    assert!(!is_changed, "nothing was issued for what could not be written");
    fleet.ok("issue", &["web-1", "-o", "a", "--replace"]);

    let empty = Fleet(tempfile::tempdir().unwrap());
    for verb in ["list", "tokens", "token"] {
        let (code, told) = empty.fails(verb, &[]);
        assert!(code == 4 && told.contains("has no authority") && told.contains("ca init --dir"), "{told}");
    }
    fs::set_permissions(fleet.path("ca/ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = fleet.fails("token", &[]);
    assert!(
        code == 4 && told.contains("other users may read") && told.contains("run: chmod 600 /"),
        "{told}"
    );
    fs::remove_file(fleet.path("ca/ca.key")).unwrap();
    let (code, told) = fleet.fails("issue", &["web-3", "-o", "c"]);
    assert!(code == 4 && told.contains("ca.key is not there"), "{told}");
    fleet.ok("list", &[]);
    fs::write(fleet.path("ca/tokens"), "tt-ca 1\n").unwrap();
    let (code, told) = fleet.fails("tokens", &[]);
    assert!(code == 6 && told.contains("is damaged") && told.contains("from a backup"), "{told}");
}

#[test]
fn an_authority_is_rotated_in_two_commands_and_says_who_is_left() {
    let fleet = Fleet::new();
    fleet.ok("issue", &["web-1", "-o", "a"]);
    let (code, told) = fleet.fails("rotate", &["--finish"]);
    assert!(code == 4 && told.contains("no new authority") && told.contains("ca rotate --dir"), "{told}");
    let begun = fleet.json("rotate", &[]);
    assert_eq!((&begun["step"], &begun["behind"][0]["node"]), (&"announced".into(), &"web-1".into()));
    let pem = fs::read_to_string(fleet.path("ca/ca.pem")).unwrap();
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);
    let told = String::from_utf8(fleet.run("rotate", &[]).stdout).unwrap();
    assert!(told.contains("1 machine still to hear of") && told.contains("web-1"), "{told}");
    // What was issued by hand is issued again by hand, once after each step.
    fleet.ok("issue", &["web-1", "-f", "-o", "a"]);
    assert_eq!(fs::read_to_string(fleet.path("a/ca.pem")).unwrap().matches("BEGIN CERT").count(), 2);
    assert_eq!(fleet.json("rotate", &[])["step"], "issuing");
    let (code, told) = fleet.fails("rotate", &["--finish"]);
    assert!(code == 4 && told.contains("not followed yet: web-1") && told.contains("--anyway"), "{told}");
    fleet.ok("issue", &["web-1", "-f", "-o", "a"]);
    let ended = fleet.json("rotate", &["--finish"]);
    assert_eq!((&ended["step"], &ended["leaving"]), (&"finished".into(), &begun["leaving"]));
    let states: Vec<String> = fleet.json("list", &["--all"])["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["node"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    let due = ["tracker-1 former", "web-1 former", "web-1 former", "web-1 valid", "tracker-1 valid"];
    assert_eq!(states, due);
}

/// Of several nodes those that are known are revoked, whatever the others are.
#[test]
fn one_failure_does_not_keep_the_others_from_being_revoked() {
    let fleet = Fleet::new();
    fleet.ok("issue", &["web-1", "-o", "a"]);
    let ran = fleet.run("revoke", &["web-9", "web-1", "--json"]);
    assert_eq!(ran.status.code(), Some(4));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&told["revoked"][0]["what"], &told["errors"][0]["what"]), (&"web-1".into(), &"web-9".into()));
}

/// What root makes in another user's directory belongs to that user, so that the tracker can read and change it.
#[test]
fn what_root_makes_belongs_to_the_owner_of_the_directory() {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root gives files away");
    }
    let fleet = Fleet(tempfile::tempdir().unwrap());
    chown(fleet.0.path(), Some(65534), Some(65534)).unwrap();
    fleet.ok("init", &["--node", "tracker-1"]);
    fleet.ok("issue", &["web-1", "-o", "out"]);
    fleet.ok("revoke", &["web-1"]);
    let owner = |path: &Path| fs::metadata(path).unwrap().uid();
    for dir in ["ca", "out"] {
        assert_eq!(owner(&fleet.path(dir)), 65534);
        for entry in fs::read_dir(fleet.path(dir)).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(owner(&path), 65534, "{}", path.display());
        }
    }
}
