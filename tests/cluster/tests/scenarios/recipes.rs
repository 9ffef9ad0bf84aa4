//! Runs the commands of README.md and docs/recipes.md, with stubs for machines that a test does not have. `tests/fleet`
//! runs the recipes on machines.

use cluster::document::Section;
use cluster::files::{MIB, content};
use cluster::ports::free_port;
use cluster::process::{Output, run_capped, sealed};
use cluster::{CAP, Daemon, Tracker, program};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const RECIPES: &str = include_str!("../../../../docs/recipes.md");

const README: &str = include_str!("../../../../README.md");

fn recipe(heading: &'static str) -> Section<'static> {
    Section::find(RECIPES, heading).unwrap()
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a shell with the programs of `bin` before all others, and with `ttctl` for this daemon.
fn shell(home: &Path, daemon: &Daemon, text: &str) -> Output {
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let folder = daemon.folder().display().to_string();
    script(
        &bin.join("ttctl"),
        &format!("#!/bin/sh\nexec {} --directory '{folder}' \"$@\"\n", program("ttctl").display()),
    );
    let mut command: Command = sealed(Path::new("/bin/sh"), home);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    command.current_dir(home).env("PATH", path).args(["-c", text]);
    run_capped(command, CAP).unwrap()
}

#[test]
fn the_quick_start_works_when_it_is_pasted() {
    let start = Section::find(README, "Quick start").unwrap();
    let commands = start.commands("sh").unwrap();
    for word in ["cargo build --release\n", "$PWD/target/release:", "/tmp/tt", " 7986 ", "kill %1 %2 %3"] {
        assert!(start.text().contains(word), "{word}");
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(home.join("target/release")).unwrap();
    for name in ["ttd", "ttctl", "tt-tracker"] {
        symlink(program(name), home.join("target/release").join(name)).unwrap();
    }
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        fs::write(home.join(name), name).unwrap();
    }
    // cargo has built them already. Everything else is as in the document, except the port and the folder.
    let port = free_port([127, 0, 0, 1].into()).unwrap();
    let commands = commands
        .replace("/tmp/tt", &home.join("tt").display().to_string())
        .replace("7986", &port.to_string());
    let text =
        format!("set -e; trap 'kill $(jobs -p)' ERR\ncargo() {{ :; }}\n{commands}\nkill %1 %2 %3; wait\n");
    let mut command = sealed(Path::new("/bin/bash"), home);
    command.current_dir(home).args(["-c", &text]);
    let output = run_capped(command, CAP).unwrap();
    let logs = ["tracker", "a", "b"].map(|name| fs::read_to_string(home.join(format!("tt/{name}.log"))));
    let Output { code, stdout, stderr } = &output;
    let is_done =
        *code == 0 && stdout.contains("\nthe same file\n") && stdout.ends_with("\nthe same directory\n");
    assert!(
        is_done,
        "it ended with {code}\n{stdout}\n{stderr}\n{}",
        logs.map(Result::unwrap_or_default).join("\n")
    );
}

#[test]
fn a_release_directory_is_replaced_as_a_whole() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let home = tempfile::tempdir().unwrap();
    let recipe = recipe("A release directory on every machine");
    let build = home.path().join("build/site");
    let publish = recipe.file("publish.sh").unwrap();
    let publish = publish.replace("/srv/build/site", build.to_str().unwrap());
    let line = recipe.file("/etc/cron.d/site-get").unwrap().lines().find(|line| line.contains("ttctl get"));
    // minute, hour, day, month, weekday, user; the rest is for the shell
    let get: Vec<&str> = line.expect("a line of a crontab").split_whitespace().skip(6).collect();
    for version in ["one", "two"] {
        fs::create_dir_all(build.join("pages")).unwrap();
        fs::write(build.join("pages/index.html"), version).unwrap();
        fs::write(build.join(version), version).unwrap();
        let published = shell(home.path(), &a, &publish);
        assert_eq!(published.code, 0, "{published:?}");
        let output = shell(home.path(), &b, &get.join(" "));
        let Output { code, stdout, stderr } = &output;
        assert_eq!((*code, stdout.as_str(), stderr.as_str()), (0, "", ""));
        let site = b.folder().join("site");
        assert_eq!(fs::read_to_string(site.join("pages/index.html")).unwrap(), version);
        assert_eq!(fs::read_dir(&site).unwrap().count(), fs::read_dir(&build).unwrap().count());
    }
}

#[test]
fn the_pipeline_goes_on_when_a_machine_is_down_and_says_which() {
    let tracker = Tracker::start();
    let (runner, machine) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(home.join("build")).unwrap();
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::write(home.join("build/app.tar.gz"), content(410, MIB)).unwrap();
    let ttctl = program("ttctl").display().to_string();
    let folder = machine.folder().display().to_string();
    // ssh -n -o OPTION -o OPTION HOST ttctl WORDS …
    let ssh = format!(
        "#!/bin/sh\nshift 5; host=$1; shift 2\ncase $host in\n\
         up) exec {ttctl} --directory '{folder}' \"$@\";;\n*) echo 'ssh: No route to host' >&2; exit 255;;\nesac\n"
    );
    script(&home.join("bin/ssh"), &ssh);
    let pipeline = recipe("A CI job that rolls out and waits").file("rollout.sh").unwrap();
    assert!(pipeline.contains("30 min"));
    let pipeline = pipeline.replace("30 min", "20 s");

    // The first machine is down, and some lines name no machine: all others are asked anyway.
    fs::write(home.join("hosts.txt"), "# the fleet\ndown\n\nup\n   # and no more\n").unwrap();
    let output = shell(home, &runner, &pipeline.replace("20 s", "1 s"));
    machine.wait_seeding("app.tar.gz");
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains("down: the download was not started")
            && output.stderr.contains("of the 3 machines"),
        "{output:?}"
    );
    assert!(output.stdout.contains("never seen"), "the fleet is shown: {output:?}");

    // The count is that of the machines and the runner.
    fs::write(home.join("hosts.txt"), "\n# the fleet\nup\n\n").unwrap();
    let output = shell(home, &runner, &pipeline);
    // the warning about a tracker on loopback is right
    let said = output.stderr.lines().filter(|line| !line.starts_with("warning: ")).count();
    assert_eq!((output.code, said), (0, 0), "{output:?}");
    assert!(output.stdout.contains("done on 2 of 2 machines"), "{output:?}");
}

#[test]
fn cron_has_nothing_to_mail_after_a_good_run() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(411, MIB);
    a.share_bytes("forecast.grib2", &bytes);
    let home = tempfile::tempdir().unwrap();
    // minute, hour, day, month, weekday, user; the rest is for the shell
    let line = recipe("cron: a file that is replaced regularly")
        .file("/etc/cron.d/forecast-get")
        .unwrap()
        .lines()
        .find(|line| line.contains("ttctl get"));
    let command: Vec<&str> = line.expect("a line of a crontab").split_whitespace().skip(6).collect();
    for _ in 0..2 {
        let output = shell(home.path(), &b, &command.join(" "));
        let Output { code, stdout, stderr } = &output;
        assert_eq!((*code, stdout.as_str(), stderr.as_str()), (0, "", ""), "{command:?}");
    }
    b.check_file("forecast.grib2", &bytes);
    a.ok(&["remove", "forecast.grib2"]);
    b.ok(&["remove", "--delete", "forecast.grib2"]);
}

/// Checks without Ansible that its words are those of ttctl.
#[test]
fn the_playbook_calls_ttctl_as_it_wants_to_be_called() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    a.share_bytes("lab 2025.img", &content(412, MIB));
    let playbook = recipe("Ansible: bring a file to a fleet").file("rollout.yml").unwrap();
    let argvs = playbook.lines().filter_map(|line| line.trim().strip_prefix("argv: [")?.strip_suffix(']'));
    let mut calls = 0;
    for argv in argvs {
        let words = argv.split(", ").map(|word| word.trim_matches('"'));
        let words: Vec<&str> =
            words.map(|word| word.replace("{{ image }}", "lab 2025.img").leak() as &str).collect();
        assert_eq!(words[0], "ttctl");
        let output = b.ok(&words[1..]);
        if words.contains(&"--json") {
            let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            assert!(document["complete"].is_boolean(), "{document}");
        }
        calls += 1;
    }
    assert_eq!(calls, 2);
    b.wait_seeding("lab 2025.img");
    // a failure has a document that says why, which has no `complete` for `changed_when` to read
    let failed = b.ctl(&["get", "--detach", "--replace", "--json", "no such name"]);
    let why: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((failed.code, &why["error"]["kind"], why.get("complete")), (4, &"refused".into(), None));
    assert!(playbook.contains("changed_when: begun.rc == 0 and not (begun.stdout | from_json).complete"));
}
