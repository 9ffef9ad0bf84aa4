//! What bash offers when the Tab key is pressed.

use cluster::files::content;
use cluster::process::{run_capped, sealed};
use cluster::{CAP, Daemon, Tracker, program};
use std::path::Path;
use std::process::Command;

/// What bash offers for a line that ends at its end, one candidate after the other.
fn offered(home: &Path, line: &str) -> Vec<String> {
    let mut script = Command::new("bash");
    let programs = program("ttctl");
    let path = format!("{}:/usr/bin:/bin", programs.parent().unwrap().display());
    script.current_dir(home).env("PATH", path).env("LINE", line).env("HOME", home).env_remove("TT_SOCKET");
    let ask = r#"
        source <(ttctl completions bash)
        COMP_LINE=$LINE COMP_POINT=${#LINE}
        _ttctl
        [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}""#;
    script.args(["--norc", "-c", ask]);
    let output = run_capped(script, CAP).unwrap();
    assert_eq!(output.stderr, "", "{line}");
    output.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_verbs_options_names_and_files() {
    let tracker = Tracker::start();
    let daemon = Daemon::start(&tracker, &[]);
    for name in ["lab 2025.img", "lab-2025.img", "it's:here", "other", "img@2026"] {
        daemon.share_bytes(name, &content(1, name.len()));
    }
    let home = daemon.outside();
    let directory = daemon.folder().display();
    let offered =
        |line: &str| offered(&home, &line.replace("ttctl", &format!("ttctl --directory {directory}")));
    assert_eq!(offered("ttctl stat"), ["status"]);
    assert!(offered("ttctl get --ti").contains(&"--timeout".to_owned()));
    assert_eq!(offered("ttctl status lab"), ["lab 2025.img", "lab-2025.img"]);
    assert_eq!(offered("ttctl pause 'lab 2"), ["lab 2025.img"]);
    assert_eq!(offered(r"ttctl remove lab\ 2"), ["lab 2025.img"]);
    assert_eq!(offered(r#"ttctl wait "it's:"#), ["it's:here"]);
    assert_eq!(offered(r"ttctl verify other it\'s:h"), ["here"], "bash replaces what follows the colon");
    assert_eq!(offered("ttctl status img@2"), ["2026"], "nor what precedes an at sign");
    assert_eq!(offered("ttctl status 'img@2"), ["img@2026"], "unless it is quoted");
    assert_eq!(offered("ttctl get oth"), ["other"], "from the catalogue");
    std::fs::write(home.join("manifest of mine"), "").unwrap();
    assert_eq!(offered("ttctl share man"), ["manifest of mine"]);
    std::fs::write(home.join("mine.tinytorrent"), "").unwrap();
    assert_eq!(offered("ttctl get ./mi"), ["./mine.tinytorrent"], "a manifest that lies here");
    assert_eq!(offered("ttctl get mi"), ["mine.tinytorrent"]);
    assert_eq!(offered("ttctl create --output=man"), ["manifest of mine"], "what precedes = stays as it is");
    assert_eq!(offered("ttctl create --output='man"), ["manifest of mine"]);
}

#[test]
fn a_shell_is_not_kept_waiting_by_a_daemon_that_is_away_or_hangs() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(offered(home.path(), "ttctl --directory /none status x"), [""; 0]);
    let tracker = Tracker::start();
    let mut daemon = Daemon::start(&tracker, &[]);
    daemon.freeze(true);
    let line = format!("ttctl --directory {} status x", daemon.folder().display());
    assert_eq!(offered(home.path(), &line), [""; 0]);
    daemon.freeze(false);
    // asked for nothing, it does what it is told
    let mut ttctl = sealed(&program("ttctl"), home.path());
    ttctl.env("COMPLETE", "bash").arg("--version");
    assert!(run_capped(ttctl, CAP).unwrap().stdout.starts_with("ttctl "));
}
